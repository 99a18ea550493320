// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_FW_CFG_H
#define VIREO_EMULATED_FW_CFG_H

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "bus/bus.h"

namespace vireo {

// How a virtual machine's firmware is told of its machine (QEMU's "fw_cfg" specification): numbered
// items, of which some are files with names in a directory, itself an item.
//
//   0  selector, 16 bits, write: which item, from its beginning
//   1  data, 8 bits, read: the item's next byte; 0 behind its end
//
// Filled while no vCPU runs; read on vCPU threads.
class FwCfg final : public BusDevice {
public:
    using Bytes = std::vector<uint8_t>;

    // Keys of items that are not files.
    static constexpr uint16_t kSignature = 0x00;
    static constexpr uint16_t kId = 0x01;
    static constexpr uint16_t kCpus = 0x05;
    static constexpr uint16_t kMaxCpus = 0x0f;
    static constexpr uint16_t kDirectory = 0x19;
    static constexpr uint16_t kFirstFile = 0x20;
    static constexpr uint16_t kTimerOverride = 0x8002;

    struct State {
        uint16_t key = 0;
        uint32_t at = 0;
    };

    // As it is in a machine that tells nothing: signature and version alone.
    FwCfg();

    void clear();
    void set(uint16_t key, Bytes value);
    // A file, at most 55 characters of name. Names are told from each other by the caller.
    void add_file(std::string_view name, Bytes content);

    uint64_t read(uint64_t offset, unsigned size) override;
    void write(uint64_t offset, unsigned size, uint64_t value) override;

private:
    std::mutex mutex_; // of what follows
    State state_;
    std::map<uint16_t, Bytes> items_;
    uint16_t files_ = 0;
};

// A number as an item has it: little endian.
FwCfg::Bytes fw_cfg_number(uint64_t value, unsigned size);

} // namespace vireo

#endif // VIREO_EMULATED_FW_CFG_H
