// SPDX-License-Identifier: GPL-2.0-only
// Values, pieces of an argument, and the word that was meant.
#include <gtest/gtest.h>

#include "cli/key_value.h"
#include "cli/suggest.h"
#include "cli/value.h"

namespace vireo::cli {
namespace {

std::string pieces(std::string_view argument) {
    std::string text;
    for (const Pair& pair : split_pairs(argument)) {
        text += "[" + pair.key + (pair.value ? "|" + *pair.value : "") + "]";
    }
    return text;
}

TEST(KeyValue, PiecesAreDividedAtCommas) {
    EXPECT_EQ(pieces("tap,id=n0,vhost=on"), "[tap][id|n0][vhost|on]");
    EXPECT_EQ(pieces("512"), "[512]");
    EXPECT_EQ(pieces(""), "");
    EXPECT_EQ(pieces("server,wait=off"), "[server][wait|off]");
}

TEST(KeyValue, TwoCommasAreOneThatBelongsToTheValue) {
    EXPECT_EQ(pieces("file=a,,b.img,if=virtio"), "[file|a,b.img][if|virtio]");
    EXPECT_EQ(pieces("a,,b"), "[a,b]");
    EXPECT_EQ(pieces("file=a,,,if=none"), "[file|a,][if|none]");
    EXPECT_EQ(pieces("file=,,"), "[file|,]");
}

TEST(KeyValue, OnlyTheFirstEqualsSignDivides) {
    EXPECT_EQ(pieces("path=/a=b,x="), "[path|/a=b][x|]");
    EXPECT_EQ(pieces("=x"), "[|x]");
}

TEST(Suggest, DistanceCountsWhatAPersonMistypes) {
    EXPECT_EQ(edit_distance("", ""), 0u);
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("serial", "serial"), 0u);
    EXPECT_EQ(edit_distance("serval", "serial"), 1u);  // replaced
    EXPECT_EQ(edit_distance("seiral", "serial"), 1u);  // swapped
    EXPECT_EQ(edit_distance("serials", "serial"), 1u); // inserted
    EXPECT_EQ(edit_distance("seral", "serial"), 1u);   // deleted
    EXPECT_EQ(edit_distance("abc", "xyz"), 3u);
}

TEST(Suggest, TheNearestIsMeantIfItIsNear) {
    constexpr std::string_view kKnown[] = {"netdev", "net", "nic", "m", "smp", "nographic"};
    EXPECT_EQ(nearest("netdevs", kKnown), "netdev");
    EXPECT_EQ(nearest("nographics", kKnown), "nographic");
    EXPECT_EQ(nearest("mem", kKnown), "");
    EXPECT_EQ(nearest("spm", kKnown), "smp");
    EXPECT_EQ(nearest("", kKnown), "");
    EXPECT_EQ(nearest("audiodev", kKnown), "");
}

// A type, a text, and the number or flag that it means; nothing: refused.
TEST(Value, Flags) {
    for (const auto* text : {"on", "yes", "true", "y"}) {
        EXPECT_TRUE(read_value(flag(), text)->on) << text;
    }
    for (const auto* text : {"off", "no", "false", "n"}) {
        EXPECT_FALSE(read_value(flag(), text)->on) << text;
    }
    for (const auto* text : {"", "1", "ON", "maybe", "on "}) {
        EXPECT_FALSE(read_value(flag(), text)) << text;
    }
}

TEST(Value, Numbers) {
    EXPECT_EQ(read_value(number(1, 255), "1")->number, 1u);
    EXPECT_EQ(read_value(number(1, 255), "255")->number, 255u);
    for (const auto* text : {"", "0", "256", "-1", "+1", " 1", "1 ", "1.5", "0x10", "one",
                             "18446744073709551616", "18446744073709551617"}) {
        EXPECT_FALSE(read_value(number(1, 255), text)) << text;
    }
}

TEST(Value, Sizes) {
    constexpr uint64_t kMiB = 1 << 20;
    constexpr Type kMemory = size(kMiB, 1ull << 40, kMiB);
    EXPECT_EQ(read_value(kMemory, "128")->number, 128 * kMiB);
    EXPECT_EQ(read_value(kMemory, "128M")->number, 128 * kMiB);
    EXPECT_EQ(read_value(kMemory, "2g")->number, 2048 * kMiB);
    EXPECT_EQ(read_value(kMemory, "1T")->number, 1ull << 40);
    EXPECT_EQ(read_value(kMemory, "2048K")->number, 2 * kMiB);
    EXPECT_EQ(read_value(kMemory, "1048576B")->number, kMiB);
    for (const auto* text : {"", "0", "M", "1023K", "2T", "-1", "1MB", "1.5G", "16777216T",
                             "18446744073709551615", "99999999999999999999"}) {
        EXPECT_FALSE(read_value(kMemory, text)) << text;
    }
}

TEST(Value, WordsTextsNames) {
    EXPECT_EQ(read_value(word("off|on|try"), "try")->number, 2u);
    EXPECT_FALSE(read_value(word("off|on|try"), "tr"));
    EXPECT_FALSE(read_value(word("off|on|try"), "off|on"));
    EXPECT_EQ(read_value(text("any text"), "a b")->text, "a b");
    EXPECT_FALSE(read_value(file(), ""));
    EXPECT_TRUE(read_value(id(), "net-0.a_B"));
    for (const auto* text : {"", "0net", "-a", "a b", "a,b", "a/b", "\xc3\xa4"}) {
        EXPECT_FALSE(read_value(id(), text)) << text;
    }
}

TEST(Value, Addresses) {
    const std::array<uint8_t, 6> wanted{0x52, 0x54, 0, 0xab, 0xCD, 0xff};
    EXPECT_EQ(read_value(mac(), "52:54:00:ab:CD:ff")->mac, wanted);
    EXPECT_EQ(read_value(mac(), "52-54-00-ab-cd-ff")->mac, wanted);
    for (const auto* text : {"", "52:54:00:ab:cd", "52:54:00:ab:cd:ff:00", "52:54:00:ab:cd:fg",
                             "52:54:00:ab:cd:f ", "525:4:00:ab:cd:ff", "01:00:5e:00:00:01"}) {
        EXPECT_FALSE(read_value(mac(), text)) << text;
    }
}

TEST(Value, OpenFiles) {
    EXPECT_EQ(read_value(fds(), "3")->fds, std::vector<int>({3}));
    EXPECT_EQ(read_value(fds(), "3:4:11")->fds, std::vector<int>({3, 4, 11}));
    for (const auto* text : {"", ":", "3:", ":3", "-1", "3,4", "99999999999"}) {
        EXPECT_FALSE(read_value(fds(), text)) << text;
    }
}

TEST(Value, WhatIsAcceptedIsSaid) {
    EXPECT_EQ(accepted(flag()), "on or off");
    EXPECT_EQ(accepted(word("off|on|try")), "off, on or try");
    EXPECT_EQ(accepted(word("kvm")), "kvm");
    EXPECT_EQ(accepted(number(1, 255)), "a number from 1 to 255");
    EXPECT_EQ(accepted(size(16 << 20, 4ull << 40)),
              "from 16M to 4T; a number without K, M, G or T is in bytes");
}

} // namespace
} // namespace vireo::cli
