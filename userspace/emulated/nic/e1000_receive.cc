// SPDX-License-Identifier: GPL-2.0-only
// Frames to the driver: the manual, 3.2.
#include <algorithm>
#include <cstring>

#include "emulated/nic/e1000_ring.h"
#include "emulated/nic/offload.h"

namespace vireo {

using namespace e1000;

namespace {

constexpr size_t kVlanTag = 4;
constexpr size_t kAddresses = 12;
constexpr size_t kCrc = 4;
constexpr size_t kLongest = 1522; // without RCTL.LPE; with its checksum
constexpr uint32_t kAddressValid = 1u << 31;

} // namespace

EmulatedNic::Readiness E1000::readiness() const {
    if (!(reg(kRctl) & kRctlEnable) || !dma_.master()) {
        return Readiness::kOff;
    }
    return ring(kRdbal).owned() ? Readiness::kReady : Readiness::kFull;
}

size_t E1000::buffer_size() const {
    const uint32_t control = reg(kRctl);
    const size_t size = size_t{2048} >> (control >> kRctlSizeShift & 3);
    // With the extension 2048 is reserved.
    return control & kRctlSizeTimes16 && size != 2048 ? size * 16 : size;
}

bool E1000::has_vlan_tag(std::span<const uint8_t> frame) const {
    return (uint32_t{frame[kAddresses]} << 8 | frame[kAddresses + 1]) == (reg(kVet) & 0xffff);
}

E1000::Fit E1000::fits(std::span<const uint8_t> frame) const {
    const uint32_t control = reg(kRctl);
    if (control & kRctlVlanFilter && has_vlan_tag(frame)) {
        const unsigned vlan = (frame[14] << 8 | frame[15]) & 0xfff;
        if (!(reg(kVfta + vlan / 32 * 4) >> (vlan % 32) & 1)) {
            return Fit::kNone;
        }
    }
    const bool multicast = frame[0] & 1;
    uint32_t low;
    uint16_t high;
    memcpy(&low, frame.data(), 4);
    memcpy(&high, frame.data() + 4, 2);
    if (low == 0xffff'ffff && high == 0xffff && control & kRctlBroadcast) {
        return Fit::kExact;
    }
    for (uint32_t i = 0; i < kReceiveAddresses; i++) {
        const uint32_t valid_high = reg(kRa + 8 * i + 4);
        // Bits 17:16 say what is compared: 0 is the destination.
        if (valid_high & kAddressValid && !(valid_high & 3 << 16) &&
            (valid_high & 0xffff) == high && reg(kRa + 8 * i) == low) {
            return Fit::kExact;
        }
    }
    if (control & (multicast ? kRctlMulticastAll : kRctlUnicastAll)) {
        return Fit::kExact;
    }
    if (multicast) {
        constexpr unsigned kShifts[] = {4, 3, 2, 0};
        const unsigned hash = (frame[4] | frame[5] << 8) >> kShifts[control >> kRctlHashShift & 3];
        if (reg(kMta + (hash >> 5 & 0x7f) * 4) >> (hash & 31) & 1) {
            return Fit::kHash;
        }
    }
    return Fit::kNone;
}

void E1000::check_sums(std::span<const uint8_t> frame, bool checked, uint8_t& status,
                       uint8_t& errors) const {
    const uint32_t wanted = reg(kRxcsum) & (kRxcsumIp | kRxcsumTransport);
    if (!wanted) {
        status |= kRxIgnoreSums;
        return;
    }
    const Verdict verdict = judge(frame, checked || !(wanted & kRxcsumTransport));
    if (wanted & kRxcsumIp && verdict.ip) {
        status |= kRxIpSum;
        errors |= static_cast<uint8_t>(bits_if(!*verdict.ip, kRxBadIp));
    }
    if (wanted & kRxcsumTransport && verdict.transport) {
        status |= kRxTransportSum;
        errors |= static_cast<uint8_t>(bits_if(!*verdict.transport, kRxBadTransport));
    }
}

bool E1000::receive(std::span<const uint8_t> frame, bool checked) {
    const Fit fit = fits(frame);
    if (fit == Fit::kNone) {
        return false;
    }
    if (frame.size() + kCrc > kLongest && !(reg(kRctl) & kRctlLong)) {
        reg(kRoc)++;
        return false;
    }
    reg(kTpr)++;
    add_long(kTorl, frame.size() + kCrc);
    auto status = static_cast<uint8_t>(bits_if(fit == Fit::kHash, kRxInexact));
    uint8_t errors = 0;
    uint16_t special = 0;
    check_sums(frame, checked, status, errors);
    const bool strip_tag = reg(kCtrl) & kCtrlVlanMode && has_vlan_tag(frame);
    const bool add_crc = !(reg(kRctl) & kRctlStripCrc);
    if (strip_tag) {
        special = static_cast<uint16_t>(frame[14] << 8 | frame[15]);
        status |= kRxVlan;
    }
    std::span<const uint8_t> given = frame;
    if (strip_tag || add_crc) {
        uint8_t* end = std::copy_n(frame.data(), kAddresses, received_.get());
        const auto rest = frame.subspan(kAddresses + (strip_tag ? kVlanTag : 0));
        end = std::ranges::copy(rest, end).out;
        if (add_crc) {
            const uint32_t crc = frame_check({received_.get(), end});
            memcpy(end, &crc, kCrc);
            end += kCrc;
        }
        given = {received_.get(), end};
    }
    if (!deliver(given, status, errors, special)) {
        reg(kMpc)++;
        state_.causes |= kRxOverrun;
        return false;
    }
    reg(kGprc)++;
    add_long(kGorcl, frame.size() + kCrc);
    count_sizes(kPrc64, frame.size() + kCrc);
    if (frame[0] & 1) {
        const bool broadcast = std::all_of(frame.begin(), frame.begin() + 6,
                                           [](uint8_t byte) { return byte == 0xff; });
        reg(broadcast ? kBprc : kMprc)++;
    }
    return true;
}

// Into as many buffers as it takes. False: there are too few.
bool E1000::deliver(std::span<const uint8_t> frame, uint8_t status, uint8_t errors,
                    uint16_t special) {
    const size_t size = buffer_size();
    if (ring(kRdbal).owned() < (frame.size() + size - 1) / size) {
        return false;
    }
    while (!frame.empty()) {
        const Ring ring = this->ring(kRdbal);
        const size_t here = std::min(size, frame.size());
        uint64_t buffer;
        if (!dma_.load(ring.descriptor(), buffer)) {
            return false;
        }
        dma_.write(buffer, frame.first(here));
        frame = frame.subspan(here);
        const uint32_t last = bits_if(frame.empty(), kRxEnd);
        const uint64_t result = uint64_t{here} | uint64_t(status | last | kRxDone) << 32 |
                                uint64_t{errors} << 40 | uint64_t{special} << 48;
        dma_.store(ring.descriptor() + 8, result);
        reg(kRdh) = ring.next();
    }
    state_.causes |= kRxTimer;
    const Ring left = ring(kRdbal);
    if (left.owned() <= left.size >> ((reg(kRctl) >> kRctlThresholdShift & 3) + 1)) {
        state_.causes |= kRxFewLeft;
    }
    return true;
}

} // namespace vireo
