/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbered frames through a device, each compared on the other side: none
 * lost, none twice, in order, no byte changed. What differs fails the test.
 */
#ifndef TRAFFIC_FLOW_H
#define TRAFFIC_FLOW_H

#include "net_driver.h"

struct flow {
    struct net_driver* net;
    struct tap* tap;
    /* Frame n has sizes[n % size_count] bytes and is cut, or its buffers are, like shapes[...]. */
    const __u32* sizes;
    __u32 size_count;
    const struct net_shape* shapes;
    __u32 shape_count;
    __u32 count;     /* of frames */
    __u32 rx_buffer; /* bytes, header included */
    __u32
        rx_window; /* frames under way to the driver, at most: what the tap's queue holds; 0: 256 */
};

/* From the driver to the tap's other end. */
void flow_transmit(const struct flow* flow);
/* The other way. */
void flow_receive(const struct flow* flow);

/* A live device and a tap, and a flow of a few hundred usual frames through it. */
struct live {
    struct net_driver net;
    struct tap tap;
    struct flow flow;
};

/* Skips the test if the device does not offer the features. */
void live_open(struct live* live, __u64 features);
/* The same with all options but the features' header, which is the tap's. */
void live_open_with(struct live* live, const struct net_options* options,
                    const struct tap_options* tap_options);
void live_close(struct live* live);
/* Some frames each way: is it well? */
void live_check(struct live* live);

/* Waits until the device has given back all buffers of the transmit queue. */
void flow_drain(struct net_driver* net);

#endif /* TRAFFIC_FLOW_H */
