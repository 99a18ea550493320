// SPDX-License-Identifier: GPL-2.0-only
/* The talk about translations: an IOMMU that answers, most of the time rightly. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

/* As long as one round, a device is not asked more than this at once. */
#define MOST_ANSWERS 16

static int send_message(struct actor* actor, struct fuzz_device* dev,
                        const struct vhost_iotlb_msg* iotlb) {
    struct report* report = actor->world->report;
    struct vhost_msg_v2 v2 = {.type = VHOST_IOTLB_MSG_V2, .iotlb = *iotlb};
    struct vhost_msg v1 = {.type = VHOST_IOTLB_MSG, .iotlb = *iotlb};
    bool new = percent(actor, 50);
    u64 number =
        note(actor, "write iova %#llx size %#llx type %u", iotlb->iova, iotlb->size, iotlb->type);
    size_t bytes = new ? sizeof(v2) : sizeof(v1);
    ssize_t done;

    if (percent(actor, 2))
        bytes = below(actor, bytes);
    done = write(dev->fd, new ? (void*)&v2 : (void*)&v1, bytes);
    note_result(report, number, done < 0 ? -errno : (int)done);
    count_up(report->calls[C_WRITE][done < 0 ? errno % ERRNOS : 0], 1);
    return done < 0 ? -errno : 0;
}

/* From a guest address on, a page or many. */
static void answer(struct actor* actor, struct fuzz_device* dev, u64 iova, u8 perm) {
    u64 page = iova & ~(u64)(PAGE - 1);
    struct vhost_iotlb_msg msg = {.type = VHOST_IOTLB_UPDATE, .perm = VHOST_ACCESS_RW};

    if (percent(actor, 5) || page < FD_GUEST_BASE || page - FD_GUEST_BASE >= GUEST_BYTES)
        return;
    msg.iova = page;
    msg.size = PAGE << below(actor, 9);
    if (msg.size > FD_GUEST_BASE + GUEST_BYTES - page)
        msg.size = FD_GUEST_BASE + GUEST_BYTES - page;
    msg.uaddr = (unsigned long)actor->world->device + (page - FD_GUEST_BASE);
    if (percent(actor, 5))
        msg.perm = perm;
    if (percent(actor, 2))
        msg.uaddr += PAGE * below(actor, 16);
    if (percent(actor, 2))
        msg.uaddr = random64(actor) >> below(actor, 32);
    if (!send_message(actor, dev, &msg))
        count_up(actor->world->report->answered, 1);
}

/* What a read gave, in either form. */
static bool parse(const void* message, ssize_t bytes, struct vhost_iotlb_msg* iotlb) {
    const struct vhost_msg* v1 = message;
    const struct vhost_msg_v2* v2 = message;

    if (bytes < (ssize_t)sizeof(*v2))
        return false;
    *iotlb = v1->type == VHOST_IOTLB_MSG ? v1->iotlb : v2->iotlb;
    return true;
}

void messages_answer(struct actor* actor, struct fuzz_device* dev) {
    struct report* report = actor->world->report;
    struct pollfd wait = {.fd = dev->fd, .events = POLLIN};
    struct vhost_iotlb_msg iotlb;
    u8 message[256];

    for (u32 i = 0; i < MOST_ANSWERS; i++) {
        ssize_t done;

        count_up(report->calls[C_POLL][0], 1);
        if (dev->fd < 0 || poll(&wait, 1, 0) != 1 || !(wait.revents & POLLIN))
            return;
        done = read(dev->fd, message, percent(actor, 98) ? sizeof(message) : below(actor, 100));
        count_up(report->calls[C_READ][done < 0 ? errno % ERRNOS : 0], 1);
        if (parse(message, done, &iotlb))
            answer(actor, dev, iotlb.iova, iotlb.perm);
    }
}

/* One that nobody asked for. */
void messages_random(struct actor* actor, struct fuzz_device* dev) {
    static const u8 types[] = {VHOST_IOTLB_UPDATE,
                               VHOST_IOTLB_INVALIDATE,
                               VHOST_IOTLB_INVALIDATE,
                               VHOST_IOTLB_MISS,
                               VHOST_IOTLB_ACCESS_FAIL,
                               0,
                               255};
    struct vhost_iotlb_msg msg = {
        .iova = FD_GUEST_BASE + (u64)below(actor, GUEST_BYTES),
        .size = below(actor, 1U << below(actor, 24)),
        .perm = below(actor, 5),
        .type = ONE_OF(actor, types),
    };

    msg.uaddr = (unsigned long)actor->world->device + (msg.iova - FD_GUEST_BASE);
    switch (below(actor, 8)) {
        case 0:
            msg.iova = random64(actor) << below(actor, 32);
            break;
        case 1:
            msg.size = percent(actor, 30) ? 0 : ~0ULL >> below(actor, 32);
            break;
        case 2:
            msg.uaddr = random64(actor) >> below(actor, 32);
            break;
        case 3:
            msg.iova = 0;
            msg.size = ~0ULL;
            break;
    }
    send_message(actor, dev, &msg);
}
