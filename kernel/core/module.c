// SPDX-License-Identifier: GPL-2.0-only
/*
 * vireo.ko: the core that Vireo's devices stand on.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("Vireo: virtqueues processed in the kernel, core");
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The Vireo developers");
