// SPDX-License-Identifier: GPL-2.0-only
/* A round: a process that owns devices, its threads, and the way it ends. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

/* One random number from seed and round, so that each round can be run alone. */
static u64 mix(u64 seed, u32 round, u32 actor) {
    u64 x = seed + round * 0x9e3779b97f4a7c15ULL + actor * 0xbf58476d1ce4e5b9ULL;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    x ^= x >> 31;
    return x ? x : 1;
}

static void* second_operator(void* data) {
    struct actor* actor = data;

    while (!__atomic_load_n(&actor->world->over, __ATOMIC_RELAXED))
        operate(actor);
    return NULL;
}

static _Noreturn void end(struct actor* actor, enum ending ending) {
    struct world* world = actor->world;

    for (u32 i = 0; i < DEVICES; i++)
        if (world->dev[i].fd >= 0)
            device_harvest(actor, &world->dev[i]);
    note(actor, "the end, kind %u", ending);
    count_up(world->report->endings[ending], 1);
    switch (ending) {
        case END_CLOSED:
            for (u32 i = 0; i < DEVICES; i++)
                device_close(actor, &world->dev[i]);
            break;
        case END_KILLED:
            raise(SIGKILL);
            break;
        case END_EXEC: /* files without close-on-exec go on, their owner's memory does not */
            execl("/bin/sleep", "sleep", "0.05", NULL);
            break;
        default:
            break;
    }
    _exit(0);
}

_Noreturn void round_run(struct world* world, u64 seed, u32 number) {
    struct actor first = {.world = world, .name = "first", .round = number};
    struct actor second = first;
    struct actor driver = first;
    pthread_t thread;
    u32 count;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    second.name = "second";
    driver.name = "driver";
    first.random = mix(seed, number, 0);
    second.random = mix(seed, number, 1);
    driver.random = mix(seed, number, 2);
    if (world_enter(world, &first))
        _exit(1);

    device_bring_up(&first, &world->dev[0]);
    pthread_create(&thread, NULL, drive_main, &driver);
    if (percent(&first, 60))
        pthread_create(&thread, NULL, second_operator, &second);
    count = 50 + below(&first, 250);
    for (u32 i = 0; i < count; i++)
        operate(&first);
    /* Each way in its turn. */
    end(&first, number % END_CRASHED);
}
