// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "error.h"

int tap_attach(const char* name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int header = VNET_HDR;
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    int ret = 0;

    if (fd < 0)
        return failed_errno("open /dev/net/tun");
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        ret = failed_errno("attach to tap %s", name);
    else if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
        ret = failed_errno("set the header size of tap %s", name);
    else if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
        ret = failed_errno("set the offloads of tap %s", name);
    if (ret) {
        close(fd);
        return ret;
    }
    return fd;
}
