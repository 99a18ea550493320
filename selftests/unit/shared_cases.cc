// SPDX-License-Identifier: GPL-2.0-only
// The cases of selftests/vq, each with every combination of features that it is about.

#include <string>
#include <utility>

#include "world.h"

namespace {

class SharedCase : public testing::Test {
public:
    SharedCase(const vq_case& c, uint64_t features) : case_(c), features_(features) {}

    void TestBody() override {
        vq_test t = world().test(features_);
        const auto rules = observe(t);
        case_.run(&t);
    }

private:
    const vq_case& case_;
    uint64_t features_;
};

void add_cases(const char* subject, const vq_case_list& list) {
    for (uint32_t i = 0; i < list.n; i++) {
        const vq_case& c = list.cases[i];
        for (uint32_t j = 0; j < vq_ncombinations; j++) {
            const vq_combination& combination = vq_combinations[j];
            if (!vq_case_applies(&c, combination.features))
                continue;
            testing::RegisterTest((std::string(combination.name) + "_" + subject).c_str(), c.name,
                                  nullptr, nullptr, __FILE__, __LINE__,
                                  [&c, features = combination.features]() -> testing::Test* {
                                      return new SharedCase(c, features);
                                  });
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    add_cases("Setup", vq_cases_setup);
    add_cases("Pop", vq_cases_pop);
    add_cases("Malformed", vq_cases_malformed);
    add_cases("Indirect", vq_cases_indirect);
    add_cases("Publish", vq_cases_publish);
    add_cases("Notify", vq_cases_notify);
    add_cases("State", vq_cases_state);
    return RUN_ALL_TESTS();
}
