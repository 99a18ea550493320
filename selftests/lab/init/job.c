// SPDX-License-Identifier: GPL-2.0-only
/*
 * The job: NUL-terminated records `key=value`, written by the host into the
 * initramfs (vlab/job.py). NUL, because arguments may hold any other byte.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char* read_whole(const char* path, size_t* len) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char* buf;
    size_t got = 0;

    if (fd < 0 || fstat(fd, &st) < 0)
        die("open %s: %s", path, strerror(errno));
    buf = malloc((size_t)st.st_size + 1);
    if (!buf)
        die("read %s: out of memory", path);
    while (got < (size_t)st.st_size) {
        ssize_t n = read(fd, buf + got, (size_t)st.st_size - got);

        if (n <= 0)
            die("read %s: %s", path, n ? strerror(errno) : "short");
        got += (size_t)n;
    }
    close(fd);
    buf[got] = '\0';
    *len = got;
    return buf;
}

static const char* value_of(const char* record, const char* key) {
    size_t n = strlen(key);

    return !strncmp(record, key, n) && record[n] == '=' ? record + n + 1 : NULL;
}

void job_read(struct job* job, const char* path) {
    size_t len, records = 0, envs = 0, args = 0;
    char* buf = read_whole(path, &len);
    const char* v;

    for (size_t i = 0; i < len; i++)
        records += buf[i] == '\0';
    job->env = calloc(records + 1, sizeof(*job->env));
    job->argv = calloc(records + 1, sizeof(*job->argv));
    if (!job->env || !job->argv)
        die("job: out of memory");

    for (char* r = buf; r < buf + len; r += strlen(r) + 1) {
        if ((v = value_of(r, "arg")))
            job->argv[args++] = (char*)v;
        else if ((v = value_of(r, "env")))
            job->env[envs++] = (char*)v;
        else if ((v = value_of(r, "hostname")))
            job->hostname = v;
        else if ((v = value_of(r, "modules")))
            job->modules = v;
        else if ((v = value_of(r, "out")))
            job->out = v;
        else if ((v = value_of(r, "cwd")))
            job->cwd = v;
        else if ((v = value_of(r, "tty")))
            job->tty = *v == '1';
        else if ((v = value_of(r, "stdin")))
            job->stdin_wanted = *v == '1';
        else if ((v = value_of(r, "kmemleak")))
            job->kmemleak = *v == '1';
        else if ((v = value_of(r, "rows")))
            job->rows = (unsigned int)strtoul(v, NULL, 10);
        else if ((v = value_of(r, "cols")))
            job->cols = (unsigned int)strtoul(v, NULL, 10);
        else
            die("job: unknown record \"%s\"", r);
    }
    if (!args || !job->modules || !job->out || !job->cwd || !job->hostname)
        die("job: incomplete");
}
