/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests at random on a part of a disk, by one queue, of which each sector
 * is known: what was written is read again, whatever lies in between. No two
 * requests in flight touch the same sector, unless both read it.
 */
#ifndef BLK_LOAD_H
#define BLK_LOAD_H

#include <pthread.h>

#include "blk_driver.h"
#include "disks.h"

/* Operations, as bits; LOAD_USUAL are those that every disk does. */
#define LOAD_READ 1U
#define LOAD_WRITE 2U
#define LOAD_FLUSH 4U
#define LOAD_DISCARD 8U
#define LOAD_ZERO 16U
#define LOAD_USUAL (LOAD_READ | LOAD_WRITE | LOAD_FLUSH)

struct blk_load {
    struct blk* blk;
    u32 queue;
    u64 first; /* the sectors that are its own */
    u32 sectors;
    u32 operations; /* LOAD_...; 0: LOAD_USUAL */
    u32 depth;      /* requests in flight; 0: 32 */
    u32 most;       /* sectors of a request; 0: 16 */
    u32 unit;       /* sectors of a logical block; 0: 1 */
    u64 seed;
    bool errors; /* requests may fail; what they wrote is not known then */

    /* What came of it */
    u64 done;
    u64 failed;
    u64 by_type[32];

    /* Private from here on */
    u32* state; /* of each sector: what was written last, or LOAD_UNKNOWN */
    u16* users; /* requests in flight; LOAD_WRITER: one that writes */
    u32 generation;
    u32 in_flight;
    pthread_t thread;
    bool finish;
    bool lost; /* nothing comes back any more */
};

/* A sector of this generation: 0: zeroes. */
void load_sector(u8* to, u64 sector, u32 generation);
bool load_sector_is(const u8* data, u64 sector, u32 generation);

/* Fills in the defaults. The sectors hold zeroes, or what @known says: false: nobody knows. */
void load_init(struct blk_load* load, struct blk* blk, u32 queue, u64 first, u32 sectors,
               bool known);
void load_free(struct blk_load* load);

/* So many requests, and all of them have come back when it returns. */
void load_run(struct blk_load* load, u32 count);

/* Goes on in a thread. */
void load_start(struct blk_load* load);
/* Until so many more have come back. */
void load_wait(struct blk_load* load, u32 count);
/* Waits for what is in flight. */
void load_stop(struct blk_load* load);

/* Makes requests available until the depth is reached, and does not wait: what is under way stays.
 */
void load_leave(struct blk_load* load);
/* Takes back what was left. */
void load_drain(struct blk_load* load);

/* All sectors that are known, as the disk has them. */
void load_verify(const struct blk_load* load, const struct disk* disk);

/* A disk of the host with a device on it. */
struct blk_live {
    struct blk blk;
    struct disk* disk;
};

/* Skips the test if the device does not offer the features. Opens the disk unless it is open. */
void blk_live_open(struct blk_live* live, struct disk* disk, const struct blk_options* options);
void blk_live_close(struct blk_live* live);
/* Some requests on each queue, of the disk's first sectors: is it well? */
void blk_live_check(struct blk_live* live);

/* One request that is answered like that. */
#define expect_answer(...) expect_answer_at(__FILE__, __LINE__, __VA_ARGS__)
bool expect_answer_at(const char* file, int line, struct blk_queue* queue, u32 type, u64 sector,
                      const void* out, u32 out_bytes, void* in, u32 in_bytes,
                      const struct blk_shape* shape, u8 status);

#endif /* BLK_LOAD_H */
