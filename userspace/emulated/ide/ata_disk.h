// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_IDE_ATA_DISK_H
#define VIREO_EMULATED_IDE_ATA_DISK_H

#include <array>
#include <optional>
#include <string>

#include "emulated/ide/ata_drive.h"

namespace vireo {

// A hard disk of ATA/ATAPI-6: 28- and 48-bit addresses, PIO, multiple sectors, DMA, a write cache.
// No SMART, no security, no host protected area: IDENTIFY says so, and their commands are aborted.
class AtaDisk final : public AtaDrive {
public:
    static constexpr uint32_t kSector = 512;
    static constexpr uint8_t kMaxMultiple = 16;

    struct Settings {
        uint8_t multiple = kMaxMultiple; // sectors of a block; 0: no multiple commands
        uint8_t heads = 16, sectors = 63;
        uint8_t mode = 0; // of transfers, as SET FEATURES has it; 0: none was set
        bool write_cache = true;
        bool look_ahead = true;
    };

    // `serial` is at most 20 characters. Throws UsageError if the image takes no such sectors.
    AtaDisk(AtaHost& host, const ImageEndpoint& image, std::string serial);

    const char* model() const override { return "ide-hd"; }

private:
    // A command that moves sectors.
    struct Access {
        bool write = false, ext = false, multiple = false, dma = false, verify = false,
             durable = false;
    };

    static std::optional<Access> access(uint8_t command);

    void set_signature() override;
    void forget() override { settings_ = {}; }
    void execute(uint8_t command) override;
    void transferred() override;
    void io_failed(const IoOperation& operation) override;
    void dma_failed() override;

    void move(const Access& access);
    std::optional<uint64_t> address(bool ext) const;
    void show_address(uint64_t sector);
    void set_features();
    void identify();

    const std::string serial_;
    const uint64_t sectors_;
    Settings settings_;
    bool ext_ = false; // of the command at hand: 48-bit addresses
};

} // namespace vireo

#endif // VIREO_EMULATED_IDE_ATA_DISK_H
