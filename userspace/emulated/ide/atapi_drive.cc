// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/ide/atapi_drive.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "emulated/ide/ata.h"
#include "emulated/ide/ata_identify.h"

namespace vireo {

using namespace ata;

namespace {

// Interrupt reason: what the count register is in packet commands.
enum Reason : uint8_t { kDataOut = 0, kCommandPacket = 1, kDataIn = 2, kDone = 3 };

// MMC-4 and SPC-3.
enum Operation : uint8_t {
    kTestUnitReady = 0x00,
    kRequestSense = 0x03,
    kInquiry = 0x12,
    kModeSense6 = 0x1a,
    kStartStop = 0x1b,
    kPreventRemoval = 0x1e,
    kReadCapacity = 0x25,
    kRead10 = 0x28,
    kSeek10 = 0x2b,
    kReadToc = 0x43,
    kGetConfiguration = 0x46,
    kGetEvent = 0x4a,
    kDiscInformation = 0x51,
    kModeSense10 = 0x5a,
    kRead12 = 0xa8,
    kMechanismStatus = 0xbd,
    kReadCd = 0xbe,
};

constexpr AtapiDrive::Sense kNoMedium = {0x2, 0x3a, 0x00};
constexpr AtapiDrive::Sense kUnreadable = {0x3, 0x11, 0x00};
constexpr AtapiDrive::Sense kTransferFailed = {0x4, 0x08, 0x00};
constexpr AtapiDrive::Sense kUnknownCommand = {0x5, 0x20, 0x00};
constexpr AtapiDrive::Sense kOutOfRange = {0x5, 0x21, 0x00};
constexpr AtapiDrive::Sense kBadField = {0x5, 0x24, 0x00};
constexpr AtapiDrive::Sense kLocked = {0x5, 0x53, 0x02};

constexpr uint16_t kProfileCdRom = 0x0008;
constexpr uint8_t kDataTrack = 0x14; // of a track: data, by Q channel, not to be copied
constexpr uint8_t kLeadOut = 0xaa;
constexpr uint32_t kLead = 150; // sectors before the first one in minutes and seconds
constexpr size_t kMostBlock = 0xfffe;

uint32_t number(std::span<const uint8_t> bytes) {
    uint32_t value = 0;
    for (const uint8_t byte : bytes) {
        value = value << 8 | byte;
    }
    return value;
}

void put(std::vector<uint8_t>& to, uint32_t value, unsigned size) {
    for (unsigned i = size; i-- > 0;) {
        to.push_back(static_cast<uint8_t>(value >> (8 * i)));
    }
}

// The length of what follows, at the beginning of a reply.
void set_length(std::vector<uint8_t>& bytes, unsigned size, size_t length) {
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = static_cast<uint8_t>(length >> (8 * (size - 1 - i)));
    }
}

void put_text(std::vector<uint8_t>& to, std::string_view text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        to.push_back(static_cast<uint8_t>(i < text.size() ? text[i] : ' '));
    }
}

// A place on the medium, in sectors, or in minutes, seconds and frames.
void put_place(std::vector<uint8_t>& to, uint32_t sector, bool msf) {
    if (!msf) {
        put(to, sector, 4);
        return;
    }
    const uint32_t frames = sector + kLead;
    put(to, 0, 1);
    put(to, std::min(frames / (75 * 60), 255u), 1);
    put(to, frames / 75 % 60, 1);
    put(to, frames % 75, 1);
}

constexpr uint64_t kMostSectors = 0xffff'ffff;

uint32_t sectors_of(const ImageEndpoint& image) {
    const uint64_t sectors = std::min(image.size() / AtapiDrive::kSector, kMostSectors);
    if (!sectors) {
        throw_usage("drive {}: {} bytes are no CD-ROM: one sector has {}", image.name(),
                    image.size(), AtapiDrive::kSector);
    }
    return static_cast<uint32_t>(sectors);
}

} // namespace

AtapiDrive::AtapiDrive(AtaHost& host, const ImageEndpoint& image)
    : AtaDrive(host, image, kSector), sectors_(sectors_of(image)) {
    power_on();
}

void AtapiDrive::set_signature() {
    registers_.count = registers_.low = {1, 0};
    registers_.mid = {0x14, 0};
    registers_.high = {0xeb, 0};
    registers_.status = 0; // it is not ready for ATA's commands
}

void AtapiDrive::execute(uint8_t command) {
    if (manage_power(command)) {
        return;
    }
    switch (command) {
        case kPacket:
            begin_packet();
            break;
        case kIdentifyPacket:
            identify();
            break;
        case kIdentify:
        case kReadSectors:
            set_signature(); // "I have packets"
            fail(kAborted);
            break;
        case kSetFeatures:
            set_features();
            break;
        default:
            fail(kAborted);
    }
}

void AtapiDrive::identify() {
    AtaIdentity id;
    id.set(0, 0x85c0); // packets of 12 bytes, asked for at once; removable; CD-ROM
    id.text(10, 10, "VIREO-CD");
    id.text(23, 4, "1.0");
    id.text(27, 20, "VIREO CD-ROM");
    id.set(49, 0x0b00); // IORDY, LBA, DMA
    id.modes(settings_.mode);
    constexpr uint16_t kPackets = 1 << 4, kResets = 1 << 9, kValid = 1 << 14;
    id.set(82, kPackets | kResets);
    id.set(83, kValid);
    id.set(84, kValid);
    id.set(85, kPackets | kResets);
    id.set(87, kValid);
    id.set(93, 0x4000 | 0x2000 | 1);
    send(id.bytes(), false, id.bytes().size());
}

void AtapiDrive::set_features() {
    constexpr uint8_t kMultiword = 0x20;
    const uint8_t value = registers_.count[0];
    if (registers_.feature[0] == kTransferMode) {
        if ((value & ~7) == kMultiword && (value & 7) <= 2) {
            settings_.mode = value;
        } else if (value & ~0x0f) { // PIO, otherwise
            fail(kAborted);
            return;
        }
    } else if (registers_.feature[0] != kRevertOff && registers_.feature[0] != kRevertOn) {
        fail(kAborted);
        return;
    }
    succeed();
}

// --- packets ---

void AtapiDrive::begin_packet() {
    constexpr uint8_t kDma = 1 << 0, kOverlapped = 1 << 1;
    if (registers_.feature[0] & kOverlapped) {
        fail(kAborted);
        return;
    }
    dma_ = registers_.feature[0] & kDma;
    registers_.count[0] = kCommandPacket;
    receive(kPacketSize);
}

void AtapiDrive::received() {
    Packet packet;
    std::memcpy(packet.data(), taken().data(), packet.size());
    serve(packet);
}

// How much the host takes at a time, as it has said in the registers.
size_t AtapiDrive::block() const {
    const size_t limit = registers_.mid[0] | registers_.high[0] << 8;
    // 8.23.5: 0 is no limit, and an odd number is one less.
    return limit < 2 ? kMostBlock : std::min(limit & ~size_t{1}, kMostBlock);
}

void AtapiDrive::offer() {
    const size_t bytes = block_end_ - at_;
    registers_.mid[0] = static_cast<uint8_t>(bytes);
    registers_.high[0] = static_cast<uint8_t>(bytes >> 8);
    registers_.count[0] = kDataIn;
}

void AtapiDrive::good() {
    registers_.count[0] = kDone;
    succeed();
}

void AtapiDrive::check(Sense sense) {
    settings_.sense = sense;
    registers_.count[0] = kDone;
    fail(static_cast<uint8_t>(sense.key << 4 | kAborted));
}

void AtapiDrive::io_failed(const IoOperation& operation) {
    image().report_error(operation.error, "read", operation.offset, operation.length);
    check(kUnreadable);
}

void AtapiDrive::dma_failed() {
    check(kTransferFailed);
}

void AtapiDrive::reply(const Bytes& bytes, size_t allocated) {
    const size_t size = std::min(bytes.size(), allocated);
    if (size == 0) {
        good();
        return;
    }
    registers_.count[0] = kDataIn;
    send(std::span(bytes).first(size), dma_, block());
}

void AtapiDrive::serve(const Packet& packet) {
    const uint8_t operation = packet[0];
    if (operation == kRequestSense) {
        request_sense(packet);
        return;
    }
    settings_.sense = {};
    switch (operation) {
        case kInquiry:
            inquiry(packet);
            return;
        case kModeSense6:
        case kModeSense10:
            mode_sense(packet, operation == kModeSense10);
            return;
        case kStartStop:
            start_stop(packet);
            return;
        case kPreventRemoval:
            settings_.locked = packet[4] & 1;
            good();
            return;
        case kGetConfiguration:
            get_configuration(packet);
            return;
        case kGetEvent:
            get_event(packet);
            return;
        case kMechanismStatus:
            mechanism_status(packet);
            return;
        case kTestUnitReady:
        case kReadCapacity:
        case kRead10:
        case kRead12:
        case kReadCd:
        case kSeek10:
        case kReadToc:
        case kDiscInformation:
            break;
        default:
            check(kUnknownCommand);
            return;
    }
    // The rest needs a medium.
    if (!settings_.loaded) {
        check(kNoMedium);
        return;
    }
    const std::span<const uint8_t> bytes = packet;
    switch (operation) {
        case kReadCapacity:
            read_capacity();
            break;
        case kRead10:
            read_sectors(number(bytes.subspan(2, 4)), number(bytes.subspan(7, 2)));
            break;
        case kRead12:
            read_sectors(number(bytes.subspan(2, 4)), number(bytes.subspan(6, 4)));
            break;
        case kReadCd:
            read_cd(packet);
            break;
        case kReadToc:
            read_toc(packet);
            break;
        case kDiscInformation:
            disc_information(packet);
            break;
        case kSeek10:
            number(bytes.subspan(2, 4)) < sectors_ ? good() : check(kOutOfRange);
            break;
        default: // kTestUnitReady
            good();
    }
}

// --- commands ---

void AtapiDrive::request_sense(const Packet& packet) {
    Bytes sense(18);
    sense[0] = 0x70; // of the last command, fixed format
    sense[2] = settings_.sense.key;
    sense[7] = static_cast<uint8_t>(sense.size() - 8);
    sense[12] = settings_.sense.code;
    sense[13] = settings_.sense.qualifier;
    settings_.sense = {};
    reply(sense, packet[4]);
}

void AtapiDrive::inquiry(const Packet& packet) {
    if (packet[1] & 1) { // pages of vital product data
        check(kBadField);
        return;
    }
    Bytes data = {0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0}; // CD-ROM, removable, ATAPI's format
    put_text(data, "VIREO", 8);
    put_text(data, "VIREO CD-ROM", 16);
    put_text(data, "1.0", 4);
    reply(data, number(std::span(packet).subspan(3, 2)));
}

void AtapiDrive::mode_sense(const Packet& packet, bool ten) {
    constexpr uint8_t kErrorRecovery = 0x01, kCapabilities = 0x2a, kAll = 0x3f;
    const uint8_t control = packet[2] >> 6;
    const uint8_t wanted = packet[2] & 0x3f;
    if (control == 3) { // saved values: there are none
        check({0x5, 0x39, 0x00});
        return;
    }
    Bytes data(ten ? 8 : 4);
    const bool changeable = control == 1;
    const auto page = [&](std::initializer_list<uint8_t> head, size_t size) {
        const size_t start = data.size();
        data.insert(data.end(), head);
        data.resize(start + size);
        if (changeable) {
            std::fill(data.begin() + static_cast<ptrdiff_t>(start) + 2, data.end(), uint8_t{0});
        }
    };
    if (wanted == kErrorRecovery || wanted == kAll) {
        page({kErrorRecovery, 6, 0, 5}, 8);
    }
    if (wanted == kCapabilities || wanted == kAll) {
        // Reads CD-R and CD-RW; no audio, mode 2; tray, lock, eject; speeds in KB/s, buffer in KiB.
        constexpr uint8_t kTray = 1 << 5 | 1 << 3 | 1 << 0;
        const auto tray = static_cast<uint8_t>(kTray | (settings_.locked ? 1 << 1 : 0));
        page(
            {kCapabilities, 18, 0x03, 0, 0x70, 0x00, tray, 0, 0x16, 0x00, 0, 0, 0, 128, 0x16, 0x00},
            20);
    }
    if (data.size() == (ten ? 8u : 4u)) {
        check(kBadField);
        return;
    }
    if (ten) {
        set_length(data, 2, data.size() - 2);
        reply(data, number(std::span(packet).subspan(7, 2)));
    } else {
        set_length(data, 1, data.size() - 1);
        reply(data, packet[4]);
    }
}

void AtapiDrive::start_stop(const Packet& packet) {
    const bool start = packet[4] & 1;
    const bool move_tray = packet[4] & 2;
    if (move_tray && !start && settings_.locked) {
        check(kLocked);
        return;
    }
    if (move_tray && settings_.loaded != start) {
        settings_.loaded = start;
        settings_.changed = true;
    }
    good();
}

void AtapiDrive::read_sectors(uint32_t sector, uint32_t count) {
    if (sector > sectors_ || count > sectors_ - sector) {
        check(kOutOfRange);
        return;
    }
    if (count == 0) {
        good();
        return;
    }
    registers_.count[0] = kDataIn;
    start({.dma = dma_, .sector = sector, .left = count, .block = block()});
}

// Of all that a sector has, there is its data.
void AtapiDrive::read_cd(const Packet& packet) {
    constexpr uint8_t kUserData = 0x10;
    const uint8_t parts = packet[9] & 0xf8;
    const uint32_t count = number(std::span(packet).subspan(6, 3));
    if (parts == 0 || count == 0) {
        good();
    } else if (parts != kUserData || packet[10] & 7) {
        check(kBadField);
    } else {
        read_sectors(number(std::span(packet).subspan(2, 4)), count);
    }
}

void AtapiDrive::read_capacity() {
    Bytes data;
    put(data, sectors_ - 1, 4);
    put(data, kSector, 4);
    reply(data, data.size());
}

void AtapiDrive::read_toc(const Packet& packet) {
    const bool msf = packet[1] & 2;
    const uint8_t format = packet[2] & 0x0f ? packet[2] & 0x0f : packet[9] >> 6; // or as of old
    const uint8_t first = packet[6];
    Bytes toc = {0, 0, 1, 1}; // its length; first and last track, or session
    const auto track = [&](uint8_t name, uint32_t sector) {
        toc.insert(toc.end(), {0, kDataTrack, name, 0});
        put_place(toc, sector, msf);
    };
    switch (format) {
        case 0: // tracks
            if (first > 1 && first != kLeadOut) {
                check(kBadField);
                return;
            }
            if (first <= 1) {
                track(1, 0);
            }
            track(kLeadOut, sectors_);
            break;
        case 1: // sessions
            track(1, 0);
            break;
        case 2: // all that the lead-in says: first and last track, lead-out, the track
            for (const uint8_t point : {0xa0, 0xa1, 0xa2, 0x01}) {
                toc.insert(toc.end(), {1, kDataTrack, 0, point, 0, 0, 0});
                if (point < 0xa2 && point != 1) {
                    toc.insert(toc.end(), {0, 1, 0, 0});
                } else {
                    put_place(toc, point == 1 ? 0 : sectors_, true);
                }
            }
            break;
        default:
            check(kBadField);
            return;
    }
    set_length(toc, 2, toc.size() - 2);
    reply(toc, number(std::span(packet).subspan(7, 2)));
}

void AtapiDrive::get_configuration(const Packet& packet) {
    // MMC-4, 5.3: features by number, each with its data.
    struct Feature {
        uint16_t number;
        uint8_t flags; // version, persistent, current
        Bytes data;
    };
    const uint8_t current = settings_.loaded ? 1 : 0;
    const Feature features[] = {
        {0x0000, 0x03, {0x00, kProfileCdRom, current, 0}}, // profiles
        {0x0001, 0x0b, {0, 0, 0, 2, 1, 0, 0, 0}},          // core: ATAPI
        {0x0002, 0x07, {2, 0, 0, 0}},                      // morphing
        {0x0003, 0x03, {0x29, 0, 0, 0}},                   // removable: a tray, with a lock
        {0x0010, current, {0, 0, 8, 0, 0, 1, 0, 0}},       // random read: sectors of 2048 bytes
        {0x001e, static_cast<uint8_t>(8 | current), {0, 0, 0, 0}}, // CD read
    };
    const uint8_t which = packet[1] & 3; // all, current ones, one
    const uint32_t from = number(std::span(packet).subspan(2, 2));
    Bytes data(8);
    data[7] = settings_.loaded ? kProfileCdRom : 0;
    for (const Feature& feature : features) {
        if (feature.number < from || (which == 2 && feature.number != from) ||
            (which == 1 && !(feature.flags & 1))) {
            continue;
        }
        put(data, feature.number, 2);
        put(data, feature.flags, 1);
        put(data, static_cast<uint32_t>(feature.data.size()), 1);
        data.insert(data.end(), feature.data.begin(), feature.data.end());
    }
    set_length(data, 4, data.size() - 4);
    reply(data, number(std::span(packet).subspan(7, 2)));
}

void AtapiDrive::get_event(const Packet& packet) {
    constexpr uint8_t kPolled = 1, kMedia = 4, kNone = 0x80;
    if (!(packet[1] & kPolled)) {
        check(kBadField);
        return;
    }
    Bytes data = {0, 0, kNone, 1 << kMedia};
    if (packet[4] & 1 << kMedia) {
        constexpr uint8_t kNewMedia = 2, kRemoval = 3;
        data[2] = kMedia;
        const uint8_t event = !settings_.changed ? 0 : settings_.loaded ? kNewMedia : kRemoval;
        settings_.changed = false;
        // The tray is open, or the medium is there.
        const uint8_t state = settings_.loaded ? 2 : 1;
        data.insert(data.end(), {event, state, 0, 0});
    }
    set_length(data, 2, data.size() - 4);
    reply(data, number(std::span(packet).subspan(7, 2)));
}

void AtapiDrive::disc_information(const Packet& packet) {
    Bytes data(34);
    set_length(data, 2, data.size() - 2);
    data[2] = 0x0e;                            // complete, not to be written
    data[3] = data[4] = data[5] = data[6] = 1; // first track; sessions; first and last of the last
    data[7] = 0x20;                            // for any use
    reply(data, number(std::span(packet).subspan(7, 2)));
}

void AtapiDrive::mechanism_status(const Packet& packet) {
    Bytes data(8);
    data[1] = settings_.loaded ? 0 : 0x10; // the tray is open
    reply(data, number(std::span(packet).subspan(8, 2)));
}

} // namespace vireo
