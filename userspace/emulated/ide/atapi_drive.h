// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_IDE_ATAPI_DRIVE_H
#define VIREO_EMULATED_IDE_ATAPI_DRIVE_H

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "emulated/ide/ata_drive.h"

namespace vireo {

// A CD-ROM drive: packets of 12 bytes (ATA/ATAPI-6, 8.23) with commands of MMC-4 and SPC-3. Its
// medium is one data track.
class AtapiDrive final : public AtaDrive {
public:
    static constexpr uint32_t kSector = 2048;
    static constexpr size_t kPacketSize = 12;

    struct Sense {
        uint8_t key = 0, code = 0, qualifier = 0;
    };
    struct Settings {
        Sense sense;
        uint8_t mode = 0;     // of transfers
        bool loaded = true;   // the medium is in
        bool locked = false;  // and stays
        bool changed = false; // since it was last asked
    };

    // Throws UsageError if the image is no medium.
    AtapiDrive(AtaHost& host, const ImageEndpoint& image);

    const char* model() const override { return "ide-cd"; }
    bool obeys_device_reset() const override { return true; }

private:
    using Bytes = std::vector<uint8_t>;
    using Packet = std::array<uint8_t, kPacketSize>;

    void set_signature() override;
    void forget() override { settings_ = {}; }
    void execute(uint8_t command) override;
    void offer() override;
    void transferred() override { good(); }
    void io_failed(const IoOperation& operation) override;
    void dma_failed() override;
    void received() override;

    void begin_packet();
    void identify();
    void set_features();

    void good();
    void check(Sense sense);
    void reply(const Bytes& bytes, size_t allocated);
    size_t block() const;

    void serve(const Packet& packet);
    void request_sense(const Packet& packet);
    void inquiry(const Packet& packet);
    void mode_sense(const Packet& packet, bool ten);
    void start_stop(const Packet& packet);
    void read_sectors(uint32_t sector, uint32_t count);
    void read_cd(const Packet& packet);
    void read_toc(const Packet& packet);
    void read_capacity();
    void get_configuration(const Packet& packet);
    void get_event(const Packet& packet);
    void disc_information(const Packet& packet);
    void mechanism_status(const Packet& packet);

    const uint32_t sectors_;
    Settings settings_;
    bool dma_ = false; // of the packet at hand
};

} // namespace vireo

#endif // VIREO_EMULATED_IDE_ATAPI_DRIVE_H
