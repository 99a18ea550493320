// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the kernel's initramfs to the machine's root under an overlay.
 *
 * The host exports two 9p shares: `root`, the whole machine, read-only, and
 * `out`, one directory, writable. What is changed below `/` lives in a tmpfs and
 * dies with the guest.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#define P9_COMMON "trans=virtio,version=9p2000.L,msize=524288"

static void make_dir(const char* path) {
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        die("mkdir %s: %s", path, strerror(errno));
}

/* mkdir -p: parents may be missing when a path is only known on the host. */
static void make_path(const char* path) {
    char buf[PATH_MAX];

    snprintf(buf, sizeof(buf), "%s", path);
    for (char* p = buf + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        make_dir(buf);
        *p = '/';
    }
    make_dir(buf);
}

static int try_mount(const char* what, const char* where, const char* type, unsigned long flags,
                     const char* options) {
    return mount(what, where, type, flags, options);
}

static void must_mount(const char* what, const char* where, const char* type, unsigned long flags,
                       const char* options) {
    if (try_mount(what, where, type, flags, options) < 0)
        die("mount %s (%s) on %s: %s", what, type ? type : "bind", where, strerror(errno));
}

/* What PID 1 itself needs before the real root exists. */
void boot_early(void) {
    make_dir("/dev");
    make_dir("/proc");
    make_dir("/sys");
    must_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
    must_mount("proc", "/proc", "proc", 0, NULL);
    must_mount("sysfs", "/sys", "sysfs", 0, NULL);
}

/* The host has resolved the order: each line of /lab/modules is one file. */
void boot_load_modules(void) {
    FILE* list = fopen("/lab/modules", "re");
    char path[PATH_MAX];

    if (!list)
        die("open /lab/modules: %s", strerror(errno));
    while (fgets(path, sizeof(path), list)) {
        int fd;

        path[strcspn(path, "\n")] = '\0';
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            die("open %s: %s", path, strerror(errno));
        if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
            die("load %s: %s", path, strerror(errno));
        close(fd);
        /* The initramfs is memory: give back what has been used. */
        unlink(path);
    }
    fclose(list);
}

/* Moves into /new for good; the initramfs is left unreachable below it. */
static void switch_root(void) {
    if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0)
        die("switch to the shared root: %s", strerror(errno));
}

void boot_root(const struct job* job) {
    char path[PATH_MAX];
    struct utsname uts;

    make_dir("/lower");
    make_dir("/rw");
    make_dir("/new");
    must_mount("root", "/lower", "9p", MS_RDONLY, P9_COMMON ",cache=loose,ro");
    must_mount("rw", "/rw", "tmpfs", 0, "size=75%,mode=755");
    make_dir("/rw/upper");
    make_dir("/rw/work");
    must_mount("root", "/new", "overlay", 0, "lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work");

    /* Made before /run and /dev cover what the machine has there. */
    if (uname(&uts) < 0)
        die("uname: %s", strerror(errno));
    snprintf(path, sizeof(path), "/new/lib/modules/%s", uts.release);
    make_path("/new/lib/modules");
    make_dir(path);
    switch_root();
    must_mount(job->modules, path + strlen("/new"), NULL, MS_BIND, NULL);

    /* cache=mmap: files can be mapped shared, and the host sees writes at once. */
    make_path(job->out);
    must_mount("out", job->out, "9p", 0, P9_COMMON ",cache=mmap");
}

static void loopback_up(void) {
    struct ifreq ifr = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    /* A kernel without IPv4 has no loopback to raise. */
    if (fd < 0)
        return;
    if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0) {
        ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
        if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
            kmsg("loopback: %s", strerror(errno));
    }
    close(fd);
}

/*
 * Nodes whose first open loads the module (char-major-10-N aliases): no udev
 * runs here, and loading them in each boot would cost every run its time.
 */
static void static_nodes(void) {
    static const struct {
        const char* path;
        unsigned int minor;
    } nodes[] = {
        {"/dev/net/tun", 200}, {"/dev/vhost-net", 238},    {"/dev/vhost-vsock", 241},
        {"/dev/fuse", 229},    {"/dev/loop-control", 237},
    };

    make_dir("/dev/net");
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(10, nodes[i].minor)) < 0 &&
            errno != EEXIST)
            kmsg("mknod %s: %s", nodes[i].path, strerror(errno));
    }
}

/* The ordinary furniture of a Linux system, which the machine's own has in its mounts. */
void boot_finish(const struct job* job) {
    const struct rlimit files = {1024, 524288};

    must_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    must_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    must_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
    must_mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
    make_dir("/dev/pts");
    make_dir("/dev/shm");
    make_dir("/run/lock");
    must_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
               "gid=5,mode=620,ptmxmode=666");
    must_mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    /* Not every kernel has these; who needs one will see that it is missing. */
    try_mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
    try_mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
    try_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);

    symlink("/proc/self/fd", "/dev/fd");
    symlink("/proc/self/fd/0", "/dev/stdin");
    symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
    static_nodes();

    if (sethostname(job->hostname, strlen(job->hostname)) < 0)
        kmsg("hostname: %s", strerror(errno));
    /* What a login on Debian gets; the kernel's own limit for init is 4096. */
    setrlimit(RLIMIT_NOFILE, &files);
    loopback_up();
}
