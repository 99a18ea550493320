// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_TESTS_ECHO_DEVICE_H
#define VIREO_TESTS_ECHO_DEVICE_H

#include <cstring>
#include <stdexcept>

#include "virtio/user_device.h"

namespace vireo {

// A device of two queues that copies what it reads of a buffer into what it may write there.
class EchoDevice final : public UserDevice {
public:
    static constexpr uint16_t kQueueSize = 64;

    EchoDevice(const GuestMemory& memory, EventLoop& main, EventLoop& loop)
        : UserDevice(memory, main, loop,
                     {.type = 4, .pci_class = 0x00ff00, .queues = {kQueueSize, kQueueSize}}) {
        for (int i = 0; i < 2; i++) {
            add_queue([](Virtqueue& queue, unsigned) {
                const auto chains = queue.pop();
                for (const DescriptorChain& chain : chains) {
                    size_t done = 0;
                    if (!chain.in.empty() && !chain.out.empty()) {
                        done = std::min(chain.in[0].iov_len, chain.out[0].iov_len);
                        memcpy(chain.in[0].iov_base, chain.out[0].iov_base, done);
                    }
                    queue.push(chain, static_cast<uint32_t>(done));
                }
                queue.publish();
                return chains.empty() ? UserQueue::Turn::kEmpty : UserQueue::Turn::kMore;
            });
        }
    }
    ~EchoDevice() override { stop(); }

    uint64_t features() const override { return ring_features(); }
    void read_config(uint32_t offset, std::span<uint8_t> data) const override {
        for (size_t i = 0; i < data.size(); i++) {
            data[i] = offset + i < config.size() ? config[offset + i] : 0;
        }
    }
    void write_config(uint32_t offset, std::span<const uint8_t> data) override {
        for (size_t i = 0; i < data.size() && offset + i < config.size(); i++) {
            config[offset + i] = data[i];
        }
    }
    void reset() override { resets++; }
    void starting(uint64_t) override {
        starts++;
        if (refuse) {
            throw std::runtime_error("no");
        }
    }
    bool active(unsigned index) { return queue(index).active(); } // on the loop's thread
    void change_config() {
        const std::lock_guard guard(lock());
        config[0]++;
        transport_->config_changed();
    }

    std::array<uint8_t, 8> config = {1, 2, 3, 4, 5, 6, 7, 8};
    unsigned resets = 0, starts = 0;
    bool refuse = false;
};

} // namespace vireo

#endif // VIREO_TESTS_ECHO_DEVICE_H
