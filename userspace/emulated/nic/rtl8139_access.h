// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_RTL8139_ACCESS_H
#define VIREO_EMULATED_NIC_RTL8139_ACCESS_H

#include <cstring>

#include "emulated/nic/rtl8139.h"

namespace vireo {

template <class T>
T Rtl8139::get(uint32_t offset) const {
    T value;
    memcpy(&value, &state_.bytes[offset], sizeof(value));
    return value;
}

template <class T>
void Rtl8139::put(uint32_t offset, T value) {
    memcpy(&state_.bytes[offset], &value, sizeof(value));
}

} // namespace vireo

#endif // VIREO_EMULATED_NIC_RTL8139_ACCESS_H
