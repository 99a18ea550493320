/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMM's own path, from C: its guest memory, and its block room serving one queue in it. */
#ifndef USER_H
#define USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct user_queue {
    const char* disk;
    const char* aio; /* io_uring or threads */
    uint64_t features;
    uint16_t size;
    uint64_t desc; /* guest addresses */
    uint64_t driver;
    uint64_t device;
    int kick;
    int call;
};

/* So much memory from this guest address on; NULL after a word on stderr. */
void* user_memory(uint64_t guest, size_t bytes);
/* Serves the queue as long as the program lives. 0 or -errno. */
int user_serve(const struct user_queue* queue);

#ifdef __cplusplus
}
#endif

#endif /* USER_H */
