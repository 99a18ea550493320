// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command and its streams. It writes into pipes (or a pty), never into a port
 * itself, so that opening /dev/stdout again works and a full port only slows it down.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct relay {
    int from;
    int to;
    uint64_t bytes;
    atomic_bool reading;
    pthread_t thread;
};

static atomic_int terminal = -1;

static void* relay_main(void* arg) {
    struct relay* r = arg;
    static _Thread_local char buf[32768];

    for (;;) {
        ssize_t n;

        atomic_store(&r->reading, true);
        n = read(r->from, buf, sizeof(buf));
        atomic_store(&r->reading, false);
        if (n < 0 && errno == EINTR)
            continue;
        /* A pty whose last user is gone gives EIO, a pipe gives 0. */
        if (n <= 0 || write_all(r->to, buf, (size_t)n) < 0)
            break;
        r->bytes += (uint64_t)n;
    }
    return NULL;
}

static void relay_start(struct relay* r) {
    int err = pthread_create(&r->thread, NULL, relay_main, r);

    if (err)
        die("relay thread: %s", strerror(err));
}

/*
 * All writers have been killed, so the end of what they wrote is near, however long the host
 * takes to read it. But one that sits in an uninterruptible sleep keeps its pipe open for
 * ever: then the relay waits in read() all the time, and is left there.
 */
static void relay_finish(struct relay* r) {
    for (int patience = 30; patience; patience--) {
        struct timespec limit;

        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_sec++;
        if (!pthread_timedjoin_np(r->thread, NULL, &limit))
            return;
        if (!atomic_load(&r->reading))
            patience = 30;
    }
    kmsg("a process that cannot be killed holds the command's output open");
}

static void* stdin_main(void* arg) {
    struct relay* r = arg;

    relay_main(r);
    /* The command sees the end of its input; a terminal has no such end. */
    if (r->to != atomic_load(&terminal))
        close(r->to);
    return NULL;
}

static void stdin_start(struct relay* r) {
    int err = pthread_create(&r->thread, NULL, stdin_main, r);

    if (err)
        die("stdin thread: %s", strerror(err));
    pthread_detach(r->thread);
}

void command_resize(unsigned int rows, unsigned int cols) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
    int fd = atomic_load(&terminal);

    if (fd >= 0)
        ioctl(fd, TIOCSWINSZ, &size);
}

static void make_pipe(int fds[2]) {
    if (pipe2(fds, O_CLOEXEC) < 0)
        die("pipe: %s", strerror(errno));
}

/* In the child: never returns. What kept the command from starting goes up the pipe. */
static void child(const struct job* job, const int fds[3], int fail) {
    sigset_t none;
    int err;

    setsid();
    if (job->tty)
        ioctl(fds[0], TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    environ = job->env;
    if (chdir(job->cwd) == 0)
        execvp(job->argv[0], job->argv);
    err = errno;
    write_all(fail, &err, sizeof(err));
    _exit(127);
}

static int exec_result(int fail) {
    int err = 0;

    if (read(fail, &err, sizeof(err)) != sizeof(err))
        err = 0;
    close(fail);
    return err;
}

/* Reaps everything, as PID 1 must, until the command itself is among the dead. */
static int wait_for(pid_t pid) {
    for (;;) {
        int status;
        pid_t dead = wait(&status);

        if (dead == pid)
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (dead < 0 && errno != EINTR)
            die("wait: %s", strerror(errno));
    }
}

/* What the command left running ends with it, as in a container. */
static void kill_the_rest(void) {
    const struct timespec pause = {0, 2000000};

    for (int tries = 0; tries < 2500; tries++) {
        pid_t dead;

        kill(-1, SIGKILL);
        while ((dead = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (dead < 0)
            return;
        nanosleep(&pause, NULL);
    }
    kmsg("a process that the command left behind cannot be killed");
}

void command_run(const struct job* job, struct outcome* outcome) {
    struct relay out = {.from = -1}, err = {.from = -1}, in = {.from = -1};
    int fds[3], fail[2];
    pid_t pid;

    out.to = port_open("vireo.stdout");
    if (job->tty) {
        struct winsize size = {.ws_row = (unsigned short)job->rows,
                               .ws_col = (unsigned short)job->cols};
        int slave;

        if (openpty(&out.from, &slave, NULL, NULL, &size) < 0)
            die("openpty: %s", strerror(errno));
        fcntl(out.from, F_SETFD, FD_CLOEXEC);
        fcntl(slave, F_SETFD, FD_CLOEXEC);
        fds[0] = fds[1] = fds[2] = slave;
        atomic_store(&terminal, out.from);
        in.to = out.from;
    } else {
        int p[2];

        make_pipe(p);
        out.from = p[0];
        fds[1] = p[1];
        make_pipe(p);
        err.from = p[0];
        fds[2] = p[1];
        if (job->stdin_wanted) {
            make_pipe(p);
            fds[0] = p[0];
            in.to = p[1];
        } else {
            fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        }
        err.to = port_open("vireo.stderr");
    }
    make_pipe(fail);

    control_send("start");
    pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (!pid)
        child(job, fds, fail[1]);
    for (int i = 0; i < 3; i++)
        if (i == 0 || fds[i] != fds[0])
            close(fds[i]);
    close(fail[1]);

    relay_start(&out);
    if (err.from >= 0)
        relay_start(&err);
    if (job->tty || job->stdin_wanted) {
        in.from = port_open("vireo.stdin");
        stdin_start(&in);
    }

    outcome->exec_errno = exec_result(fail[0]);
    outcome->status = wait_for(pid);
    kill_the_rest();
    relay_finish(&out);
    if (err.from >= 0)
        relay_finish(&err);
    outcome->out_bytes = out.bytes;
    outcome->err_bytes = err.bytes;
}
