// SPDX-License-Identifier: GPL-2.0-only
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "frames.h"
#include "tap_output.h"

#define MOST_FRAMES (1U << 22)
#define WINDOW 200 /* frames under way from each tap: fewer than it holds */

static const u32 sizes[] = {60, 1514, 700, 200};
static const struct net_shape shapes[] = {{.lens = {0}}, {.lens = {12, 300}}};

/* Of the thread */
static u8 frame[FRAME_MAX];

static u32 size_of_frame(u32 number) {
    return sizes[number / STREAM_TAPS % COUNT(sizes)];
}

static u32 number_of_frame(ssize_t bytes) {
    require(bytes >= FRAME_MIN, "a frame of %zd bytes came out", bytes);
    return (u32)frame[8] << 24 | frame[9] << 16 | frame[10] << 8 | frame[11];
}

static u32 load(const u32* value) {
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static void count_one(u32* value) {
    __atomic_store_n(value, *value + 1, __ATOMIC_RELAXED);
}

/* Outside */

/* Frames from tap t are numbered t, t + STREAM_TAPS, ... */
static void send_in(struct stream* stream, u32 t) {
    while (!stream->finish && stream->sent_in[t] < stream->received[t] + WINDOW) {
        u32 number = stream->sent_in[t] * STREAM_TAPS + t;
        u32 bytes = size_of_frame(number);

        frame_make(frame, bytes, number);
        require_ok(tap_send(stream->taps[t], NULL, frame, bytes));
        count_one(&stream->sent_in[t]);
    }
}

/* Behind one tap frames are in order; all taps together have all of them. */
static void take_out(struct stream* stream, u32 t) {
    ssize_t got;

    while ((got = tap_receive(stream->taps[t], NULL, frame, sizeof(frame))) >= 0) {
        u32 number = number_of_frame(got);

        require(number < load(&stream->sent), "frame %u came out, %u were sent", number,
                stream->sent);
        require(!stream->seen[number], "frame %u came out twice", number);
        require(number + 1 > stream->last_out[t], "frame %u came out behind %u", number,
                stream->last_out[t] - 1);
        require(stream->taps[1] || number == stream->came_out, "frame %u came out, %u is missing",
                number, stream->came_out);
        require(frame_matches(frame, got, number, size_of_frame(number)), "frame %u went wrong",
                number);
        stream->seen[number] = 1;
        stream->last_out[t] = number + 1;
        count_one(&stream->came_out);
    }
    require(got == -EAGAIN, "receive from the guest: error %zd", got);
}

/* Guest */

static bool guest_sends(struct stream* stream) {
    struct net_driver* net = stream->net;
    u32 before = stream->sent;
    int back = net_reap_sent(net);

    require(back >= 0, "the device broke the transmit ring");
    require(stream->sent < MOST_FRAMES - 65536, "the test takes too many frames");
    while (!stream->finish) {
        u32 bytes = size_of_frame(stream->sent);
        int ret;

        frame_make(frame, bytes, stream->sent);
        ret = net_send(net, NULL, frame, bytes, &shapes[stream->sent % COUNT(shapes)]);
        if (ret == -ENOSPC)
            break;
        require(!ret, "frame %u could not be staged", stream->sent);
        count_one(&stream->sent);
    }
    net_show(&net->queue[NET_TX]);
    return back || stream->sent != before;
}

static bool guest_receives(struct stream* stream) {
    struct net_driver* net = stream->net;
    struct net_packet packet;
    bool any = false;
    int ret;

    while ((ret = net_receive(net, &packet, frame, sizeof(frame))) == 1) {
        u32 number = number_of_frame(packet.bytes);
        u32 t = number % STREAM_TAPS;

        require(number == stream->received[t] * STREAM_TAPS + t,
                "frame %u arrived in the guest, %u is missing", number,
                stream->received[t] * STREAM_TAPS + t);
        require(frame_matches(frame, packet.bytes, number, size_of_frame(number)),
                "frame %u to the guest went wrong", number);
        count_one(&stream->received[t]);
        any = true;
    }
    require(!ret, "receive in the guest: error %d", ret);
    net_fill(net, net->queue[NET_RX].nfree, stream->rx_buffer, NULL);
    net_show(&net->queue[NET_RX]);
    return any;
}

/* The thread */

static bool all_through(const struct stream* stream) {
    bool all = stream->finish && stream->sent == stream->came_out &&
               !stream->net->queue[NET_TX].driver.in_flight;

    for (u32 t = 0; t < STREAM_TAPS; t++)
        all = all && stream->sent_in[t] == stream->received[t];
    return all;
}

static bool outside_step(struct stream* stream) {
    u32 out = stream->came_out;
    u32 in = stream->sent_in[0] + stream->sent_in[1];

    for (u32 t = 0; t < STREAM_TAPS && stream->taps[t]; t++) {
        send_in(stream, t);
        take_out(stream, t);
    }
    return stream->came_out != out || stream->sent_in[0] + stream->sent_in[1] != in;
}

/* Does the guest sleep? Then it wants to be called. With the guest's processor. */
static bool falls_asleep(struct stream* stream) {
    bool more = false;

    for (u32 i = 0; i < NET_QUEUES; i++)
        more |= fd_enable_call(&stream->net->queue[i].driver);
    return !more;
}

/* Until there is something to do outside, or the guest is called. */
static void sleep_until_called(struct stream* stream, bool* called) {
    struct pollfd waits[2 + STREAM_TAPS + NET_QUEUES] = {{.fd = stream->wake, .events = POLLIN}};
    u32 n = 1;

    for (u32 t = 0; t < STREAM_TAPS && stream->taps[t]; t++)
        waits[n++] = (struct pollfd){.fd = stream->taps[t]->raw, .events = POLLIN};
    pthread_mutex_lock(&stream->guest);
    for (u32 i = 0; i < NET_QUEUES; i++)
        waits[n++] = (struct pollfd){.fd = stream->net->queue[i].vhost.call, .events = POLLIN};
    pthread_mutex_unlock(&stream->guest);
    require(poll(waits, n, WAIT_MS) > 0 || stream->finish,
            "nothing moves: %u frames sent, %u came out; %u and %u sent in, %u and %u received",
            stream->sent, stream->came_out, stream->sent_in[0], stream->sent_in[1],
            stream->received[0], stream->received[1]);
    event_take(stream->wake);
    for (u32 i = n - NET_QUEUES; i < n; i++) {
        if (waits[i].revents && event_take(waits[i].fd))
            *called = true;
    }
}

/* One direction: how many frames arrived, and when the last did. */
struct watch {
    u32 arrived;
    unsigned long long when;
};

static void keep_watch(struct watch* watch, u32 sent, u32 arrived, const char* where) {
    if (arrived != watch->arrived || sent == arrived) {
        watch->arrived = arrived;
        watch->when = now_ms();
    }
    require(now_ms() < watch->when + WAIT_MS, "%u frames sent %s, and only %u arrive", sent, where,
            arrived);
}

static void* stream_thread(void* arg) {
    struct stream* stream = arg;
    struct watch out = {.when = now_ms()};
    struct watch in = {.when = now_ms()};
    bool called = true; /* the guest runs until it falls asleep */

    while (!all_through(stream)) {
        bool moved = outside_step(stream);
        bool stopped = pthread_mutex_trylock(&stream->guest);

        if (!stopped) {
            if (called) {
                moved |= guest_sends(stream) | guest_receives(stream);
                called = !falls_asleep(stream);
                moved |= called;
            }
            pthread_mutex_unlock(&stream->guest);
        }
        keep_watch(&out, stream->sent, stream->came_out, "out");
        keep_watch(&in, stream->sent_in[0] + stream->sent_in[1],
                   stream->received[0] + stream->received[1], "in");
        if (stopped)
            usleep(100);
        else if (!moved)
            sleep_until_called(stream, &called);
    }
    __atomic_store_n(&stream->done, true, __ATOMIC_RELEASE);
    return NULL;
}

void stream_start(struct stream* stream, struct net_driver* net, struct tap* tap,
                  struct tap* other) {
    memset(stream, 0, sizeof(*stream));
    stream->net = net;
    stream->taps[0] = tap;
    stream->taps[1] = other;
    stream->rx_buffer = net->features & F_NET_MRG_RXBUF ? 500 : 1600;
    stream->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    stream->seen = calloc(MOST_FRAMES, 1);
    pthread_mutex_init(&stream->guest, NULL);
    require(stream->wake >= 0 && stream->seen, "an eventfd and memory");
    require(!pthread_create(&stream->thread, NULL, stream_thread, stream), "a thread");
}

static bool stream_done(void* arg) {
    const struct stream* stream = arg;

    return __atomic_load_n(&stream->done, __ATOMIC_ACQUIRE);
}

void stream_end_sending(struct stream* stream) {
    __atomic_store_n(&stream->finish, true, __ATOMIC_RELEASE);
    event_signal(stream->wake);
}

struct drain {
    const struct stream* stream;
    u32 tap;
};

static bool drained(void* arg) {
    const struct drain* drain = arg;

    return load(&drain->stream->received[drain->tap]) == load(&drain->stream->sent_in[drain->tap]);
}

void stream_drain(struct stream* stream, u32 tap) {
    struct drain drain = {.stream = stream, .tap = tap};

    check(wait_until(drained, &drain), "tap %u: %u frames sent in, %u received", tap,
          stream->sent_in[tap], stream->received[tap]);
}

void stream_finish(struct stream* stream) {
    stream_end_sending(stream);
    require(wait_until(stream_done, stream),
            "%u frames sent, %u came out; %u and %u sent in, %u and %u received", stream->sent,
            stream->came_out, stream->sent_in[0], stream->sent_in[1], stream->received[0],
            stream->received[1]);
    pthread_join(stream->thread, NULL);
    close(stream->wake);
    free(stream->seen);
    say("%u frames out, %u in", stream->came_out, stream->received[0] + stream->received[1]);
}

struct progress {
    const struct stream* stream;
    u32 out;
    u32 in;
    u32 frames;
};

static u32 all_received(const struct stream* stream) {
    return load(&stream->received[0]) + load(&stream->received[1]);
}

static bool gone_on(void* arg) {
    const struct progress* from = arg;

    return load(&from->stream->came_out) - from->out >= from->frames &&
           all_received(from->stream) - from->in >= from->frames;
}

void stream_run(struct stream* stream, u32 frames) {
    struct progress now = {.stream = stream,
                           .out = load(&stream->came_out),
                           .in = all_received(stream),
                           .frames = frames};

    /* When nothing moves any more, the thread says so. */
    while (!wait_until(gone_on, &now))
        continue;
}

void stream_stop_guest(struct stream* stream) {
    pthread_mutex_lock(&stream->guest);
}

void stream_let_guest(struct stream* stream) {
    pthread_mutex_unlock(&stream->guest);
    event_signal(stream->wake);
}
