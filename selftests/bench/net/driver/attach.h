/* SPDX-License-Identifier: GPL-2.0-only */
/* The tap device, made and configured from outside; here it gets its file. */
#ifndef ATTACH_H
#define ATTACH_H

#define VNET_HDR 12 /* bytes, as VIRTIO_F_VERSION_1 has them */

/* Returns a file descriptor with a vnet header, or -errno after a word on stderr. */
int tap_attach(const char* name);

#endif /* ATTACH_H */
