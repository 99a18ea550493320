/* SPDX-License-Identifier: GPL-2.0-only */
/* The front end of a vhost-user device: what a VMM says to the process that serves a queue. */
#ifndef VHOST_USER_H
#define VHOST_USER_H

#include "blk_driver.h"

/* Connects, and hands over memory (a memfd) and the first queue. 0 or -errno. */
int vhost_user_start(const char* socket, const struct blk* blk);

#endif /* VHOST_USER_H */
