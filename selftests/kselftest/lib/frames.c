// SPDX-License-Identifier: GPL-2.0-only
#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETH_HEADER 14
#define IP_HEADER 20

static void put16(__u8* at, __u32 value) {
    at[0] = value >> 8;
    at[1] = value;
}

static void put32(__u8* at, __u32 value) {
    put16(at, value >> 16);
    put16(at + 2, value);
}

static __u8 pattern(__u32 number, __u32 i) {
    /* No byte equals that at the same place of a neighbouring frame, or 256 bytes on. */
    return number * 37 + i + (i >> 8) * 3;
}

/* To everybody, from an address that says the frame's number. */
static void ethernet(__u8* frame, __u32 number, __u32 type) {
    memset(frame, 0xff, 6);
    frame[6] = 0x02;
    frame[7] = 0;
    put32(frame + 8, number);
    put16(frame + 12, type);
}

void frame_make(__u8* frame, __u32 bytes, __u32 number) {
    ethernet(frame, number, FRAME_TYPE);
    for (__u32 i = ETH_HEADER; i < bytes; i++)
        frame[i] = pattern(number, i);
}

static __u8 expected(__u32 number, __u32 i) {
    __u8 header[ETH_HEADER];

    if (i >= ETH_HEADER)
        return pattern(number, i);
    ethernet(header, number, FRAME_TYPE);
    return header[i];
}

bool frame_matches(const __u8* frame, __u32 bytes, __u32 number, __u32 wanted_bytes) {
    if (bytes != wanted_bytes) {
        fprintf(stderr, "# frame %u: %u bytes where %u were sent (it says it is %u)\n", number,
                bytes, wanted_bytes,
                bytes < ETH_HEADER
                    ? 0
                    : (__u32)frame[8] << 24 | frame[9] << 16 | frame[10] << 8 | frame[11]);
        return false;
    }
    for (__u32 i = 0; i < bytes; i++) {
        if (frame[i] != expected(number, i)) {
            fprintf(stderr, "# frame %u of %u bytes: byte %u is %#x where %#x was sent\n", number,
                    bytes, i, frame[i], expected(number, i));
            return false;
        }
    }
    return true;
}

/* The internet checksum's sum, not inverted. */
static __u32 sum_up(__u32 sum, const __u8* at, __u32 bytes) {
    for (__u32 i = 0; i < bytes; i += 2)
        sum += at[i] << 8 | (i + 1 < bytes ? at[i + 1] : 0);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static __u32 pseudo_header(const __u8* ip, __u32 tcp_bytes) {
    return sum_up(6 + tcp_bytes, ip + 12, 8);
}

__u32 tcp_frame_make(__u8* frame, __u32 payload, __u32 number, __u16 gso_size,
                     struct virtio_net_hdr* hdr) {
    __u8* ip = frame + ETH_HEADER;
    __u8* tcp = ip + IP_HEADER;

    ethernet(frame, number, 0x0800);
    memset(ip, 0, TCP_FRAME_HEADER - ETH_HEADER);
    ip[0] = 0x45;
    put16(ip + 2, TCP_FRAME_HEADER - ETH_HEADER + payload);
    put16(ip + 4, number);
    ip[8] = 64;
    ip[9] = 6;
    put32(ip + 12, 0xc6336401); /* 198.51.100.1, for documentation */
    put32(ip + 16, 0xc6336402);
    put16(ip + 10, ~sum_up(0, ip, IP_HEADER));
    put16(tcp, 1024);
    put16(tcp + 2, 9);
    tcp[12] = 5 << 4;
    tcp[13] = 0x10; /* ACK */
    put16(tcp + 14, 0xffff);
    put16(tcp + 16, pseudo_header(ip, 20 + payload));
    for (__u32 i = 0; i < payload; i++)
        frame[TCP_FRAME_HEADER + i] = pattern(number, i);

    memset(hdr, 0, sizeof(*hdr));
    hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    hdr->csum_start = ETH_HEADER + IP_HEADER;
    hdr->csum_offset = 16;
    if (gso_size) {
        hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        hdr->gso_size = gso_size;
        hdr->hdr_len = TCP_FRAME_HEADER;
    }
    return TCP_FRAME_HEADER + payload;
}

bool tcp_payload_matches(const __u8* payload, __u32 bytes, __u32 number, __u32 offset) {
    for (__u32 i = 0; i < bytes; i++) {
        if (payload[i] != pattern(number, offset + i)) {
            fprintf(stderr, "# frame %u: byte %u of its payload is %#x where %#x was sent\n",
                    number, offset + i, payload[i], pattern(number, offset + i));
            return false;
        }
    }
    return true;
}

__u16 tcp_frame_sum(const __u8* frame, __u32 bytes) {
    const __u8* ip = frame + ETH_HEADER;
    __u32 tcp_bytes = bytes - ETH_HEADER - IP_HEADER;

    return sum_up(pseudo_header(ip, tcp_bytes), ip + IP_HEADER, tcp_bytes);
}

__u64 random_seed(void) {
    const char* text = getenv("VIREO_SEED");
    __u64 seed = text ? strtoull(text, NULL, 0) : 0;

    return seed ? seed : 1;
}

__u32 random_below(__u64* state, __u32 limit) {
    /* xorshift64 */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return limit ? (*state >> 16) % limit : 0;
}
