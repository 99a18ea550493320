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

/* Waits until the device has given back all buffers of the transmit queue. */
void flow_drain(struct net_driver* net);

#endif /* TRAFFIC_FLOW_H */
