// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/ide/ata_disk.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"
#include "emulated/ide/ata.h"
#include "emulated/ide/ata_identify.h"

namespace vireo {

using namespace ata;

namespace {

constexpr uint64_t kMax28 = (1u << 28) - 1; // sectors that 28 bits can count
constexpr uint64_t kMax48 = uint64_t{1} << 48;

} // namespace

AtaDisk::AtaDisk(AtaHost& host, const ImageEndpoint& image, std::string serial)
    : AtaDrive(host, image, kSector),
      serial_(std::move(serial)),
      sectors_(std::min(image.size() / kSector, kMax48)) {
    if (image.limits().io_unit > kSector) {
        throw_usage(
            "drive {}: cache=none: it takes I/O of {} bytes at least, and an IDE disk has sectors "
            "of {}; use cache=writeback",
            image.name(), image.limits().io_unit, kSector);
    }
    power_on();
}

void AtaDisk::set_signature() {
    registers_.count = registers_.low = {1, 0};
}

std::optional<AtaDisk::Access> AtaDisk::access(uint8_t command) {
    switch (command) {
        case kReadSectors:
        case kReadSectorsOnce:
            return Access{};
        case kReadSectorsExt:
            return Access{.ext = true};
        case kReadMultiple:
            return Access{.multiple = true};
        case kReadMultipleExt:
            return Access{.ext = true, .multiple = true};
        case kReadDma:
        case kReadDmaOnce:
            return Access{.dma = true};
        case kReadDmaExt:
            return Access{.ext = true, .dma = true};
        case kReadVerify:
        case kReadVerifyOnce:
            return Access{.verify = true};
        case kReadVerifyExt:
            return Access{.ext = true, .verify = true};
        case kWriteSectors:
        case kWriteSectorsOnce:
            return Access{.write = true};
        case kWriteSectorsExt:
            return Access{.write = true, .ext = true};
        case kWriteMultiple:
            return Access{.write = true, .multiple = true};
        case kWriteMultipleExt:
            return Access{.write = true, .ext = true, .multiple = true};
        case kWriteMultipleFuaExt:
            return Access{.write = true, .ext = true, .multiple = true, .durable = true};
        case kWriteDma:
        case kWriteDmaOnce:
            return Access{.write = true, .dma = true};
        case kWriteDmaExt:
            return Access{.write = true, .ext = true, .dma = true};
        case kWriteDmaFuaExt:
            return Access{.write = true, .ext = true, .dma = true, .durable = true};
        default:
            return {};
    }
}

void AtaDisk::execute(uint8_t command) {
    if (const std::optional<Access> sectors = access(command)) {
        move(*sectors);
        return;
    }
    if (manage_power(command)) {
        return;
    }
    switch (command) {
        case kIdentify:
            identify();
            break;
        case kSetFeatures:
            set_features();
            break;
        case kFlush:
        case kFlushExt:
            ext_ = command == kFlushExt;
            flush();
            break;
        case kSetMultiple: {
            const uint8_t sectors = registers_.count[0];
            if (sectors > kMaxMultiple || (sectors && !std::has_single_bit(sectors))) {
                settings_.multiple = 0; // 8.50: no multiple commands before it is set well
                fail(kAborted);
            } else {
                settings_.multiple = sectors;
                succeed();
            }
            break;
        }
        case kSetGeometry:
            settings_.sectors = registers_.count[0];
            settings_.heads = static_cast<uint8_t>((registers_.device & kHead) + 1);
            succeed();
            break;
        case kRecalibrate:
        case kSeek:
            succeed();
            break;
        default:
            fail(kAborted);
    }
}

// --- sectors ---

// The sector that the registers name; nullopt: there is no such one.
std::optional<uint64_t> AtaDisk::address(bool ext) const {
    const Registers& r = registers_;
    uint64_t sector = r.low[0] | r.mid[0] << 8 | r.high[0] << 16;
    if (ext) {
        sector |= uint64_t{r.low[1]} << 24 | uint64_t{r.mid[1]} << 32 | uint64_t{r.high[1]} << 40;
    } else if (r.device & kLba) {
        sector |= uint64_t{static_cast<uint8_t>(r.device & kHead)} << 24;
    } else {
        const unsigned cylinder = r.mid[0] | r.high[0] << 8;
        const unsigned head = r.device & kHead;
        if (r.low[0] == 0 || r.low[0] > settings_.sectors || head >= settings_.heads) {
            return {};
        }
        sector = (uint64_t{cylinder} * settings_.heads + head) * settings_.sectors + r.low[0] - 1;
    }
    return sector;
}

// Where it failed (6.2.1 for cylinders).
void AtaDisk::show_address(uint64_t sector) {
    Registers& r = registers_;
    if (!ext_ && !(r.device & kLba)) {
        if (!settings_.sectors) {
            return;
        }
        const uint64_t track = sector / settings_.sectors;
        const uint64_t cylinder = track / settings_.heads;
        r.low[0] = static_cast<uint8_t>(sector % settings_.sectors + 1);
        r.mid[0] = static_cast<uint8_t>(cylinder);
        r.high[0] = static_cast<uint8_t>(cylinder >> 8);
        r.device = static_cast<uint8_t>((r.device & ~kHead) | track % settings_.heads);
        return;
    }
    r.low[0] = static_cast<uint8_t>(sector);
    r.mid[0] = static_cast<uint8_t>(sector >> 8);
    r.high[0] = static_cast<uint8_t>(sector >> 16);
    if (ext_) {
        r.low[1] = static_cast<uint8_t>(sector >> 24);
        r.mid[1] = static_cast<uint8_t>(sector >> 32);
        r.high[1] = static_cast<uint8_t>(sector >> 40);
    } else {
        r.device = static_cast<uint8_t>((r.device & ~kHead) | (sector >> 24 & kHead));
    }
}

void AtaDisk::move(const Access& access) {
    ext_ = access.ext;
    uint32_t count = registers_.count[0];
    uint32_t most = 0x100;
    if (access.ext) {
        count |= uint32_t{registers_.count[1]} << 8;
        most = 0x10000;
    }
    count = count ? count : most; // 0 is the most
    if ((access.multiple && !settings_.multiple) || (access.write && image().readonly())) {
        fail(kAborted);
        return;
    }
    const std::optional<uint64_t> sector = address(access.ext);
    if (!sector || *sector >= sectors_ || count > sectors_ - *sector) {
        fail(kNotFound);
        return;
    }
    const uint32_t block = access.multiple ? settings_.multiple : 1;
    start({.write = access.write,
           .dma = access.dma,
           .verify = access.verify,
           .durable = access.durable || !settings_.write_cache,
           .sector = *sector,
           .left = count,
           .block = block * kSector});
}

void AtaDisk::transferred() {
    if (transfer_.dma || transfer_.write) {
        succeed();
    } // else the last block had its interrupt when it was offered
}

void AtaDisk::io_failed(const IoOperation& operation) {
    const bool read = operation.kind == IoOperation::Kind::kRead;
    image().report_error(operation.error, read ? "read" : "write", operation.offset,
                         operation.length);
    show_address((operation.offset + operation.done) / kSector);
    read ? fail(kUncorrectable) : fail(kAborted, kFault);
}

void AtaDisk::dma_failed() {
    show_address(transfer_.sector);
    fail(kAborted);
}

// --- settings ---

void AtaDisk::set_features() {
    constexpr uint8_t kPioDefault = 0x00, kPio = 0x08, kMultiword = 0x20; // and their three bits
    const uint8_t value = registers_.count[0];
    switch (registers_.feature[0]) {
        case kTransferMode:
            if (value == kPioDefault || value == (kPioDefault | 1) || (value & ~7) == kPio) {
                // PIO takes nothing but the host's time.
            } else if ((value & ~7) == kMultiword && (value & 7) <= 2) {
                settings_.mode = value;
            } else {
                fail(kAborted);
                return;
            }
            break;
        case kWriteCacheOn:
            settings_.write_cache = true;
            break;
        case kWriteCacheOff:
            settings_.write_cache = false;
            flush(); // what it has kept back so far
            return;
        case kLookAheadOn:
            settings_.look_ahead = true;
            break;
        case kLookAheadOff:
            settings_.look_ahead = false;
            break;
        case kRevertOff:
        case kRevertOn:
            break;
        default:
            fail(kAborted);
            return;
    }
    succeed();
}

void AtaDisk::identify() {
    const ImageEndpoint::Geometry geometry = image().geometry();
    AtaIdentity id;
    id.set(0, 0x0040); // fixed
    id.set(1, geometry.cylinders);
    id.set(3, geometry.heads);
    id.set(6, geometry.sectors);
    id.text(10, 10, serial_);
    id.text(23, 4, "1.0");
    id.text(27, 20, "VIREO HARDDISK");
    id.set(47, 0x8000 | kMaxMultiple);
    id.set(49, 0x0b00); // IORDY, LBA, DMA
    id.set(50, 0x4000);
    id.modes(settings_.mode);
    // As INITIALIZE DEVICE PARAMETERS has left it.
    const unsigned track = settings_.heads * settings_.sectors;
    const uint64_t cylinders = track ? std::min<uint64_t>(sectors_ / track, geometry.cylinders) : 0;
    id.set(54, static_cast<uint16_t>(cylinders));
    id.set(55, settings_.heads);
    id.set(56, settings_.sectors);
    id.set(57, cylinders * track, 2);
    id.set(59, static_cast<uint16_t>(settings_.multiple ? 0x0100 | settings_.multiple : 0));
    id.set(60, std::min(sectors_, kMax28), 2);
    constexpr uint16_t kLookAhead = 1 << 6, kWriteCache = 1 << 5, kPower = 1 << 3;
    constexpr uint16_t kFlushes = 1 << 12 | 1 << 13, k48Bits = 1 << 10;
    constexpr uint16_t kFua = 1 << 6, kValid = 1 << 14;
    id.set(82, kLookAhead | kWriteCache | kPower);
    id.set(83, kValid | kFlushes | k48Bits);
    id.set(84, kValid | kFua);
    id.set(85, static_cast<uint16_t>((settings_.look_ahead ? kLookAhead : 0) |
                                     (settings_.write_cache ? kWriteCache : 0) | kPower));
    id.set(86, kFlushes | k48Bits);
    id.set(87, kValid | kFua);
    id.set(93, 0x4000 | 0x2000 | 1); // passed its test; the cable has 80 wires
    id.set(100, sectors_, 4);
    const ImageEndpoint::Limits& limits = image().limits();
    if (limits.physical_block > kSector) {
        const auto exponent = std::bit_width(limits.physical_block / kSector) - 1;
        id.set(106, static_cast<uint16_t>(0x6000 | exponent));
    }
    send(id.bytes(), false, id.bytes().size());
}

} // namespace vireo
