# SPDX-License-Identifier: GPL-2.0-only
"""What make bench-boot is made of.

machines  the VMMs, and how each is told to boot the same machine
memory    what a process has in memory beside its guest's
report    tables, and the verdict
plot      the picture
"""
