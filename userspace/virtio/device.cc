// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/device.h"

#include <fmt/core.h>

namespace vireo {

BrokenQueue VirtioDevice::report_to(EventLoop& main) {
    return [this, &main](unsigned index, const std::string& what) {
        main.post([this, why = fmt::format("queue {}: {}", index, what)] {
            if (transport_) {
                transport_->needs_reset(why);
            }
        });
    };
}

} // namespace vireo
