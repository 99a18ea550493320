// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TCG plugin for QEMU that counts the instructions which each task of the
 * kernel executes, by address: a profile without samples, exact.
 *
 * usage: -plugin profile.so,switch=ADDRESS,out=FILE[,at=ADDRESS...]
 *   switch    of the kernel's finish_task_switch(): its first push goes
 *             to the stack of the task that comes on, and so tells whose it is
 *   at        of a function; may be given several times
 *   out       gets a line "STACK ADDRESS COUNT" for each block of code that ran:
 *             the task's stack, the block's first address, instructions in it;
 *             before them "watch" for each MARK_WATCH, and "@ ADDRESS TIME" for each
 *             call of a function of at=: instructions counted until then
 *
 * Counting begins where a program executes MARK_BEGIN, or MARK_WATCH if calls are of interest too,
 * and ends at MARK_END (mark.h).
 *
 * For one CPU, which icount has. Blocks run in interrupts count for the task that
 * was interrupted, as its CPU time does.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../driver/mark.h"

/* QEMU's interface for plugins, version 1; Debian packages no header of it. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGISTERS = 0 };
enum { READS = 1, WRITES = 2 };
typedef uint32_t qemu_plugin_meminfo_t;
typedef void (*tb_translated)(qemu_plugin_id_t, struct qemu_plugin_tb*);
typedef void (*executed)(unsigned int cpu, void* data);
typedef void (*accessed)(unsigned int cpu, qemu_plugin_meminfo_t, uint64_t address, void* data);
typedef void (*ended)(qemu_plugin_id_t, void* data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn*);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_translated);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb*, executed, int registers,
                                          void* data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn*, executed, int registers,
                                            void* data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn*, accessed, int registers, int what,
                                      void* data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, ended, void* data);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

#define STACK_BYTES 16384 /* THREAD_SIZE of x86-64, and its alignment */
#define TASKS 4096
#define BLOCKS (1U << 18)
#define WATCHED_MAX 8U
#define USER 1 /* an address for all that is not the kernel's */

/* Of one block, for the task that is on. Blocks are translated again and again: found by address
 * and length. */
struct block {
    uint64_t address;
    uint32_t instructions;
};

static struct block blocks[BLOCKS];
static uint64_t stacks[TASKS];  /* 0: before the first switch that was seen */
static uint64_t* counts[TASKS]; /* of each block */
static unsigned int tasks = 1;
static unsigned int current;
static bool counting;
static bool watching;
static uint64_t switch_address;
static uint64_t watched[WATCHED_MAX];
static unsigned int watched_count;
static uint64_t now; /* instructions since the beginning */
static FILE* file;

static unsigned int block_of(uint64_t address, uint32_t instructions) {
    unsigned int slot = (address * 0x9e3779b97f4a7c15ULL + instructions) >> 46;

    for (unsigned int i = 0; i < BLOCKS; i++, slot = (slot + 1) % BLOCKS) {
        if (!blocks[slot].address) {
            blocks[slot] = (struct block){address, instructions};
            return slot;
        }
        if (blocks[slot].address == address && blocks[slot].instructions == instructions)
            return slot;
    }
    fprintf(stderr, "profile: more than %u blocks of code\n", BLOCKS);
    abort();
}

static void count(unsigned int cpu, void* data) {
    (void)cpu;
    if (counting) {
        counts[current][(uintptr_t)data]++;
        now += blocks[(uintptr_t)data].instructions;
    }
}

static void come_on(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void* data) {
    uint64_t stack = address & ~(uint64_t)(STACK_BYTES - 1);

    (void)cpu;
    (void)info;
    (void)data;
    if (stacks[current] == stack)
        return;
    for (current = 1; current < tasks; current++) {
        if (stacks[current] == stack)
            return;
    }
    if (tasks == TASKS) {
        fprintf(stderr, "profile: more than %u stacks of tasks\n", TASKS);
        abort();
    }
    stacks[tasks] = stack;
    counts[tasks] = calloc(BLOCKS, sizeof(uint64_t));
    if (!counts[tasks])
        abort();
    current = tasks++;
}

static void entered(unsigned int cpu, void* data) {
    (void)cpu;
    if (watching)
        fprintf(file, "@ %" PRIx64 " %" PRIu64 "\n", *(const uint64_t*)data, now);
}

static void begin(unsigned int cpu, void* data) {
    (void)cpu;
    (void)data;
    counting = true;
}

static void watch(unsigned int cpu, void* data) {
    begin(cpu, data);
    watching = true;
    fputs("watch\n", file);
}

static void end(unsigned int cpu, void* data) {
    (void)cpu;
    (void)data;
    counting = false;
    watching = false;
}

static bool is(const struct qemu_plugin_insn* instruction, const unsigned char* code, size_t size) {
    return qemu_plugin_insn_size(instruction) == size &&
           memcmp(qemu_plugin_insn_data(instruction), code, size) == 0;
}

/* push %rax to %rdi, %r8 to %r15 */
static bool is_push(const struct qemu_plugin_insn* instruction) {
    const unsigned char* code = qemu_plugin_insn_data(instruction);
    size_t prefix = code[0] == 0x41;

    return qemu_plugin_insn_size(instruction) == prefix + 1 && (code[prefix] & 0xf8) == 0x50;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
    size_t instructions = qemu_plugin_tb_n_insns(tb);
    uint64_t address = qemu_plugin_tb_vaddr(tb);

    static const unsigned char mark_begin[] = {MARK_BEGIN};
    static const unsigned char mark_watch[] = {MARK_WATCH};
    static const unsigned char mark_end[] = {MARK_END};

    /* Programs come and go, and nothing is asked of where in them something was done. */
    uint64_t place = address >> 63 ? address : USER;
    bool awaited = address == switch_address;

    (void)id;
    for (unsigned int i = 0; i < watched_count; i++) {
        if (address == watched[i])
            qemu_plugin_register_vcpu_tb_exec_cb(tb, entered, NO_REGISTERS, &watched[i]);
    }
    for (size_t i = 0; i < instructions; i++) {
        struct qemu_plugin_insn* each = qemu_plugin_tb_get_insn(tb, i);

        if (awaited && is_push(each)) {
            qemu_plugin_register_vcpu_mem_cb(each, come_on, NO_REGISTERS, WRITES, NULL);
            awaited = false;
        }
        if (is(each, mark_begin, sizeof(mark_begin)))
            qemu_plugin_register_vcpu_insn_exec_cb(each, begin, NO_REGISTERS, NULL);
        if (is(each, mark_watch, sizeof(mark_watch)))
            qemu_plugin_register_vcpu_insn_exec_cb(each, watch, NO_REGISTERS, NULL);
        if (is(each, mark_end, sizeof(mark_end)))
            qemu_plugin_register_vcpu_insn_exec_cb(each, end, NO_REGISTERS, NULL);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, count, NO_REGISTERS,
                                         (void*)(uintptr_t)block_of(place, instructions));
}

static void write_out(qemu_plugin_id_t id, void* data) {
    (void)id;
    (void)data;
    for (unsigned int task = 0; task < tasks; task++) {
        for (unsigned int i = 0; i < BLOCKS; i++) {
            if (counts[task][i])
                fprintf(file, "%" PRIx64 " %" PRIx64 " %" PRIu64 "\n", stacks[task],
                        blocks[i].address, counts[task][i] * blocks[i].instructions);
        }
    }
    fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
    const char* out = "";

    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "switch=", 7) == 0)
            switch_address = strtoull(argv[i] + 7, NULL, 16);
        else if (strncmp(argv[i], "at=", 3) == 0 && watched_count < WATCHED_MAX)
            watched[watched_count++] = strtoull(argv[i] + 3, NULL, 16);
        else if (strncmp(argv[i], "out=", 4) == 0)
            out = argv[i] + 4;
    }
    file = fopen(out, "w");
    counts[0] = calloc(BLOCKS, sizeof(uint64_t));
    if (!switch_address || !file || !counts[0]) {
        fputs("profile: wants switch=ADDRESS,out=FILE, and a file that can be written\n", stderr);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, write_out, NULL);
    return 0;
}
