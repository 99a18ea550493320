// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trouble on demand, to see that the lab notices: insmod lab_trouble.ko what=KIND
 *
 * For the lab's own tests only. Never load it on a machine that matters.
 */
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

static char *what = "nothing";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "the kind of trouble");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static int trouble_none(void)
{
	return 0;
}

static int trouble_warn(void)
{
	WARN(1, "lab_trouble: a warning was asked for\n");
	return 0;
}

/* Values are hidden from the compiler, which would make something harmless of them. */
static int trouble_oops(void)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	return READ_ONCE(*nowhere);
}

static int trouble_panic(void)
{
	panic("lab_trouble: a panic was asked for");
}

/* What it allocates is lost, and has a content by which a person can tell it. */
static int trouble_leak(void)
{
	char *lost = kmalloc(1000, GFP_KERNEL);

	if (!lost)
		return -ENOMEM;
	strscpy(lost, "lab_trouble: leaked", 1000);
	return 0;
}

/* Two orders of the same two locks, one after the other: no deadlock, but one in waiting. */
static int trouble_lockdep(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static int trouble_kasan(void)
{
	char *object = kmalloc(64, GFP_KERNEL);
	size_t past = 64;

	if (!object)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(past);
	WRITE_ONCE(object[past], 1);
	kfree(object);
	return 0;
}

/* Past the array, but not past the object that it is in: that would be KASAN's to find. */
static int trouble_ubsan(void)
{
	static const struct {
		int table[4];
		int more[12];
	} object = { .table = { 1, 2, 3, 4 } };
	unsigned int past = 5;

	OPTIMIZER_HIDE_VAR(past);
	return object.table[past] == 0x5eed ? -EINVAL : 0;
}

static int trouble_atomic(void)
{
	preempt_disable();
	usleep_range(1000, 2000);
	preempt_enable();
	return 0;
}

static void spin_deaf(void *unused)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

/* No CPU takes an interrupt any more. */
static int trouble_freeze(void)
{
	on_each_cpu(spin_deaf, NULL, 0);
	return 0;
}

/* This CPU stops; the others go on. */
static int trouble_freeze_one(void)
{
	spin_deaf(NULL);
	return 0;
}

/* Every CPU halts and nothing will wake it. */
static void halt_deaf(void *unused)
{
	local_irq_disable();
	for (;;)
		asm volatile("hlt");
}

static int trouble_halt(void)
{
	on_each_cpu(halt_deaf, NULL, 0);
	return 0;
}

static const struct {
	const char *name;
	int (*cause)(void);
} troubles[] = {
	{ "nothing", trouble_none },
	{ "warn", trouble_warn },
	{ "oops", trouble_oops },
	{ "panic", trouble_panic },
	{ "leak", trouble_leak },
	{ "lockdep", trouble_lockdep },
	{ "kasan", trouble_kasan },
	{ "ubsan", trouble_ubsan },
	{ "atomic", trouble_atomic },
	{ "freeze", trouble_freeze },
	{ "freeze-one", trouble_freeze_one },
	{ "halt", trouble_halt },
};

static int __init lab_trouble_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(troubles); i++)
		if (!strcmp(what, troubles[i].name))
			return troubles[i].cause();
	return -EINVAL;
}
module_init(lab_trouble_init);

static void __exit lab_trouble_exit(void)
{
}
module_exit(lab_trouble_exit);

MODULE_DESCRIPTION("Trouble on demand, for the tests of Vireo's lab");
MODULE_LICENSE("GPL");
