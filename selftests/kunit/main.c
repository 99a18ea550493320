// SPDX-License-Identifier: GPL-2.0-only
/*
 * vireo_kunit.ko: tests of vireo.ko, run in the kernel when it is inserted.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("Vireo: KUnit tests of the virtqueue engine");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VIREO);
