/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic that goes on by itself, in a thread, both ways through a device,
 * while a test changes what the device stands on. Each frame is numbered and
 * compared: none lost, none doubled, none changed, and in order.
 *
 * The thread is guest and outside world in one. The guest is driven by calls
 * alone: it does not look at a ring again before it is called, so a call that
 * gets lost ends the test, as a lost kick does.
 */
#ifndef STREAM_H
#define STREAM_H

#include <pthread.h>

#include "net_driver.h"

#define STREAM_TAPS 2

struct stream {
    struct net_driver* net;
    struct tap* taps[STREAM_TAPS]; /* where the backend may be; the second may be NULL */
    u32 rx_buffer;                 /* bytes */

    /* Private from here on */
    pthread_t thread;
    pthread_mutex_t guest; /* the guest's processor: who holds it stops the guest */
    int wake;              /* eventfd: look at the eventfds anew */
    bool finish;
    bool done;
    unsigned char* seen; /* frames that came out, by number */
    u32 sent;
    u32 came_out;
    u32 last_out[STREAM_TAPS];
    u32 sent_in[STREAM_TAPS];
    u32 received[STREAM_TAPS];
};

/* Fills in the defaults and starts; the backend is set already. */
void stream_start(struct stream* stream, struct net_driver* net, struct tap* tap,
                  struct tap* other);
/* Lets all frames that are under way arrive, and checks that none is missing. */
void stream_finish(struct stream* stream);

/*
 * The same in steps, for streams over two taps: no more frames are sent, then
 * all that wait in one tap arrive, for which it has to be the backend.
 */
void stream_end_sending(struct stream* stream);
void stream_drain(struct stream* stream, u32 tap);

/* Until so many more frames went through each way. */
void stream_run(struct stream* stream, u32 frames);

/*
 * The guest does nothing between these two; the outside goes on. In between
 * eventfds may be changed, but the old ones must stay open until the end.
 */
void stream_stop_guest(struct stream* stream);
void stream_let_guest(struct stream* stream);

#endif /* STREAM_H */
