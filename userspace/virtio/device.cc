// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/device.h"

#include "base/error.h"

namespace vireo {

void VirtioDevice::set_path(Path path) {
    if (path != Path::kUser) {
        throw_usage("no kernel module serves such a device: its only path is \"user\"");
    }
}

BrokenQueue VirtioDevice::report_to(EventLoop& main) {
    return [this, &main](unsigned index, const std::string& what) {
        const unsigned life = life_;
        main.post([this, life, why = fmt::format("queue {}: {}", index, what)] {
            const std::lock_guard lock(lock_);
            // The driver may have reset the device by now, and begun anew.
            if (transport_ && life == life_) {
                transport_->needs_reset(why);
            }
        });
    };
}

} // namespace vireo
