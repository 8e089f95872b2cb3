#include "worker/team.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "os/clock.h"
#include "lib/orders.h"

struct member {
        struct team *team;
        size_t number;
        pthread_t thread;
        struct accept_loop loop;
        struct worker_failure failure;
        int code;
};

/* It lives as long as the process: signal handlers know the arrays. */
struct team {
        size_t count;
        struct member *members;
        struct slot **slots;
        _Atomic pid_t *tids;
        pthread_barrier_t known; /* all have stored their numbers */
        pthread_barrier_t gate;
        struct recycling_team recycling;
};

static int serve(struct member *member)
{
        struct accept_loop *loop = &member->loop;
        sigset_t retire;

        orders_enter(&loop->desk.slot);
        int r = loop->runtime_ops->enter(loop->runtime);
        if (r < 0) {
                member->failure = (struct worker_failure){.stage = PREFORK_STAGE_HANDLER, .error = -r};
                return PREFORK_EXIT_START_FAILED;
        }
        door_signal_set(&retire);
        pthread_sigmask(SIG_UNBLOCK, &retire, NULL);
        int code = accept_loop_run(loop, &member->failure);
        loop->runtime_ops->leave(loop->runtime);
        return code;
}

static void *run(void *context)
{
        struct member *member = context;
        struct team *team = member->team;

        atomic_store(&team->tids[member->number], gettid());
        pthread_barrier_wait(&team->known);
        pthread_barrier_wait(&team->gate);
        member->code = serve(member);
        slot_ending(&member->loop.desk.slot);
        atomic_store(&team->tids[member->number], 0);
        orders_enter(NULL);
        door_close(); /* for the others, and a master that has died meanwhile */
        return NULL;
}

static int allocate(size_t count, struct team **ret)
{
        struct team *team = calloc(1, sizeof(*team));

        if (!team)
                return -ENOMEM;
        *team = (struct team){.count = count,
                              .members = calloc(count, sizeof(*team->members)),
                              .slots = calloc(count, sizeof(struct slot *)),
                              .tids = calloc(count, sizeof(*team->tids))};
        *ret = team;
        if (!team->members || !team->slots || !team->tids)
                return -ENOMEM;
        int r = -pthread_barrier_init(&team->known, NULL, (unsigned)count + 1);
        return r < 0 ? r : -pthread_barrier_init(&team->gate, NULL, (unsigned)count + 1);
}

int team_start(const struct worker_plan *plan, struct prefork_scoreboard *board, struct team **ret)
{
        struct team *team;

        int r = allocate(plan->slots, &team);
        for (size_t i = 0; i < plan->slots && r == 0; i++) {
                struct member *member = &team->members[i];
                *member = (struct member){.team = team, .number = i};
                team->slots[i] = &member->loop.desk.slot;
                r = slot_attach(team->slots[i], board, plan->slot + (uint32_t)i, plan->wake_fd);
                if (r == 0)
                        r = -pthread_create(&member->thread, NULL, run, member);
        }
        if (r < 0)
                return r;
        pthread_barrier_wait(&team->known);
        team->recycling.first = team->slots[0];
        orders_set_threads(team->slots, team->tids, team->count);
        door_set_threads(team->tids, team->count, plan->listener_count > 1);
        *ret = team;
        return 0;
}

/* What the threads have in common, and for each an acceptor and what it needs for datagrams. */
static int equip_member(struct member *member, const struct accept_loop *first)
{
        struct accept_loop *loop = &member->loop;
        struct slot slot = loop->desk.slot;
        int r = 0;

        *loop = *first;
        loop->desk.slot = slot;
        loop->desk.recycling.team = &member->team->recycling;
        if (member->number > 0)
                r = acceptor_join(&loop->acceptor, first->acceptor.listeners, first->acceptor.count);
        own_fds_add(&loop->own_fds, loop->acceptor.epoll_fd);
        own_fds_add(&loop->own_fds, loop->acceptor.signal_fd);
        return r < 0 ? r : accept_loop_prepare(loop);
}

static int equip(struct team *team, const struct accept_loop *first)
{
        struct own_fds all = first->own_fds;
        int r = 0;

        for (size_t i = 0; i < team->count && r == 0; i++) {
                r = equip_member(&team->members[i], first);
                own_fds_join(&all, &team->members[i].loop.own_fds);
        }
        for (size_t i = 0; i < team->count; i++) /* each must know those of all */
                team->members[i].loop.own_fds = all;
        return r;
}

/* What the end of the worker is when its threads have ended like this: a failure of one is the worker's, and it was
 * recycled if one of them was told so. */
static int weight_of(int code)
{
        switch (code) {
        case PREFORK_EXIT_RETIRED:
                return 0;
        case PREFORK_EXIT_RECYCLED:
                return 1;
        case PREFORK_EXIT_ORPHANED:
                return 2;
        default:
                return 3;
        }
}

int team_run(struct team *team, const struct accept_loop *first, struct worker_failure *ret)
{
        int code = PREFORK_EXIT_RETIRED;

        int r = equip(team, first);
        if (r < 0)
                return r;
        /* The first is the last to say so: with it the master knows that all are ready. */
        for (size_t i = team->count; i-- > 1;)
                slot_join(team->slots[i], clock_now_ns());
        slot_ready(team->slots[0], clock_now_ns());
        pthread_barrier_wait(&team->gate);
        for (size_t i = 0; i < team->count; i++)
                pthread_join(team->members[i].thread, NULL);
        for (size_t i = 0; i < team->count; i++) {
                struct member *member = &team->members[i];
                accept_loop_clear(&member->loop);
                if (weight_of(member->code) <= weight_of(code))
                        continue;
                code = member->code;
                *ret = member->failure;
        }
        return code;
}
