// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/nic/models.h"

#include <algorithm>

#include "emulated/nic/e1000.h"
#include "emulated/nic/rtl8139.h"

namespace vireo {

namespace {

struct Model {
    std::string_view name;
    std::unique_ptr<EmulatedNic> (*make)(EmulatedNic::Parts parts);
};

template <class Nic, auto... Variant>
std::unique_ptr<EmulatedNic> make(EmulatedNic::Parts parts) {
    return std::make_unique<Nic>(std::move(parts), Variant...);
}

constexpr Model kModels[] = {
    {"e1000", make<E1000>},
    {"rtl8139", make<Rtl8139, Rtl8139::Chip::kCPlus>},
    {"rtl8139c", make<Rtl8139, Rtl8139::Chip::kC>},
};

} // namespace

std::unique_ptr<EmulatedNic> make_emulated_nic(std::string_view model, EmulatedNic::Parts parts) {
    const auto* known = std::ranges::find(kModels, model, &Model::name);
    return known == std::end(kModels) ? nullptr : known->make(std::move(parts));
}

} // namespace vireo
