// SPDX-License-Identifier: GPL-2.0-only
// What is said when a vhost device cannot be had. What it does when it is there is tested with a
// network card: net/path_switch_test.cc.
#include "vhost/vhost_device.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace vireo::test {
namespace {

std::string opening(const std::string& path) {
    try {
        VhostDevice::open(path, "-netdev tap,vhost=on");
        return "";
    } catch (const UsageError& error) {
        return error.what();
    }
}

std::string owning(int fd) {
    try {
        VhostDevice(Fd(fd), "vhostfd=" + std::to_string(fd));
        return "";
    } catch (const UsageError& error) {
        return error.what();
    }
}

TEST(VhostDevice, SaysWhatToLoad) {
    if (access("/dev/vireo-net", F_OK) < 0) {
        EXPECT_EQ(opening("/dev/vireo-net"),
                  "-netdev tap,vhost=on: /dev/vireo-net is missing; "
                  "load the modules (make load) or use vhost=off");
    }
    if (access("/dev/vhost-net", F_OK) < 0) {
        EXPECT_EQ(opening("/dev/vhost-net"),
                  "-netdev tap,vhost=on: /dev/vhost-net is missing; "
                  "load the modules (modprobe vhost_net) or use "
                  "vhost=off");
    }
}

TEST(VhostDevice, RefusesWhatIsNoVhostDevice) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    EXPECT_EQ(owning(null), "vhostfd=" + std::to_string(null) + ": it is no vhost device");
    EXPECT_EQ(owning(999),
              "vhostfd=999: it is not open; the shell opens it with 999<>/dev/vireo-net");
}

TEST(VhostDevice, ErrorsHaveAText) {
    EXPECT_EQ(vhost_error_text(VIREO_ERROR_ADDRESS), "a buffer outside guest memory");
    EXPECT_EQ(vhost_error_text(VIREO_ERROR_NONE), "error 0");
    EXPECT_EQ(vhost_error_text(63), "error 63");
    EXPECT_EQ(vhost_error_text(1000), "error 1000");
    for (uint32_t error = 1; error <= VIREO_ERROR_OVERCOMMIT; error++) {
        EXPECT_NE(vhost_error_text(error).rfind("error ", 0), 0u) << error;
    }
}

} // namespace
} // namespace vireo::test
