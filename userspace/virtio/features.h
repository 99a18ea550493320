// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_FEATURES_H
#define VIREO_VIRTIO_FEATURES_H

#include <cstdint>
#include <initializer_list>

namespace vireo {

// Feature bits by their numbers (virtio 1.2, 2.2): all below 64.
constexpr uint64_t feature_bits(std::initializer_list<unsigned> numbers) {
    uint64_t bits = 0;
    for (const unsigned number : numbers) {
        bits |= uint64_t{1} << number;
    }
    return bits;
}

constexpr uint64_t feature_bit(unsigned number) {
    return feature_bits({number});
}

constexpr bool has_feature(uint64_t features, unsigned number) {
    return features >> number & 1;
}

} // namespace vireo

#endif // VIREO_VIRTIO_FEATURES_H
