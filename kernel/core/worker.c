// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers: kernel threads that run queues in the name of the owner.
 *
 * A worker has the owner's memory, cgroups, affinity and nice level, and is
 * called vireo-PID after it. It holds the address space only while it works:
 * when the owner dies, its memory goes at once, whoever else may hold the fd.
 *
 * No wake-up is lost: whoever queues work sets VIREO_WORK_QUEUED, adds the
 * work, then wakes the thread; the thread sets its state, then looks at the
 * list (set_current_state() and wake_up_process() have the barriers), and
 * clears the bit before it does the work, so that work that is asked for again
 * meanwhile is queued again.
 */
#include <linux/cgroup.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mmu_context.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vireo.h"

#define VIREO_WORK_QUEUED 0

struct vireo_worker {
	struct llist_head list;
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned int queues; /* attached; under the device's mutex */
	u32 id;
};

struct vireo_flush {
	struct vireo_work work;
	struct completion done;
};

static bool worker_queue(struct vireo_worker *worker, struct vireo_work *work)
{
	if (test_and_set_bit(VIREO_WORK_QUEUED, &work->flags))
		return false;
	llist_add(&work->node, &worker->list);
	wake_up_process(worker->task);
	return true;
}

/**
 * vireo_worker_queue() - let the worker of a queue do something soon
 * @q: queue; without a worker nothing happens
 * @work: what
 *
 * Context: any, interrupts off included.
 * Return: false: it is due already, or there is no worker.
 */
bool vireo_worker_queue(struct vireo_queue *q, struct vireo_work *work)
{
	struct vireo_worker *worker;
	bool added;

	rcu_read_lock();
	worker = rcu_dereference(q->worker);
	added = worker && worker_queue(worker, work);
	rcu_read_unlock();
	return added;
}

/* Has the worker of a queue anything else to do? In the worker itself. */
bool vireo_worker_busy(struct vireo_queue *q)
{
	bool busy;

	rcu_read_lock();
	busy = !llist_empty(&rcu_dereference(q->worker)->list);
	rcu_read_unlock();
	return busy;
}

static void worker_round(struct vireo_worker *worker, struct llist_node *list)
{
	bool alive = mmget_not_zero(worker->mm);
	struct vireo_work *work, *next;

	llist_for_each_entry_safe(work, next, llist_reverse_order(list), node) {
		clear_bit(VIREO_WORK_QUEUED, &work->flags);
		/* Pairs with test_and_set_bit(): what was asked for is seen. */
		smp_mb__after_atomic();
		work->fn(work, alive);
		cond_resched();
	}
	/* Not mmput(): the last user would tear down what this thread has loaded. */
	if (alive)
		mmput_async(worker->mm);
}

static int worker_main(void *data)
{
	struct vireo_worker *worker = data;
	struct llist_node *list;

	kthread_use_mm(worker->mm);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		list = llist_del_all(&worker->list);
		if (!list) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		worker_round(worker, list);
	}
	__set_current_state(TASK_RUNNING);
	kthread_unuse_mm(worker->mm);
	return 0;
}

static void flush_done(struct vireo_work *work, bool alive)
{
	complete(&container_of(work, struct vireo_flush, work)->done);
}

/* Returns once the worker has done all that was queued before. */
static void worker_flush(struct vireo_worker *worker)
{
	struct vireo_flush flush = { .work.fn = flush_done };

	init_completion(&flush.done);
	worker_queue(worker, &flush.work);
	wait_for_completion(&flush.done);
}

static void worker_free(struct vireo_worker *worker)
{
	kthread_stop(worker->task);
	kfree(worker);
}

static struct vireo_worker *worker_create(struct vireo_dev *dev)
{
	struct vireo_worker *worker;
	struct task_struct *task;
	int err;

	worker = kzalloc(sizeof(*worker), GFP_KERNEL_ACCOUNT);
	if (!worker)
		return ERR_PTR(-ENOMEM);
	init_llist_head(&worker->list);
	worker->mm = dev->mm;
	task = kthread_create(worker_main, worker, "vireo-%d", current->tgid);
	if (IS_ERR(task)) {
		kfree(worker);
		return ERR_CAST(task);
	}
	worker->task = task;
	set_user_nice(task, task_nice(current));
	err = set_cpus_allowed_ptr(task, current->cpus_ptr);
	if (!err)
		err = cgroup_attach_task_all(current, task);
	if (!err)
		err = xa_alloc(&dev->workers, &worker->id, worker, xa_limit_31b,
			       GFP_KERNEL_ACCOUNT);
	/* A thread that never ran does not run its function when it is stopped. */
	if (err) {
		worker_free(worker);
		return ERR_PTR(err);
	}
	wake_up_process(task);
	return worker;
}

/*
 * From now on another worker, or none, gets a queue's work; under the device's
 * mutex. The old one, if there was one, has to be flushed after a grace period.
 */
static struct vireo_worker *worker_assign(struct vireo_queue *q, struct vireo_worker *worker)
{
	struct vireo_worker *old;

	mutex_lock(&q->mutex);
	old = rcu_replace_pointer(q->worker, worker, lockdep_is_held(&q->mutex));
	mutex_unlock(&q->mutex);
	if (worker)
		worker->queues++;
	if (old)
		old->queues--;
	return old;
}

/* Under the device's mutex; the queue's work goes on in the new worker. */
static void worker_attach(struct vireo_queue *q, struct vireo_worker *worker)
{
	struct vireo_worker *old = worker_assign(q, worker);

	if (!old)
		return;
	synchronize_rcu();
	worker_flush(old);
}

/* With the owner comes the worker that all queues share at first. */
int vireo_workers_create(struct vireo_dev *dev)
{
	struct vireo_worker *worker = worker_create(dev);
	unsigned int i;

	if (IS_ERR(worker))
		return PTR_ERR(worker);
	for (i = 0; i < dev->nqueues; i++)
		worker_attach(dev->queues[i], worker);
	return 0;
}

/* Under the device's mutex, when no queue is live and no poll waits. */
void vireo_workers_destroy(struct vireo_dev *dev)
{
	struct vireo_worker *worker;
	unsigned long id;
	unsigned int i;

	if (xa_empty(&dev->workers))
		return;
	for (i = 0; i < dev->nqueues; i++)
		worker_assign(dev->queues[i], NULL);
	/* One for all queues: whoever has seen a worker has queued its work now. */
	synchronize_rcu();
	xa_for_each(&dev->workers, id, worker) {
		worker_flush(worker);
		worker_free(worker);
	}
	xa_destroy(&dev->workers);
}

static long worker_new(struct vireo_dev *dev, struct vhost_worker_state __user *argp)
{
	struct vireo_worker *worker;
	unsigned int count = 0;
	unsigned long id;

	/* More than one for each queue is of no use, but costs the host. */
	xa_for_each(&dev->workers, id, worker)
		count++;
	if (count > dev->nqueues)
		return -ENOSPC;
	worker = worker_create(dev);
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	if (put_user(worker->id, &argp->worker_id)) {
		xa_erase(&dev->workers, worker->id);
		worker_free(worker);
		return -EFAULT;
	}
	return 0;
}

static long worker_remove(struct vireo_dev *dev, struct vhost_worker_state __user *argp)
{
	struct vireo_worker *worker;
	u32 id;

	if (get_user(id, &argp->worker_id))
		return -EFAULT;
	worker = xa_load(&dev->workers, id);
	if (!worker)
		return -ENODEV;
	if (worker->queues)
		return -EBUSY;
	xa_erase(&dev->workers, id);
	worker_free(worker);
	return 0;
}

static long worker_of_queue(struct vireo_dev *dev, unsigned int cmd,
			    struct vhost_vring_worker __user *argp)
{
	struct vhost_vring_worker state;
	struct vireo_worker *worker, *now;
	struct vireo_queue *q;

	if (copy_from_user(&state, argp, sizeof(state)))
		return -EFAULT;
	if (state.index >= dev->nqueues)
		return -ENOBUFS;
	q = dev->queues[array_index_nospec(state.index, dev->nqueues)];
	now = rcu_dereference_protected(q->worker, lockdep_is_held(&dev->mutex));
	if (cmd == VHOST_GET_VRING_WORKER) {
		state.worker_id = now->id;
		return copy_to_user(argp, &state, sizeof(state)) ? -EFAULT : 0;
	}
	worker = xa_load(&dev->workers, state.worker_id);
	if (!worker)
		return -ENODEV;
	if (worker == now)
		return 0;
	worker_attach(q, worker);
	/* What came for the old worker after its last look, the new one does. */
	vireo_queue_kicked(q);
	return 0;
}

/* The ioctls about workers, under the device's mutex; the caller is the owner. */
long vireo_worker_ioctl(struct vireo_dev *dev, unsigned int cmd, void __user *argp)
{
	switch (cmd) {
	case VHOST_NEW_WORKER:
		return worker_new(dev, argp);
	case VHOST_FREE_WORKER:
		return worker_remove(dev, argp);
	default:
		return worker_of_queue(dev, cmd, argp);
	}
}
