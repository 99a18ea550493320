/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* /dev/vireo-floor: what the tap costs a device that has no queue to serve. */
#ifndef VIREO_FLOOR_H
#define VIREO_FLOOR_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum floor_what {
	FLOOR_TX, /* submits frames to the tap, as a vhost device does */
	FLOOR_RX, /* takes frames from the tap's ring and copies them */
	FLOOR_FREE, /* takes frames from the tap's ring and frees them */
};

/**
 * struct floor_run - one measurement
 * @what: enum floor_what
 * @tap: file descriptor
 * @frame: where the frame is (TX), or goes to (RX), its virtio header before it
 * @bytes: of both; RX: room, at least that much
 * @frames: how many; RX and FREE: at most
 * @done: out: how many it were
 * @moved: out: bytes that the tap took or gave, headers included
 * @ns: out: nanoseconds that the tap's part took
 */
struct floor_run {
	__u32 what;
	__s32 tap;
	__u64 frame;
	__u32 bytes;
	__u32 frames;
	__u64 done;
	__u64 moved;
	__u64 ns;
};

#define FLOOR_RUN _IOWR(0xBF, 0x01, struct floor_run)

#endif /* VIREO_FLOOR_H */
