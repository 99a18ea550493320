/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver behind an IOMMU (VIRTIO_F_ACCESS_PLATFORM), and the IOMMU: every
 * address that the driver gives, rings included, is one that the owner
 * translates when it is asked.
 *
 * The owner gives each page by itself, with no more rights than needed, and
 * keeps pages that are neighbours for the driver apart in its own memory. A
 * translation that was taken back is not used any more: behind it there is
 * nothing. What goes wrong fails the test.
 */
#ifndef IOMMU_H
#define IOMMU_H

#include <pthread.h>

#include "iotlb_msg.h"
#include "stream.h"
#include "tap.h"

#define IOMMU_PAGE 4096UL
#define IOMMU_NUM 64 /* a ring whose parts are smaller than a page */
#define IOMMU_SPLIT \
    (F_ACCESS_PLATFORM | F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX | F_INDIRECT_DESC)
#define IOMMU_PACKED (IOMMU_SPLIT | F_RING_PACKED)

/* How questions are read. */
enum reading { BLOCKING, NOT_BLOCKING };

/* Driver's memory as a file, and the owner's mappings of its pages. */
struct iommu {
    struct iotlb_talk talk;
    struct net_driver* net;
    int file;
    u32 pages;
    u8* places;           /* two for each page, in no order */
    u8* place;            /* of the two, which */
    u8* rights;           /* VHOST_ACCESS_ of a page */
    pthread_mutex_t lock; /* a translation changes here and in the device at once */
    pthread_t thread;
    enum reading reading;
    bool end;
    u32 misses;
};

/* The owner's address of a page of the driver's memory. */
u8* iommu_place(const struct iommu* iommu, u32 page);
/* Tells the device of a page: 0 or -errno. With the lock, if another thread may. */
int iommu_give(struct iommu* iommu, u32 page);
/* Gives the page that was asked for. */
void iommu_answer(struct iommu* iommu, const struct vhost_iotlb_msg* miss);
/* Another place for a page, and nothing at the old one. */
void iommu_move(struct iommu* iommu, u32 page);
/* A thread that reads and answers. */
void iommu_start(struct iommu* iommu);
void iommu_end(struct iommu* iommu);

/* A device, a tap, an IOMMU that answers by itself, and a stream of frames. */
struct iommu_world {
    struct net_driver net;
    struct tap tap;
    struct iommu iommu;
    struct stream stream;
};

struct iommu_setting {
    u64 features;
    bool v2; /* form of the messages */
    enum reading reading;
    u32 num; /* size of the rings */
};

/* Without a backend, and without answers; skips the test if the device lacks a feature. */
void iommu_world_open(struct iommu_world* world, const struct iommu_setting* setting);
/* Answers, the backend, and the stream. */
void iommu_world_start(struct iommu_world* world);
/* Ends all of it: nothing was lost. */
void iommu_world_finish(struct iommu_world* world);

#endif /* IOMMU_H */
