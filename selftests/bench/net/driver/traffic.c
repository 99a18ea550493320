// SPDX-License-Identifier: GPL-2.0-only
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "error.h"

#define PAGE 4096U
#define SMALL_BUFFER 2048U /* takes a frame that is no jumbo frame, with its header */
#define LARGE_FRAME                                                                              \
    2000U                 /* from here on in pages, and by an indirect table if it takes several \
                           */
#define SEGMENT_SIZE 1448 /* payload of a TCP segment on an ethernet with timestamps */

static unsigned int stride(const struct options* options) {
    unsigned int whole = (VNET_HDR + options->size + PAGE - 1) / PAGE * PAGE;

    if (options->size < LARGE_FRAME)
        return SMALL_BUFFER;
    return options->receive && options->mergeable ? PAGE : whole;
}

static u16 checksum(const void* data, size_t bytes) {
    const u8* at = data;
    u32 sum = 0;

    for (size_t i = 0; i < bytes; i += 2)
        sum += at[i] << 8 | at[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons(~sum);
}

/* UDP from one host to another; a frame larger than the wire takes is TCP, for the device to cut.
 */
static void write_frame(u8* at, unsigned int size) {
    struct virtio_net_hdr_v1* header = (void*)at;
    struct ether_header* ethernet = (void*)(at + VNET_HDR);
    struct iphdr* ip = (void*)(ethernet + 1);
    bool tcp = size >= LARGE_FRAME;

    memset(at, 0, VNET_HDR);
    memcpy(ethernet->ether_dhost, "\x02\0\0\0\0\x02", ETH_ALEN);
    memcpy(ethernet->ether_shost, "\x02\0\0\0\0\x01", ETH_ALEN);
    ethernet->ether_type = htons(ETHERTYPE_IP);
    *ip = (struct iphdr){
        .version = 4,
        .ihl = 5,
        .tot_len = htons(size - ETH_HLEN),
        .ttl = 64,
        .protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
        .saddr = htonl(0xc0000201), /* 192.0.2.1 */
        .daddr = htonl(0xc0000202),
    };
    ip->check = checksum(ip, sizeof(*ip));
    if (tcp) {
        struct tcphdr* to = (void*)(ip + 1);

        *to = (struct tcphdr){.source = htons(9), .dest = htons(9), .doff = 5, .ack = 1};
        *header = (struct virtio_net_hdr_v1){
            .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
            .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
            .hdr_len = ETH_HLEN + sizeof(*ip) + sizeof(*to),
            .gso_size = SEGMENT_SIZE,
            .csum_start = ETH_HLEN + sizeof(*ip),
            .csum_offset = offsetof(struct tcphdr, check),
        };
    } else {
        struct udphdr* to = (void*)(ip + 1);

        *to = (struct udphdr){
            .source = htons(9), .dest = htons(9), .len = htons(size - ETH_HLEN - sizeof(*ip))};
    }
}

static void make_buffer(struct traffic* traffic, struct buffer* buffer, u8* at) {
    const struct options* options = traffic->options;
    unsigned int bytes = options->receive ? stride(options) : VNET_HDR + options->size;
    unsigned int unit = options->size < LARGE_FRAME ? SMALL_BUFFER : PAGE;

    if (!options->receive)
        write_frame(at, options->size);
    for (buffer->count = 0; bytes; buffer->count++) {
        unsigned int part = bytes < unit ? bytes : unit;

        buffer->segs[buffer->count] =
            (struct vq_seg){.addr = guest_addr(&traffic->mem, at), .len = part};
        at += part;
        bytes -= part;
    }
}

static u64 wanted_features(const struct options* options) {
    u64 features = F_VERSION_1 | F_INDIRECT_DESC;

    if (options->packed)
        features |= F_RING_PACKED;
    if (options->event_idx)
        features |= F_EVENT_IDX;
    if (options->mergeable)
        features |= F_NET_MRG_RXBUF;
    return features;
}

int traffic_init(struct traffic* traffic, const struct options* options) {
    struct fd_setup setup = {.num = options->num, .table_max = SEGMENTS_MAX};
    unsigned int num = options->num;
    size_t rings;
    int ret;

    *traffic = (struct traffic){.options = options, .features = wanted_features(options)};
    traffic->heads = 1;
    if (options->receive && options->mergeable)
        traffic->heads = (VNET_HDR + options->size + stride(options) - 1) / stride(options);
    setup.features = traffic->features;
    rings = fd_arena_bytes(&setup);
    ret = guest_mem_map(&traffic->mem, rings + (size_t)num * stride(options));
    if (ret)
        return ret;
    traffic->private = calloc(num, sizeof(*traffic->private));
    traffic->buffers = calloc(num, sizeof(*traffic->buffers));
    traffic->idle = calloc(num, sizeof(struct buffer*));
    if (!traffic->private || !traffic->buffers || !traffic->idle) {
        traffic_free(traffic);
        return failed(-ENOMEM, "allocate %u buffers", num);
    }
    setup.arena = traffic->mem.base;
    setup.arena_device = (unsigned long)traffic->mem.base;
    setup.arena_bytes = rings;
    setup.bufs = traffic->private;
    ret = fd_init(&traffic->driver, &setup);
    if (ret) {
        traffic_free(traffic);
        return failed(ret, "set up the rings of a driver");
    }
    for (unsigned int i = 0; i < num; i++) {
        make_buffer(traffic, &traffic->buffers[i],
                    traffic->mem.base + rings + (size_t)i * stride(options));
        traffic->idle[i] = &traffic->buffers[num - 1 - i];
    }
    traffic->idle_count = num;
    return 0;
}

void traffic_free(struct traffic* traffic) {
    free(traffic->private);
    free(traffic->buffers);
    free(traffic->idle);
    guest_mem_unmap(&traffic->mem);
}

unsigned int traffic_give(struct traffic* traffic, unsigned int most, bool* kick) {
    bool receive = traffic->options->receive;
    unsigned int given = 0;

    while (given < most && traffic->idle_count) {
        struct buffer* buffer = traffic->idle[traffic->idle_count - 1];
        enum fd_shape shape = buffer->count > 1 ? FD_INDIRECT : FD_DIRECT;

        if (fd_add(&traffic->driver, buffer->segs, receive ? 0 : buffer->count,
                   receive ? buffer->count : 0, shape, buffer) < 0)
            break;
        traffic->idle_count--;
        given++;
    }
    *kick = given && fd_show(&traffic->driver);
    return given;
}

int traffic_take(struct traffic* traffic) {
    struct fd_used used;
    int taken = 0;
    int ret;

    while ((ret = fd_reap(&traffic->driver, &used)) > 0) {
        traffic->idle[traffic->idle_count++] = used.token;
        traffic->bytes_back += used.len;
        taken++;
    }
    if (ret < 0)
        return failed(ret, "take a buffer back (%s)", traffic->driver.error);
    traffic->heads_back += taken;
    return taken;
}

bool traffic_want_call(struct traffic* traffic) {
    /* As drivers do: for what came in at once, for what went out when most of it is gone. */
    u16 behind = traffic->options->receive ? 0 : traffic->driver.in_flight * 3 / 4;

    return behind ? fd_enable_call_after(&traffic->driver, behind)
                  : fd_enable_call(&traffic->driver);
}

void traffic_want_no_call(struct traffic* traffic) {
    fd_disable_call(&traffic->driver);
}

u64 traffic_frames(const struct traffic* traffic) {
    return traffic->heads_back / traffic->heads;
}
