// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translations for a driver behind an IOMMU (VIRTIO_F_ACCESS_PLATFORM).
 *
 * Userspace gives ranges and takes them back by messages (message.c); a queue
 * that misses one asks for it. The table is a cache: when it is full, the
 * oldest range goes, and is asked for again.
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

/* Misses that wait for userspace; more than this many are asked for later. */
#define MAX_MISSES 64

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

struct iotlb_message {
	struct list_head link;
	u64 iova;
	u8 perm;
};

void vireo_iotlb_init(struct vireo_iotlb *tlb)
{
	spin_lock_init(&tlb->lock);
	tlb->on = false;
	tlb->n = 0;
	tlb->misses = 0;
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

/* Take all translations in a range away, also those that only overlap it. */
void vireo_iotlb_remove(struct vireo_iotlb *tlb, u64 start, u64 last)
{
	spin_lock(&tlb->lock);
	entries_remove(tlb, start, last);
	spin_unlock(&tlb->lock);
}

/* Add a translation; what overlaps it is out of date. 0 or -ENOMEM. */
int vireo_iotlb_insert(struct vireo_iotlb *tlb, const struct vireo_range *range)
{
	struct iotlb_entry *entry = kmalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);

	if (!entry)
		return -ENOMEM;
	entry->range = *range;
	spin_lock(&tlb->lock);
	entries_remove(tlb, range->start, range->start + (range->size - 1));
	if (tlb->n && tlb->n >= max_iotlb_entries)
		entry_remove(tlb, list_first_entry(&tlb->entries, struct iotlb_entry, link));
	iotlb_tree_insert(entry, &tlb->tree);
	list_add_tail(&entry->link, &tlb->entries);
	tlb->n++;
	spin_unlock(&tlb->lock);
	return 0;
}

/* The translation of one address; false if there is none. */
bool vireo_iotlb_find(struct vireo_iotlb *tlb, u64 addr, struct vireo_range *range)
{
	struct iotlb_entry *entry;

	spin_lock(&tlb->lock);
	entry = iotlb_tree_iter_first(&tlb->tree, addr, addr);
	if (entry)
		*range = entry->range;
	spin_unlock(&tlb->lock);
	return entry;
}

static bool miss_known(const struct vireo_iotlb *tlb, u64 iova, u8 perm)
{
	const struct iotlb_message *m;

	list_for_each_entry(m, &tlb->unread, link)
		if (m->iova == iova && m->perm == perm)
			return true;
	return false;
}

/**
 * vireo_iotlb_miss() - ask userspace for a translation
 * @q: queue that needs it, mutex held; it gets a turn when one comes
 * @addr: the driver's address
 * @perm: VHOST_ACCESS_ bits
 *
 * A miss that cannot be asked for now is found again at that turn. So is one
 * that userspace has read and left without an answer, if the queue gets a turn
 * for another reason: the driver may have mapped the address by then.
 */
void vireo_iotlb_miss(struct vireo_queue *q, u64 addr, u8 perm)
{
	struct vireo_iotlb *tlb = &q->dev->iotlb;
	struct iotlb_message *m = kmalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	q->waiting = true;
	q->stats.iotlb_misses++;
	if (!m) {
		/* Nobody would answer what was not asked. */
		vireo_queue_again(q);
		return;
	}
	m->iova = addr;
	m->perm = perm;
	spin_lock(&tlb->lock);
	if (tlb->on && tlb->misses < MAX_MISSES && !miss_known(tlb, addr, perm)) {
		list_add_tail(&m->link, &tlb->unread);
		tlb->misses++;
		m = NULL;
	}
	spin_unlock(&tlb->lock);
	kfree(m);
	wake_up_interruptible_poll(&tlb->wait, EPOLLIN | EPOLLRDNORM);
}

/* The oldest miss, which is the caller's from now on; or NULL. */
static struct iotlb_message *miss_take(struct vireo_iotlb *tlb)
{
	struct iotlb_message *m;

	spin_lock(&tlb->lock);
	m = list_first_entry_or_null(&tlb->unread, struct iotlb_message, link);
	if (m) {
		list_del(&m->link);
		tlb->misses--;
	}
	spin_unlock(&tlb->lock);
	return m;
}

/* One that was taken could not be read: it is the next again. */
static void miss_put_back(struct vireo_iotlb *tlb, struct iotlb_message *m)
{
	spin_lock(&tlb->lock);
	if (tlb->on) {
		list_add(&m->link, &tlb->unread);
		tlb->misses++;
		m = NULL;
	}
	spin_unlock(&tlb->lock);
	kfree(m);
}

/* What was asked for in a range has been answered. */
void vireo_iotlb_forget(struct vireo_iotlb *tlb, u64 start, u64 last)
{
	struct iotlb_message *m, *next;

	spin_lock(&tlb->lock);
	list_for_each_entry_safe(m, next, &tlb->unread, link) {
		if (m->iova < start || m->iova > last)
			continue;
		list_del(&m->link);
		tlb->misses--;
		kfree(m);
	}
	spin_unlock(&tlb->lock);
}

/* No translations, and nothing asked for. */
void vireo_iotlb_clear(struct vireo_iotlb *tlb)
{
	vireo_iotlb_remove(tlb, 0, U64_MAX);
	vireo_iotlb_forget(tlb, 0, U64_MAX);
}

/*
 * With and without VIRTIO_F_ACCESS_PLATFORM. The table begins empty each time:
 * what an earlier driver was told is nothing to a later one. Readers that
 * sleep look again.
 */
void vireo_iotlb_enable(struct vireo_iotlb *tlb, bool on)
{
	spin_lock(&tlb->lock);
	tlb->on = on;
	spin_unlock(&tlb->lock);
	vireo_iotlb_clear(tlb);
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
static ssize_t miss_copy(struct vireo_dev *dev, const struct iotlb_message *m, struct iov_iter *to)
{
	bool v2 = READ_ONCE(dev->backend_features) & VIREO_FEATURE(VHOST_BACKEND_F_IOTLB_MSG_V2);
	struct vhost_msg_v2 msg;

	static_assert(sizeof(struct vhost_msg) == sizeof(struct vhost_msg_v2));
	static_assert(offsetof(struct vhost_msg, iotlb) == offsetof(struct vhost_msg_v2, iotlb));
	/* What is between the fields goes to userspace too. */
	memset(&msg, 0, sizeof(msg));
	msg.type = v2 ? VHOST_IOTLB_MSG_V2 : VHOST_IOTLB_MSG;
	msg.iotlb.iova = m->iova;
	msg.iotlb.perm = m->perm;
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
 * will come, the feature is off; -EFAULT: it is the next again; -ERESTARTSYS.
 */
ssize_t vireo_dev_read_iter(struct vireo_dev *dev, struct iov_iter *to, bool nonblock)
{
	struct vireo_iotlb *tlb = &dev->iotlb;
	struct iotlb_message *m;
	ssize_t ret;

	if (iov_iter_count(to) < sizeof(struct vhost_msg))
		return 0;
	m = miss_take(tlb);
	if (!m && nonblock)
		return -EAGAIN;
	if (!m) {
		ret = wait_event_interruptible(tlb->wait, (m = miss_take(tlb)) || !iotlb_on(tlb));
		if (ret)
			return ret;
		if (!m)
			return -EBADFD;
	}
	ret = miss_copy(dev, m, to);
	if (ret < 0)
		miss_put_back(tlb, m);
	else
		kfree(m);
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
