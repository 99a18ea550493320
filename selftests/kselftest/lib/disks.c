// SPDX-License-Identifier: GPL-2.0-only
#include "disks.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"
#include "tap_output.h"

#define CONFIGFS "/sys/kernel/config"
#define BOUNCE (1 << 20) /* bytes of an aligned buffer */

static void begin(struct disk* disk, enum disk_kind kind, const char* name) {
    memset(disk, 0, sizeof(*disk));
    disk->kind = kind;
    disk->fd = -1;
    snprintf(disk->name, sizeof(disk->name), "%s", name);
}

static void find_size(struct disk* disk) {
    int fd = open(disk->path, O_RDONLY | O_CLOEXEC);

    require(fd >= 0 && !ioctl(fd, BLKGETSIZE64, &disk->bytes), "the size of %s: %s", disk->path,
            strerror(errno));
    close(fd);
}

static bool write_file(const char* path, const char* text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

/* null_blk */

static void null_path(const struct disk* disk, const char* attribute, char* path, size_t room) {
    snprintf(path, room, CONFIGFS "/nullb/%s/%s", disk->name, attribute);
}

static void null_set(const struct disk* disk, const char* attribute, uint32_t value) {
    char path[160];
    char text[16];

    null_path(disk, attribute, path, sizeof(path));
    snprintf(text, sizeof(text), "%u", value);
    require(write_file(path, text), "write %s to %s: %s", text, path, strerror(errno));
}

/* Of devices made by configfs the name is nullb and their index. */
static void null_find(struct disk* disk) {
    char path[160];
    char index[16] = "";
    int fd;

    snprintf(disk->path, sizeof(disk->path), "/dev/%s", disk->name);
    if (!access(disk->path, F_OK))
        return;
    null_path(disk, "index", path, sizeof(path));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    require(fd >= 0 && read(fd, index, sizeof(index) - 1) > 0, "read %s: %s", path,
            strerror(errno));
    close(fd);
    snprintf(disk->path, sizeof(disk->path), "/dev/nullb%d", atoi(index));
}

static void null_remove(const struct disk* disk) {
    char path[160];

    null_path(disk, "power", path, sizeof(path));
    if (access(path, F_OK))
        return;
    write_file(path, "0");
    null_path(disk, "", path, sizeof(path));
    check(!rmdir(path), "rmdir %s: %s", path, strerror(errno));
}

void disk_null(struct disk* disk, const char* name, const struct null_options* options) {
    char path[160];

    begin(disk, DISK_NULL, name);
    if (access(CONFIGFS "/nullb", F_OK)) {
        if (run_command("modprobe null_blk nr_devices=0"))
            skip_test("the kernel has no null_blk");
        (void)run_command("mount -t configfs none " CONFIGFS " || true");
    }
    null_remove(disk);
    null_path(disk, "", path, sizeof(path));
    require(!mkdir(path, 0700), "mkdir %s: %s", path, strerror(errno));
    null_set(disk, "size", options->mib);
    null_set(disk, "blocksize", options->block_size ? options->block_size : 512);
    null_set(disk, "memory_backed", 1);
    if (!options->no_discard)
        null_set(disk, "discard", 1);
    if (options->cache_mib)
        null_set(disk, "cache_size", options->cache_mib);
    null_set(disk, "power", 1);
    null_find(disk);
    find_size(disk);
}

void disk_null_power_cycle(struct disk* disk) {
    null_set(disk, "power", 0);
    null_set(disk, "power", 1);
    null_find(disk);
}

/* brd */

void disk_brd(struct disk* disk, uint32_t mib) {
    begin(disk, DISK_BRD, "ram0");
    (void)run_command("modprobe -r brd || true");
    if (run_command("modprobe brd rd_nr=1 rd_size=%u", mib << 10))
        skip_test("the kernel has no brd");
    snprintf(disk->path, sizeof(disk->path), "/dev/ram0");
    find_size(disk);
}

/* scsi_debug */

static bool scsi_there(void* arg) {
    struct disk* disk = arg;
    glob_t found;

    if (!glob("/sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*:*/block/*", 0, NULL,
              &found)) {
        snprintf(disk->name, sizeof(disk->name), "%s", strrchr(found.gl_pathv[0], '/') + 1);
        snprintf(disk->path, sizeof(disk->path), "/dev/%s", disk->name);
    }
    globfree(&found);
    return disk->path[0] && !access(disk->path, F_OK);
}

void disk_scsi(struct disk* disk, uint32_t mib, const char* parameters) {
    begin(disk, DISK_SCSI, "");
    (void)run_command("modprobe -r scsi_debug || true");
    if (run_command("modprobe sd_mod") ||
        run_command("modprobe scsi_debug dev_size_mb=%u %s", mib, parameters ? parameters : ""))
        skip_test("the kernel has no scsi_debug");
    require(wait_until(scsi_there, disk), "scsi_debug made no disk");
    find_size(disk);
}

void disk_scsi_unplug(struct disk* disk) {
    char path[160];

    snprintf(path, sizeof(path), "/sys/block/%s/device/delete", disk->name);
    require(write_file(path, "1"), "write to %s: %s", path, strerror(errno));
}

/* Files */

void disk_file(struct disk* disk, const char* path, uint64_t bytes) {
    int fd;

    begin(disk, DISK_FILE, "file");
    snprintf(disk->path, sizeof(disk->path), "%s", path);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && !ftruncate(fd, (off_t)bytes), "make %s of %llu bytes: %s", path,
            (unsigned long long)bytes, strerror(errno));
    close(fd);
    disk->bytes = bytes;
}

void disk_loop(struct disk* disk, const char* file) {
    /* It goes with the last who has it open, at the latest with this process. */
    struct loop_config config = {.info.lo_flags = LO_FLAGS_AUTOCLEAR};
    int below = open(file, O_RDWR | O_CLOEXEC);
    int control;
    int number;

    begin(disk, DISK_LOOP, "loop");
    if (run_command("modprobe loop"))
        skip_test("the kernel has no loop devices");
    control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    require(number >= 0, "a free loop device: %s", strerror(errno));
    close(control);
    snprintf(disk->path, sizeof(disk->path), "/dev/loop%d", number);
    config.fd = below;
    disk->hold = open(disk->path, O_RDWR | O_CLOEXEC);
    require(below >= 0 && disk->hold >= 0 && !ioctl(disk->hold, LOOP_CONFIGURE, &config),
            "make %s of %s: %s", disk->path, file, strerror(errno));
    close(below);
    find_size(disk);
}

/* Device mapper. There is no udev here to wait for. */

static int dm_table(const char* verb, const char* name, const char* format, va_list args) {
    char table[512];
    char command[160];
    FILE* pipe;

    vsnprintf(table, sizeof(table), format, args);
    snprintf(command, sizeof(command), "dmsetup %s --noudevsync --noudevrules %s >/dev/null 2>&1",
             verb, name);
    pipe = popen(command, "we");
    if (!pipe || fputs(table, pipe) < 0)
        return -EIO;
    return pclose(pipe) ? -EIO : 0;
}

/* Sets the path to that of the device with the disk's name, if there is one. */
static bool dm_find(struct disk* disk) {
    glob_t found;

    disk->path[0] = '\0';
    if (glob("/sys/block/dm-*/dm/name", 0, NULL, &found))
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char name[64] = "";
        FILE* file = fopen(found.gl_pathv[i], "re");

        if (file && fgets(name, sizeof(name), file)) {
            name[strcspn(name, "\n")] = '\0';
            if (!strcmp(name, disk->name))
                snprintf(disk->path, sizeof(disk->path), "/dev/dm-%d",
                         atoi(found.gl_pathv[i] + strlen("/sys/block/dm-")));
        }
        if (file)
            fclose(file);
    }
    globfree(&found);
    return disk->path[0];
}

void disk_dm(struct disk* disk, const char* name, const char* format, ...) {
    va_list args;
    int ret;

    begin(disk, DISK_DM, name);
    (void)run_command("modprobe -a dm_mod dm_delay dm_flakey dm_log_writes || true");
    if (dm_find(disk))
        (void)run_command("dmsetup remove --force --noudevsync --noudevrules %s || true", name);
    va_start(args, format);
    ret = dm_table("create", name, format, args);
    va_end(args);
    if (ret)
        skip_test("the kernel has no such device-mapper target: %s", name);
    require(dm_find(disk), "there is no device %s", name);
    find_size(disk);
}

void disk_dm_release(const struct disk* disk) {
    require_ok(run_command("dmsetup suspend --nolockfs --noudevsync %s", disk->name));
    require_ok(run_command("dmsetup resume --noudevsync --noudevrules %s", disk->name));
}

void disk_dm_reload(const struct disk* disk, const char* format, ...) {
    va_list args;
    int ret;

    va_start(args, format);
    ret = dm_table("reload", disk->name, format, args);
    va_end(args);
    require(!ret, "another table for %s", disk->name);
    disk_dm_release(disk);
}

int disk_dm_message(const struct disk* disk, const char* message) {
    return run_command("dmsetup message %s 0 %s", disk->name, message);
}

/* All */

int disk_open(struct disk* disk, int flags) {
    if (disk->fd >= 0)
        close(disk->fd);
    disk->fd = open(disk->path, flags | O_CLOEXEC);
    require(disk->fd >= 0, "open %s: %s", disk->path, strerror(errno));
    return disk->fd;
}

/* Block devices are read and written directly; what wrote to a file wrote through its cache. */
static void transfer(const struct disk* disk, uint64_t offset, void* data, size_t bytes,
                     bool write) {
    int fd = open(disk->path, (write ? O_WRONLY : O_RDONLY) |
                                  (disk->kind == DISK_FILE ? 0 : O_DIRECT) | O_CLOEXEC);
    void* bounce = NULL;

    require(fd >= 0 && !posix_memalign(&bounce, 4096, BOUNCE), "open %s: %s", disk->path,
            strerror(errno));
    for (size_t done = 0; done < bytes;) {
        size_t part = bytes - done < BOUNCE ? bytes - done : BOUNCE;
        ssize_t moved;

        if (write)
            memcpy(bounce, (char*)data + done, part);
        moved = write ? pwrite(fd, bounce, part, (off_t)(offset + done))
                      : pread(fd, bounce, part, (off_t)(offset + done));
        require(moved == (ssize_t)part, "%s %zu bytes at %llu of %s: %s", write ? "write" : "read",
                part, (unsigned long long)(offset + done), disk->path,
                moved < 0 ? strerror(errno) : "less");
        if (!write)
            memcpy((char*)data + done, bounce, part);
        done += part;
    }
    free(bounce);
    close(fd);
}

void disk_read(const struct disk* disk, uint64_t offset, void* to, size_t bytes) {
    transfer(disk, offset, to, bytes, false);
}

void disk_write(const struct disk* disk, uint64_t offset, const void* from, size_t bytes) {
    transfer(disk, offset, (void*)from, bytes, true);
}

void disk_remove(struct disk* disk) {
    if (disk->fd >= 0)
        close(disk->fd);
    disk->fd = -1;
    switch (disk->kind) {
        case DISK_NULL:
            null_remove(disk);
            break;
        case DISK_BRD:
            require_ok(run_command("modprobe -r brd"));
            break;
        case DISK_SCSI:
            require_ok(run_command("modprobe -r scsi_debug"));
            break;
        case DISK_LOOP:
            close(disk->hold);
            break;
        case DISK_FILE:
            unlink(disk->path);
            break;
        case DISK_DM:
            require_ok(run_command("dmsetup remove --noudevsync --noudevrules %s", disk->name));
            break;
    }
}

void fs_mount(const char* type, const char* device, const char* where, const char* options) {
    mkdir(where, 0700);
    /* It is this process's, and goes when that ends, however it ends. */
    require(!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
            "a mount namespace: %s", strerror(errno));
    if (device)
        require_ok(run_command("mkfs.%s -q -F %s", type, device));
    (void)run_command("modprobe %s || true", type);
    require(!mount(device ? device : "none", where, type, 0, options), "mount %s at %s: %s", type,
            where, strerror(errno));
}

void fs_umount(const char* where) {
    require(!umount(where), "umount %s: %s", where, strerror(errno));
}
