/* SPDX-License-Identifier: GPL-2.0-only */
/* What a test sees of the kernel from outside: workers, modules, other processes' files. */
#ifndef KERNEL_STATE_H
#define KERNEL_STATE_H

#include <stdbool.h>
#include <sys/types.h>

/* The kernel threads vireo-PID and vhost-PID. Returns how many; the first @room of them in @tids.
 */
unsigned int workers_of(pid_t owner, pid_t* tids, unsigned int room);
/* A condition for wait_until(); arg: the owner's pid_t. */
bool workers_gone(void* owner);

/* Ticks of CPU that a thread used; its nice level; -1 and a line on stderr if it is not there. */
long thread_ticks(pid_t tid);
int thread_nice(pid_t tid, int* nice);

/* Users of a module; -1: it is not there. */
long module_users(const char* name);
/* The module that makes a device, with - as _: /dev/vireo-net: vireo_net. */
void module_of_device(const char* path, char* name, size_t room);
/* 0 or -errno, silently: -EAGAIN: in use. */
int module_remove(const char* name);
/* From $VIREO_MODULES. */
int module_insert(const char* name, const char* parameters);

/* A copy of another process's open file, or -errno. */
int file_of(pid_t pid, int fd);

#endif /* KERNEL_STATE_H */
