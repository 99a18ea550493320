// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BASE_VERSION_H
#define VIREO_BASE_VERSION_H

namespace vireo {

struct Version {
    int major, minor, micro;
};
inline constexpr Version kVersion = {0, 1, 0};

} // namespace vireo

#endif // VIREO_BASE_VERSION_H
