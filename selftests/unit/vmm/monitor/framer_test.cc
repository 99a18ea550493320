// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/framer.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace vireo::monitor {
namespace {

using Result = Framer::Result;

// What a framer makes of a text that comes in pieces of some size: values in <>, junk as !.
std::string framed(std::string_view text, size_t piece) {
    Framer framer;
    std::string out;
    while (!text.empty()) {
        std::string_view bytes = text.substr(0, piece);
        text.remove_prefix(bytes.size());
        for (Result result; (result = framer.feed(bytes)) != Result::kMore;) {
            if (result == Result::kTooBig) {
                return out + "too big";
            }
            out += result == Result::kValue ? fmt::format("<{}>", framer.value()) : "!";
        }
    }
    return out;
}

class Framed : public testing::TestWithParam<size_t> {};

TEST_P(Framed, ValuesEndWithTheirBrackets) {
    EXPECT_EQ(framed("{}", GetParam()), "<{}>");
    EXPECT_EQ(framed(" {\"a\":\n{}}\r\n{}[1,[2]]\n", GetParam()), "<{\"a\":\n{}}><{}><[1,[2]]>");
}

TEST_P(Framed, BracketsInStringsAreText) {
    EXPECT_EQ(framed(R"({"}": "\"}\\"}{})", GetParam()), R"(<{"}": "\"}\\"}><{}>)");
}

TEST_P(Framed, JunkIsToldOnceALine) {
    EXPECT_EQ(framed("hello {}\n{}\n]\n", GetParam()), "!<{}>!");
    EXPECT_EQ(framed(std::string_view("\0\0\n{}", 5), GetParam()), "!<{}>");
}

TEST_P(Framed, DepthIsBounded) {
    const std::string deep(Framer::kMaxDepth, '[');
    const std::string end(Framer::kMaxDepth, ']');
    EXPECT_EQ(framed(deep + end, GetParam()), "<" + deep + end + ">");
    EXPECT_EQ(framed(deep + "[", GetParam()), "too big");
}

TEST_P(Framed, SizeIsBounded) {
    const std::string fits = "{\"" + std::string(Framer::kMaxSize - 4, 'x') + "\"}";
    EXPECT_EQ(framed(fits, GetParam()), "<" + fits + ">");
    EXPECT_EQ(framed("{\"" + std::string(Framer::kMaxSize, 'x'), GetParam()), "too big");
}

INSTANTIATE_TEST_SUITE_P(Pieces, Framed, testing::Values(1, 2, 3, 7, 1024, 1 << 20));

} // namespace
} // namespace vireo::monitor
