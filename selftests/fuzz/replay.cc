// SPDX-License-Identifier: GPL-2.0-only
// Runs the fuzz target on files, without a fuzzer: the corpus as a plain regression test.
// usage: replay_FORMAT FILE|DIRECTORY...
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void replay(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    if (file.bad() || !file.is_open())
        throw std::filesystem::filesystem_error("read", path,
                                                std::make_error_code(std::errc::io_error));
    // The name first, so that a crash is known by it.
    std::printf("%s: %zu bytes\n", path.c_str(), bytes.size());
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

} // namespace

int main(int argc, char** argv) {
    size_t count = 0;
    try {
        for (int i = 1; i < argc; i++) {
            if (!std::filesystem::is_directory(argv[i])) {
                replay(argv[i]);
                count++;
                continue;
            }
            for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
                replay(entry.path());
                count++;
            }
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "replay: %s\n", error.what());
        return 2;
    }
    if (!count) {
        std::fprintf(stderr, "replay: no input; usage: replay_FORMAT FILE|DIRECTORY...\n");
        return 2;
    }
    std::printf("replay: %zu inputs, no rule broken\n", count);
    return 0;
}
