// SPDX-License-Identifier: GPL-2.0-only
#include "driver_queue.h"

#include <errno.h>
#include <time.h>

#include "error.h"

int driver_open(struct vhost_dev* dev, const char* path, u64 features) {
    u64 offered;
    int ret = vhost_open(dev, path);

    if (!ret)
        ret = vhost_get_features(dev, &offered);
    if (!ret && (features & ~offered))
        return -EOPNOTSUPP;
    if (!ret)
        ret = vhost_set_owner(dev);
    if (!ret)
        ret = vhost_set_features(dev, features);
    return ret;
}

int driver_begin(struct fake_driver* driver, const struct fd_setup* setup, u64 position) {
    int ret = fd_init(driver, setup);

    if (ret)
        return failed(ret, "a ring of %u descriptors with features %#llx", setup->num,
                      (unsigned long long)setup->features);
    if (position) {
        u16 at = driver->packed ? position & 0x7fff : position;
        bool wrap = position >> 15 & 1;

        fd_set_position(driver, at, wrap, at, wrap);
    }
    return 0;
}

bool driver_show(struct fake_driver* driver, const struct vhost_queue* vhost, u64* kicks) {
    if (!fd_show(driver))
        return false;
    (*kicks)++;
    event_signal(vhost->kick);
    return true;
}

static long long clock_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int driver_wait(struct fake_driver* driver, const struct vhost_queue* vhost, int milliseconds) {
    long long limit = clock_ms() + milliseconds;

    for (;;) {
        long long left;

        event_take(vhost->call);
        if (fd_enable_call(driver))
            return 0;
        left = limit - clock_ms();
        if (left <= 0 || event_wait(vhost->call, (int)left) == -ETIMEDOUT)
            /* What came without a call is not waited for: a lost call shall be seen. */
            return -ETIMEDOUT;
    }
}
