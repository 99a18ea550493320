// SPDX-License-Identifier: GPL-2.0-only
// What a case of selftests/vq/cases.h needs, in a process: memory, and GoogleTest to complain to.
#pragma once

#include <sys/mman.h>

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "cases.h"

// Shared by all tests, since most of it is the memory of the largest queue.
class World {
public:
    World()
        : arena_(mmap(nullptr, VQ_TEST_ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                      -1, 0)),
          bufs_(VQ_MAX_NUM),
          chains_(VQ_TEST_CHAINS),
          segs_(VQ_TEST_SEGS),
          expanded_(VQ_TEST_SEGS) {}
    ~World() { munmap(arena_, VQ_TEST_ARENA); }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] vq_test test(uint64_t features) {
        vq_test t{};
        t.features = features;
        t.arena = arena_;
        t.arena_device = reinterpret_cast<unsigned long>(arena_);
        t.bufs = bufs_.data();
        t.chains = chains_.data();
        t.segs = segs_.data();
        t.expanded = expanded_.data();
        t.fail = [](vq_test*, const char* file, int line, const char* what, long long got,
                    long long want) {
            ADD_FAILURE_AT(file, line) << what << ": " << got << ", not " << want;
        };
        return t;
    }

private:
    void* arena_;
    std::vector<fd_buf> bufs_;
    std::vector<vq_chain> chains_;
    std::vector<vq_seg> segs_;
    std::vector<vq_seg> expanded_;
};

inline World& world() {
    static World the_world;
    return the_world;
}

// Holds a case's accesses against the rules of ring_rules.h, as long as the result is kept and
// where the environment shows them.
std::shared_ptr<void> observe(const vq_test& test);
