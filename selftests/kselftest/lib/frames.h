/* SPDX-License-Identifier: GPL-2.0-only */
/* Ethernet frames whose every byte follows from a number and a size, and random choices that can be
 * repeated. */
#ifndef FRAMES_H
#define FRAMES_H

#include <linux/types.h>
#include <linux/virtio_net.h>
#include <stdbool.h>

#define FRAME_MIN 14
#define FRAME_MAX 65535
#define FRAME_TYPE 0x88b5 /* for local experiments: nobody's protocol */

/* A frame of @bytes, at least FRAME_MIN; its number is in the source address. */
void frame_make(__u8* frame, __u32 bytes, __u32 number);
/* Says on stderr what differs, if anything does. */
bool frame_matches(const __u8* frame, __u32 bytes, __u32 number, __u32 wanted_bytes);

/*
 * A TCP/IPv4 frame with @payload bytes of the same kind, and the header that
 * asks for segments of @gso_size bytes of payload (0: for a checksum alone).
 * Returns its size. Its checksum is the pseudo header's, as a driver leaves it.
 */
#define TCP_FRAME_HEADER (14 + 20 + 20)
__u32 tcp_frame_make(__u8* frame, __u32 payload, __u32 number, __u16 gso_size,
                     struct virtio_net_hdr* hdr);
/* Is the payload at @offset of frame @number this? */
bool tcp_payload_matches(const __u8* payload, __u32 bytes, __u32 number, __u32 offset);
/* The sum over a frame's TCP part and pseudo header: 0xffff if its checksum is right. */
__u16 tcp_frame_sum(const __u8* frame, __u32 bytes);

/* $VIREO_SEED, or 1, and numbers that follow from it. */
__u64 random_seed(void);
__u32 random_below(__u64* state, __u32 limit);

#endif /* FRAMES_H */
