#include "lib/recycling.h"

#include "lib/decimal.h"
#include "lib/door.h"
#include "lib/sys.h"

/* If the master does not answer within this time (it may be stopped), the worker goes on serving and no longer waits
 * for the answer: recycling must not delay clients. */
#define ANSWER_TIMEOUT_MS 1000

int recycling_open_memory(void)
{
        return sys_open("/proc/self/statm");
}

void recycling_begin(struct recycling *recycling, int statm_fd, uint64_t now_ns)
{
        uint32_t random = 0;

        /* Not rand(3): all workers are forks of the master and would have the same state. */
        if (sys_getrandom(&random, sizeof(random)) < 0)
                random = (uint32_t)sys_getpid() * 2654435761U;
        *recycling = (struct recycling){
                .statm_fd = statm_fd, .born_ns = now_ns, .jitter_permille = (int32_t)(random % 2001) - 1000};
}

/* The number of this worker's last request; 0: no limit. */
static uint64_t last_request(const struct recycling *recycling, const struct prefork_scoreboard *board,
                             uint64_t postponed)
{
        uint64_t most = atomic_load_explicit(&board->max_requests, memory_order_relaxed);
        uint32_t jitter = atomic_load_explicit(&board->max_requests_jitter_percent, memory_order_relaxed);

        if (most == 0)
                return 0;
        double shift = (double)most * jitter / 100 * recycling->jitter_permille / 1000;
        double last = (double)most + shift;
        return (last < 1 ? 1 : (uint64_t)(last + 0.5)) + postponed;
}

/* The master recycles idle workers that are too old. A worker that is always busy must ask itself. */
static bool is_too_old(const struct recycling *recycling, const struct slot *slot, uint64_t now_ns)
{
        uint64_t most_ns = atomic_load_explicit(&slot->board->max_worker_age_ns, memory_order_relaxed);

        return most_ns > 0 && now_ns - recycling->born_ns >= most_ns;
}

/* Of several that are due, one writes the question. */
static void team_ask(struct recycling_team *team, enum prefork_recycle reason)
{
        if (atomic_exchange(&team->asking, true))
                return;
        slot_ask_recycle(team->first, reason);
        atomic_store(&team->asking, false);
}

static void team_request_begun(const struct recycling *recycling, const struct slot *slot, uint64_t now_ns)
{
        struct recycling_team *team = recycling->team;
        uint64_t begun = atomic_fetch_add(&team->begun, 1) + 1;
        uint64_t last = last_request(recycling, slot->board, atomic_load(&team->postponed));

        if (last > 0 && begun >= last)
                team_ask(team, PREFORK_RECYCLE_REQUESTS);
        else if (is_too_old(recycling, slot, now_ns))
                team_ask(team, PREFORK_RECYCLE_AGE);
}

void recycling_request_begun(const struct recycling *recycling, struct slot *slot, uint64_t now_ns)
{
        if (recycling->team) {
                team_request_begun(recycling, slot, now_ns);
                return;
        }
        uint64_t last = last_request(recycling, slot->board, recycling->postponed);

        if (last > 0 && atomic_load_explicit(&slot->words->requests_begun, memory_order_relaxed) >= last)
                slot_ask_recycle(slot, PREFORK_RECYCLE_REQUESTS);
        else if (is_too_old(recycling, slot, now_ns))
                slot_ask_recycle(slot, PREFORK_RECYCLE_AGE);
}

/* Resident bytes of this process; 0 if unknown. */
static uint64_t resident_bytes(const struct recycling *recycling)
{
        char text[128];
        const char *rest = text;
        uint64_t total, resident;

        long length = sys_pread(recycling->statm_fd, text, sizeof(text) - 1);
        if (length <= 0)
                return 0;
        text[length] = '\0';
        if (!decimal_next(&rest, &total) || !decimal_next(&rest, &resident))
                return 0;
        return resident * sys_page_bytes();
}

bool recycling_was_granted(const struct recycling *recycling, const struct slot *slot)
{
        if (recycling->team)
                slot = recycling->team->first;
        return atomic_load(&slot->words->recycle) != PREFORK_RECYCLE_NONE &&
               atomic_load(&slot->words->answer) == PREFORK_ANSWER_GO;
}

static uint64_t postponement(const struct prefork_scoreboard *board)
{
        return atomic_load_explicit(&board->max_requests, memory_order_relaxed) / 10 + 1;
}

/* True if the question is answered with GO. LATER closes it, for the one who is first to see that. */
static bool team_is_granted(struct recycling_team *team)
{
        struct prefork_slot *words = team->first->words;
        uint32_t answer = atomic_load(&words->answer), question = atomic_load(&words->recycle);

        if (question == PREFORK_RECYCLE_NONE || door_is_closed())
                return false;
        if (answer == PREFORK_ANSWER_LATER &&
            atomic_compare_exchange_strong(&words->recycle, &question, PREFORK_RECYCLE_NONE))
                atomic_fetch_add(&team->postponed, postponement(team->first->board));
        return answer == PREFORK_ANSWER_GO;
}

static void ask(const struct recycling *recycling, struct slot *slot, enum prefork_recycle reason)
{
        if (recycling->team)
                team_ask(recycling->team, reason);
        else
                slot_ask_recycle(slot, reason);
}

bool recycling_is_due(struct recycling *recycling, struct slot *slot, uint64_t now_ns)
{
        uint64_t most = atomic_load_explicit(&slot->board->max_worker_memory_bytes, memory_order_relaxed);

        if (most > 0 && resident_bytes(recycling) > most)
                ask(recycling, slot, PREFORK_RECYCLE_MEMORY);
        else if (is_too_old(recycling, slot, now_ns))
                ask(recycling, slot, PREFORK_RECYCLE_AGE);
        if (recycling->team)
                return team_is_granted(recycling->team);
        if (atomic_load(&slot->words->recycle) == PREFORK_RECYCLE_NONE || door_is_closed())
                return false;
        enum prefork_answer answer = slot_wait_recycle(slot, recycling->master_silent ? 0 : ANSWER_TIMEOUT_MS);
        recycling->master_silent = answer == PREFORK_ANSWER_NONE;
        if (answer == PREFORK_ANSWER_LATER)
                recycling->postponed += postponement(slot->board);
        return answer == PREFORK_ANSWER_GO;
}
