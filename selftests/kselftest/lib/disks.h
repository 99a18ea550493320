/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a block device of the host is made of, for a test: memory, with and
 * without a cache that power takes away; files; and device-mapper targets that
 * fail, wait or remember. Each has a name, and what an earlier test of that
 * name left is removed first.
 */
#ifndef DISKS_H
#define DISKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIB (1ULL << 20)

enum disk_kind { DISK_NULL, DISK_BRD, DISK_SCSI, DISK_LOOP, DISK_FILE, DISK_DM };

struct disk {
    enum disk_kind kind;
    char name[32];
    char path[96];
    uint64_t bytes;
    int fd;   /* opened by disk_open(), or -1 */
    int hold; /* DISK_LOOP: keeps it */
};

struct null_options {
    uint32_t mib;
    uint32_t block_size; /* 0: 512 */
    uint32_t cache_mib;  /* a volatile write cache; 0: none */
    bool no_discard;
};

/* A null_blk device that keeps what is written, in memory. Skips the test if there is none. */
void disk_null(struct disk* disk, const char* name, const struct null_options* options);
/* Power off and on: what was in its cache is gone. Nobody has it open. */
void disk_null_power_cycle(struct disk* disk);

/* A RAM disk. */
void disk_brd(struct disk* disk, uint32_t mib);
/* An emulated SCSI disk, and what scsi_debug takes as parameters beside its size. */
void disk_scsi(struct disk* disk, uint32_t mib, const char* parameters);
/* Takes it away from under its users. */
void disk_scsi_unplug(struct disk* disk);
/* A file as a block device. */
void disk_loop(struct disk* disk, const char* file);
/* A regular file of so many bytes, nothing of them allocated. */
void disk_file(struct disk* disk, const char* path, uint64_t bytes);

/* A device-mapper device with this table, of one line or several. */
void disk_dm(struct disk* disk, const char* name, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
/* Lets all that a dm device holds back go on: suspends and resumes it. */
void disk_dm_release(const struct disk* disk);
/* Gives a dm device another table. */
void disk_dm_reload(const struct disk* disk, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
int disk_dm_message(const struct disk* disk, const char* message);

/* Opens it with O_CLOEXEC and these flags, in place of what disk->fd was. */
int disk_open(struct disk* disk, int flags);
/* Reads or writes past all caches of the host's that a file has; checks that it works. */
void disk_read(const struct disk* disk, uint64_t offset, void* to, size_t bytes);
void disk_write(const struct disk* disk, uint64_t offset, const void* from, size_t bytes);
void disk_remove(struct disk* disk);

/* A file system at @where, which is made; a device to be formatted, or NULL for tmpfs. */
void fs_mount(const char* type, const char* device, const char* where, const char* options);
void fs_umount(const char* where);

#endif /* DISKS_H */
