// SPDX-License-Identifier: GPL-2.0-only
// What is made from the table of options agrees with it: help, the completion, the manual page.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>

#include "cli/completion.h"
#include "cli/help.h"
#include "cli/table.h"

namespace vireo::cli {
namespace {

// The top of the checkout.
std::filesystem::path top() {
    return VIREO_CHECKOUT;
}

std::string contents(const std::filesystem::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

// What bash offers behind a beginning of a command line, one a line.
std::string completed(const std::string& line) {
    const std::string script = "source '" + (top() / "userspace/cli/vireo.bash").string() +
                               "'; COMP_LINE='vireo " + line +
                               "'; COMP_POINT=${#COMP_LINE}; COMP_WORDBREAKS='=:'; _vireo; "
                               "printf '%s\\n' \"${COMPREPLY[@]}\"";
    const std::unique_ptr<FILE, int (*)(FILE*)> bash(
        popen(("bash -c \"$(cat <<'END'\n" + script + "\nEND\n)\"").c_str(), "r"), pclose);
    std::string out;
    std::array<char, 4096> part;
    while (const size_t n = fread(part.data(), 1, part.size(), bash.get())) {
        out.append(part.data(), n);
    }
    return out;
}

TEST(Table, EachNameIsThereOnce) {
    std::set<std::string_view> options;
    for (const Option* option : all_options()) {
        EXPECT_TRUE(options.insert(option->name).second) << option->name;
        for (const Form* form : option->forms) {
            std::set<std::string_view> keys;
            for (const auto key : form->names()) {
                EXPECT_TRUE(keys.insert(key).second) << option->name << " " << key;
            }
            EXPECT_TRUE(form->implied.empty() || form->find(form->implied)) << option->name;
        }
    }
}

TEST(Table, AnOptionHasWhatItsStyleNeeds) {
    for (const Option* option : all_options()) {
        EXPECT_EQ(option->style == Option::Style::kPairs, !option->forms.empty()) << option->name;
        EXPECT_EQ(option->style != Option::Style::kPairs, option->set != nullptr) << option->name;
        EXPECT_EQ(option->style != Option::Style::kAlone, !option->argument.empty())
            << option->name;
        EXPECT_FALSE(option->help.empty()) << option->name;
    }
}

TEST(Table, HelpFitsATerminal) {
    std::string all = usage_help();
    for (const Option* option : all_options()) {
        for (const Form* form : option->forms) {
            all += form_help(*form);
        }
    }
    size_t begin = 0;
    for (size_t end; (end = all.find('\n', begin)) != std::string::npos; begin = end + 1) {
        EXPECT_LE(end - begin, 110u) << all.substr(begin, end - begin);
    }
    for (const Option* option : all_options()) {
        EXPECT_NE(all.find("\n  -" + std::string(option->name)), std::string::npos) << option->name;
    }
}

TEST(Table, TheCompletionIsUpToDate) {
    EXPECT_EQ(contents(top() / "userspace/cli/vireo.bash"), bash_completion())
        << "make it anew: vireo -completion bash > userspace/cli/vireo.bash";
}

TEST(Table, BashCompletes) {
    EXPECT_EQ(completed("-net"), "-netdev\n-net\n");
    EXPECT_EQ(completed("--kern"), "--kernel\n");
    EXPECT_EQ(completed("-S -cpu "), "host\n");
    EXPECT_EQ(completed("-chardev f"), "file\n");
    EXPECT_EQ(completed("-netdev tap,vnet"), "tap,vnet_hdr=\n");
    // Readline takes the word to begin behind the last '='.
    EXPECT_EQ(completed("-netdev tap,id=a,vhost="), "off\non\ntry\n");
    EXPECT_EQ(completed("--netdev tap,id=a,vhost=t"), "try\n");
    EXPECT_EQ(completed("-m 1G,h"), "1G,hugetlb=\n");
    EXPECT_EQ(completed("-drive file=" + (top() / "Makef").string()),
              (top() / "Makefile").string() + "\n");
    EXPECT_EQ(completed("-append x"), "\n");
}

// What a card may be called is the same in all three spellings.
TEST(Table, EveryCardIsADevice) {
    for (const auto& [option, form] : {std::pair("net", "nic"), std::pair("nic", "tap")}) {
        const Key* model = find_option(option)->find(form)->find("model");
        for (const auto word : split_words(model->type.words)) {
            EXPECT_TRUE(word == "virtio" || find_option("device")->find(word)) << word;
        }
    }
}

// Options begin an item of their own in the manual page; keys are in bold.
TEST(Table, TheManualPageHasEverything) {
    const auto page = contents(top() / "Documentation/man/vireo.1");
    const auto in_page = [&](std::string_view name) {
        std::string word;
        for (const char c : name) {
            word += c == '-' ? "\\-" : std::string(1, c);
        }
        return page.find("\\fB" + word + "\\fR") != std::string::npos ||
               page.find("\n.B " + word + "\n") != std::string::npos ||
               page.find("\n.BR " + word + " ") != std::string::npos ||
               page.find("\n.BI " + word + " ") != std::string::npos;
    };
    for (const Option* option : all_options()) {
        EXPECT_TRUE(in_page("-" + std::string(option->name))) << "-" << option->name;
        for (const Form* form : option->forms) {
            EXPECT_TRUE(form->name.empty() || in_page(form->name)) << form->name;
            for (const auto key : form->names()) {
                EXPECT_TRUE(in_page(key)) << option->name << " " << form->name << " " << key;
            }
        }
    }
}

} // namespace
} // namespace vireo::cli
