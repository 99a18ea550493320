// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_MODELS_H
#define VIREO_EMULATED_NIC_MODELS_H

#include <memory>
#include <string_view>

#include "emulated/nic/nic.h"

namespace vireo {

// The cards that are emulated, by the names that QEMU gives them. nullptr: there is none of that
// name.
std::unique_ptr<EmulatedNic> make_emulated_nic(std::string_view model, EmulatedNic::Parts parts);

} // namespace vireo

#endif // VIREO_EMULATED_NIC_MODELS_H
