// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translations for a driver behind an IOMMU (VIRTIO_F_ACCESS_PLATFORM).
 *
 * Userspace gives ranges and takes them back by messages (message.c); a queue
 * that misses one asks for it. The table is a cache: when it is full, the
 * oldest range goes, and is asked for again.
 *
 * A queue asks for one translation at a time, since its turn ends there. What
 * is unread is needed: a queue that stops, that goes on without an answer, or
 * that asks for something else takes its question back. The driver may have
 * unmapped the address since, and an IOMMU that looks it up for us would say so
 * in the driver's log.
 *
 * Translations are used under a queue's mutex only. So when a range has left
 * the table, and each queue's mutex was held once since, to empty the queue's
 * own cache, nobody uses it any more.
 */
#include <linux/interval_tree_generic.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "vireo.h"

static unsigned int max_iotlb_entries = 2048;
module_param(max_iotlb_entries, uint, 0444);
MODULE_PARM_DESC(max_iotlb_entries, "Translations that a device keeps (default 2048)");

struct iotlb_entry {
	struct rb_node rb;
	u64 subtree_last;
	struct list_head link;
	struct vireo_range range;
};

static inline u64 entry_start(const struct iotlb_entry *entry)
{
	return entry->range.start;
}

static inline u64 entry_last(const struct iotlb_entry *entry)
{
	return entry->range.start + (entry->range.size - 1);
}

INTERVAL_TREE_DEFINE(struct iotlb_entry, rb, u64, subtree_last, entry_start, entry_last,
		     static inline __maybe_unused, iotlb_tree)

void vireo_iotlb_init(struct vireo_iotlb *tlb)
{
	spin_lock_init(&tlb->lock);
	tlb->on = false;
	tlb->n = 0;
	tlb->tree = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&tlb->entries);
	INIT_LIST_HEAD(&tlb->unread);
	init_waitqueue_head(&tlb->wait);
}

static void entry_remove(struct vireo_iotlb *tlb, struct iotlb_entry *entry)
{
	iotlb_tree_remove(entry, &tlb->tree);
	list_del(&entry->link);
	tlb->n--;
	kfree(entry);
}

static void entries_remove(struct vireo_iotlb *tlb, u64 start, u64 last)
{
	struct iotlb_entry *entry;

	while ((entry = iotlb_tree_iter_first(&tlb->tree, start, last)))
		entry_remove(tlb, entry);
}

/* Take back what was asked for in a range. Was there anything? */
static bool misses_remove(struct vireo_iotlb *tlb, u64 start, u64 last)
{
	struct vireo_miss *m, *next;
	bool any = false;

	list_for_each_entry_safe(m, next, &tlb->unread, link) {
		if (m->iova < start || m->iova > last)
			continue;
		list_del_init(&m->link);
		any = true;
	}
	return any;
}

/**
 * vireo_iotlb_remove() - take all translations in a range away
 * @tlb: table
 * @start: first address
 * @last: last address; what only overlaps the range goes too
 *
 * What was asked for in the range, and not read, was asked about what is no
 * more.
 *
 * Return: has anything been asked for? Whoever did has to look again.
 */
bool vireo_iotlb_remove(struct vireo_iotlb *tlb, u64 start, u64 last)
{
	bool asked;

	spin_lock(&tlb->lock);
	entries_remove(tlb, start, last);
	asked = misses_remove(tlb, start, last);
	spin_unlock(&tlb->lock);
	return asked;
}

/*
 * Add a translation; what overlaps it is out of date. What was asked for there
 * is answered, in the same moment: nobody shall read it any more. 0 or -ENOMEM.
 */
int vireo_iotlb_insert(struct vireo_iotlb *tlb, const struct vireo_range *range)
{
	struct iotlb_entry *entry = kmalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	u64 last = range->start + (range->size - 1);

	if (!entry)
		return -ENOMEM;
	entry->range = *range;
	spin_lock(&tlb->lock);
	entries_remove(tlb, range->start, last);
	misses_remove(tlb, range->start, last);
	if (tlb->n && tlb->n >= max_iotlb_entries)
		entry_remove(tlb, list_first_entry(&tlb->entries, struct iotlb_entry, link));
	iotlb_tree_insert(entry, &tlb->tree);
	list_add_tail(&entry->link, &tlb->entries);
	tlb->n++;
	spin_unlock(&tlb->lock);
	return 0;
}

/* A translation of one address that gives these rights; or NULL. */
static struct iotlb_entry *entry_find(struct vireo_iotlb *tlb, u64 addr, u8 perm)
{
	struct iotlb_entry *entry = iotlb_tree_iter_first(&tlb->tree, addr, addr);

	return entry && !(perm & ~entry->range.perm) ? entry : NULL;
}

/* The translation of one address; false if there is none, or not with these rights. */
bool vireo_iotlb_find(struct vireo_iotlb *tlb, u64 addr, u8 perm, struct vireo_range *range)
{
	struct iotlb_entry *entry;

	spin_lock(&tlb->lock);
	entry = entry_find(tlb, addr, perm);
	if (entry)
		*range = entry->range;
	spin_unlock(&tlb->lock);
	return entry;
}

/**
 * vireo_iotlb_miss() - ask userspace for a translation
 * @q: queue that needs it, mutex held; it gets a turn when one comes
 * @addr: the driver's address
 * @perm: VHOST_ACCESS_ bits
 *
 * If it came since the queue looked, nothing is asked, and the queue gets a
 * turn. A miss that userspace has read and left without an answer is asked
 * again if the queue gets a turn for another reason: the driver may have mapped
 * the address by then.
 */
void vireo_iotlb_miss(struct vireo_queue *q, u64 addr, u8 perm)
{
	struct vireo_iotlb *tlb = &q->dev->iotlb;
	struct vireo_miss *m = &q->miss;
	bool here;

	spin_lock(&tlb->lock);
	here = entry_find(tlb, addr, perm);
	list_del_init(&m->link);
	m->iova = addr;
	m->perm = perm;
	if (!here && tlb->on)
		list_add_tail(&m->link, &tlb->unread);
	spin_unlock(&tlb->lock);
	if (here) {
		vireo_queue_again(q);
		return;
	}
	q->waiting = true;
	q->stats.iotlb_misses++;
	wake_up_interruptible_poll(&tlb->wait, EPOLLIN | EPOLLRDNORM);
}

/* What a queue asked for, if nobody has read it yet, is needed no more. */
void vireo_iotlb_unask(struct vireo_queue *q)
{
	struct vireo_iotlb *tlb = &q->dev->iotlb;

	spin_lock(&tlb->lock);
	list_del_init(&q->miss.link);
	spin_unlock(&tlb->lock);
}

/* The oldest miss; false: there is none. One answer is for all who asked the same. */
static bool miss_take(struct vireo_iotlb *tlb, struct vhost_iotlb_msg *msg)
{
	struct vireo_miss *first, *m, *next;

	spin_lock(&tlb->lock);
	first = list_first_entry_or_null(&tlb->unread, struct vireo_miss, link);
	if (first) {
		msg->iova = first->iova;
		msg->perm = first->perm;
		list_for_each_entry_safe(m, next, &tlb->unread, link)
			if (m->iova == msg->iova && m->perm == msg->perm)
				list_del_init(&m->link);
	}
	spin_unlock(&tlb->lock);
	return first;
}

/*
 * With and without VIRTIO_F_ACCESS_PLATFORM. The table begins empty each time,
 * with nothing asked for: what an earlier driver was told is nothing to a later
 * one. Readers that sleep look again.
 */
void vireo_iotlb_enable(struct vireo_iotlb *tlb, bool on)
{
	spin_lock(&tlb->lock);
	tlb->on = on;
	entries_remove(tlb, 0, U64_MAX);
	misses_remove(tlb, 0, U64_MAX);
	spin_unlock(&tlb->lock);
	wake_up_interruptible_poll(&tlb->wait, EPOLLIN | EPOLLRDNORM);
}

static bool iotlb_on(struct vireo_iotlb *tlb)
{
	bool on;

	spin_lock(&tlb->lock);
	on = tlb->on;
	spin_unlock(&tlb->lock);
	return on;
}

/*
 * A miss in the form that userspace wants: both have it at the same place.
 * Bytes, or -EFAULT.
 */
static ssize_t miss_copy(struct vireo_dev *dev, const struct vhost_iotlb_msg *miss,
			 struct iov_iter *to)
{
	bool v2 = READ_ONCE(dev->backend_features) & VIREO_FEATURE(VHOST_BACKEND_F_IOTLB_MSG_V2);
	struct vhost_msg_v2 msg;

	static_assert(sizeof(struct vhost_msg) == sizeof(struct vhost_msg_v2));
	static_assert(offsetof(struct vhost_msg, iotlb) == offsetof(struct vhost_msg_v2, iotlb));
	/* What is between the fields goes to userspace too. */
	memset(&msg, 0, sizeof(msg));
	msg.type = v2 ? VHOST_IOTLB_MSG_V2 : VHOST_IOTLB_MSG;
	msg.iotlb.iova = miss->iova;
	msg.iotlb.perm = miss->perm;
	msg.iotlb.type = VHOST_IOTLB_MISS;
	return copy_to_iter(&msg, sizeof(msg), to) == sizeof(msg) ? sizeof(msg) : -EFAULT;
}

/**
 * vireo_dev_read_iter() - userspace reads what translations are asked for
 * @dev: device
 * @to: room for one message; less gives 0
 * @nonblock: do not wait
 *
 * Return: bytes of one message; -EAGAIN: none, with @nonblock; -EBADFD: none
 * will come, the feature is off; -EFAULT: it will be asked again; -ERESTARTSYS.
 */
ssize_t vireo_dev_read_iter(struct vireo_dev *dev, struct iov_iter *to, bool nonblock)
{
	struct vireo_iotlb *tlb = &dev->iotlb;
	struct vhost_iotlb_msg miss;
	bool taken;
	ssize_t ret;

	if (iov_iter_count(to) < sizeof(struct vhost_msg))
		return 0;
	taken = miss_take(tlb, &miss);
	if (!taken && nonblock)
		return -EAGAIN;
	if (!taken) {
		ret = wait_event_interruptible(tlb->wait,
					       (taken = miss_take(tlb, &miss)) || !iotlb_on(tlb));
		if (ret)
			return ret;
		if (!taken)
			return -EBADFD;
	}
	ret = miss_copy(dev, &miss, to);
	/* Whoever asked asks again, if it needs it still. */
	if (ret < 0)
		vireo_queues_go_on(dev);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vireo_dev_read_iter, VIREO);

/* poll(): a miss can be read; messages can always be written. */
__poll_t vireo_dev_poll(struct vireo_dev *dev, struct file *file, poll_table *wait)
{
	struct vireo_iotlb *tlb = &dev->iotlb;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &tlb->wait, wait);
	spin_lock(&tlb->lock);
	if (!list_empty(&tlb->unread))
		mask |= EPOLLIN | EPOLLRDNORM;
	spin_unlock(&tlb->lock);
	return mask;
}
EXPORT_SYMBOL_NS_GPL(vireo_dev_poll, VIREO);
