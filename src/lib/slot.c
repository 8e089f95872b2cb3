#include "lib/slot.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/cleanup.h"
#include "lib/idle_set.h"
#include "lib/sys.h"

/* How often to look whether another worker has drawn its ticket. That takes about 100 ns, unless the worker waits for a
 * processor; therefore later looks yield, and may take milliseconds each. */
#define DRAWING_LOOKS 300
#define DRAWING_LOOKS_BUSY 100

/* A wake-up that cannot be written is tried again after 1, 2, 4, … milliseconds, for a second in
 * all. */
#define WAKE_TRIES 10

/* A worker that was given up is killed at once, unless its master dies. */
#define KILL_SECONDS 10

int slot_attach(struct slot *slot, struct prefork_scoreboard *board, uint32_t index, int wake_fd)
{
        if (board->magic != PREFORK_SCOREBOARD_MAGIC || board->version != PREFORK_SCOREBOARD_VERSION ||
            board->slot_bytes != sizeof(struct prefork_slot) || board->slot_count != PREFORK_SCOREBOARD_SLOTS)
                return -EPROTO;
        if (index >= PREFORK_SCOREBOARD_SLOTS)
                return -ERANGE;
        *slot = (struct slot){.board = board,
                              .words = &board->slots[index],
                              .rates = rate_table_of(board),
                              .index = index,
                              .wake_fd = wake_fd};
        return 0;
}

/* Wake the master, which would not look by itself. A full pipe wakes as well as another byte does, and without a master
 * (EPIPE) there is nobody to wake. A moment without memory passes. False: it was not woken. */
static bool write_byte(int fd)
{
        _Atomic uint32_t nothing = 0;
        struct timespec pause = {.tv_nsec = 1000000};

        for (unsigned tries = 0; tries < WAKE_TRIES; tries++) {
                long r = sys_write(fd, "", 1);
                if (r == 1 || r == -EAGAIN || r == -EPIPE)
                        return true;
                if (r != -EINTR && r != -ENOMEM)
                        return false;
                sys_futex_wait(&nothing, 0, &pause);
                pause.tv_nsec = pause.tv_nsec * 2 % 1000000000;
        }
        return false;
}

void slot_wake(struct slot *slot, enum prefork_wake reason)
{
        _Atomic uint32_t *flag = &slot->board->wake[reason];

        /* While the flag is set, the load alone avoids contention on its line. It must be seq_cst, like the exchange:
         * if it sees the flag set, our change is ordered before the exchange by which the master clears the flag, and
         * so before the recount. */
        if (atomic_load(flag) != 0 || atomic_exchange(flag, 1) != 0)
                return;
        /* If it cannot be written at all, the next one who sees a reason tries. */
        if (!write_byte(slot->wake_fd))
                atomic_store(flag, 0);
}

static void set_activity(struct slot *slot, enum prefork_activity activity, uint64_t now_ns)
{
        atomic_store_explicit(&slot->words->activity_since_ns, now_ns, memory_order_relaxed);
        atomic_store_explicit(&slot->words->activity, activity, memory_order_release);
}

/* The master, which kills what this process has started before it kills the process, is about to. */
static _Noreturn void await_end(void)
{
        _Atomic uint32_t nothing = 0;
        const struct timespec second = {.tv_sec = 1};

        for (unsigned i = 0; i < KILL_SECONDS; i++)
                sys_futex_wait(&nothing, 0, &second);
        sys_exit(PREFORK_EXIT_ORPHANED);
}

/* The first report of a worker. If the master has given it up, it takes no connection any more. */
static void report_first(struct slot *slot, enum prefork_activity activity, uint64_t now_ns)
{
        uint32_t before = PREFORK_STARTING;

        atomic_store_explicit(&slot->words->activity_since_ns, now_ns, memory_order_relaxed);
        if (atomic_compare_exchange_strong(&slot->words->activity, &before, activity))
                return;
        if (before == PREFORK_ENDING) {
                idle_set_remove(slot->board, slot->index);
                await_end();
        }
        set_activity(slot, activity, now_ns);
}

/* What the board has of the level at which so many workers are busy; NULL: there is no such level. */
static struct prefork_slot *slot_of_level(struct prefork_scoreboard *board, uint32_t level)
{
        return level > 0 && level <= PREFORK_SCOREBOARD_SLOTS ? &board->slots[level - 1] : NULL;
}

/* The level that is busy while `idle` of those that report are not; 0: none, or that is not known. If the master wants
 * to know, note when it was so. The other levels below are busy as well, and whoever reads it knows. */
static uint32_t note_level(struct prefork_scoreboard *board, uint32_t idle, uint64_t now_ns)
{
        uint32_t levels = atomic_load_explicit(&board->levels, memory_order_relaxed);
        uint32_t reporting = atomic_load_explicit(&board->reporting, memory_order_relaxed);
        uint32_t level = levels != PREFORK_LEVELS_UNKNOWN && reporting > idle ? reporting - idle : 0;
        struct prefork_slot *words = slot_of_level(board, level);

        if (words && levels == PREFORK_LEVELS_STAMPED)
                atomic_store_explicit(&words->level_busy_ns, now_ns, memory_order_relaxed);
        return level;
}

/* One more is idle: perhaps more than should be. */
static void wake_if_many(struct slot *slot)
{
        uint32_t high_above = atomic_load(&slot->board->high_above);

        if (high_above != UINT32_MAX && idle_set_count(slot->board) > high_above)
                slot_wake(slot, PREFORK_WAKE_HIGH);
}

/* The word that says so is the last: the master would take a worker that is ready and not in the set for a busy one,
 * and would add one that has not added itself. (It counts all that report, but a little later, and many may be busy by
 * then.) Until then others see less that is busy than there is, which hides no level for long. */
void slot_join(struct slot *slot, uint64_t now_ns)
{
        idle_set_add(slot->board, slot->index);
        atomic_fetch_add(&slot->board->reporting, 1);
        report_first(slot, PREFORK_IDLE, now_ns);
        idle_set_add(slot->board, slot->index); /* again: a signal may have stopped us before that word was there */
        wake_if_many(slot);
}

void slot_ready(struct slot *slot, uint64_t now_ns)
{
        slot_join(slot, now_ns);
        slot_wake(slot, PREFORK_WAKE_READY);
}

void slot_unwatched(struct slot *slot, uint64_t now_ns)
{
        report_first(slot, PREFORK_UNWATCHED, now_ns);
        slot_wake(slot, PREFORK_WAKE_READY);
}

/* Join the idle set, or stay in it. */
static void join_idle_set(struct slot *slot, enum prefork_activity activity, uint64_t now_ns)
{
        struct prefork_scoreboard *board = slot->board;

        /* Before it is idle: of two that leave at once, both may note the higher level, but none is missed. */
        if (atomic_load_explicit(&board->levels, memory_order_relaxed) == PREFORK_LEVELS_STAMPED)
                note_level(board, idle_set_count(board), now_ns);
        set_activity(slot, activity, now_ns);
        idle_set_add(board, slot->index);
        wake_if_many(slot);
}

void slot_idle(struct slot *slot, uint64_t now_ns)
{
        join_idle_set(slot, PREFORK_IDLE, now_ns);
}

/* Lower the low-water mark to `idle` if it is above. */
static void lower_low_water(struct prefork_scoreboard *board, uint32_t idle)
{
        uint32_t mark = atomic_load(&board->low_water);

        while (idle < mark && !atomic_compare_exchange_weak(&board->low_water, &mark, idle))
                ;
}

/* Leave the idle set for that activity. Returns the level that is reached. */
static uint32_t leave_idle_set(struct slot *slot, enum prefork_activity activity, uint64_t now_ns)
{
        struct prefork_scoreboard *board = slot->board;

        set_activity(slot, activity, now_ns);
        idle_set_remove(board, slot->index);
        uint32_t idle = idle_set_count(board);
        lower_low_water(board, idle);
        uint32_t level = note_level(board, idle, now_ns);
        if (idle < atomic_load(&board->low_below))
                slot_wake(slot, PREFORK_WAKE_LOW);
        return level;
}

void slot_hold(struct slot *slot, uint64_t now_ns)
{
        leave_idle_set(slot, PREFORK_HOLDING, now_ns);
}

void slot_busy(struct slot *slot, uint64_t now_ns)
{
        const struct prefork_scoreboard *board = slot->board;

        atomic_fetch_add_explicit(&slot->words->requests_begun, 1, memory_order_relaxed);
        uint32_t level = leave_idle_set(slot, PREFORK_BUSY, now_ns);
        atomic_store_explicit(&slot->words->level, level, memory_order_relaxed);
        if (atomic_load(&board->notify_busy))
                slot_wake(slot, PREFORK_WAKE_BUSY);
}

unsigned slot_duration_bucket(uint64_t duration_ns)
{
        uint64_t us = duration_ns / 1000;
        unsigned bucket = us == 0 ? 0 : 64 - (unsigned)__builtin_clzll(us);

        return bucket < PREFORK_DURATION_BUCKETS ? bucket : PREFORK_DURATION_BUCKETS - 1;
}

/* The worker lines of a slot have one writer, so a load and a store are enough for an addition. */
#define ADD_OWN(word, amount)                                                                                          \
        atomic_store_explicit(&(word), atomic_load_explicit(&(word), memory_order_relaxed) + (amount),                 \
                              memory_order_relaxed)

void slot_throttle(struct slot *slot, uint64_t now_ns)
{
        ADD_OWN(slot->words->throttled, 1);
        join_idle_set(slot, PREFORK_THROTTLED, now_ns);
}

void slot_waited(struct slot *slot, uint64_t wait_ns)
{
        ADD_OWN(slot->words->waits[slot_duration_bucket(wait_ns)], 1);
}

bool slot_is_crash(int signal_number)
{
        static const uint8_t crashes[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP};

        for (size_t i = 0; i < ELEMENTS(crashes); i++)
                if (crashes[i] == signal_number)
                        return true;
        return false;
}

/* The time of a request is that of the level at which it began, whatever came while it lasted. */
static void add_work(struct slot *slot, uint64_t duration_ns)
{
        uint32_t level = atomic_load_explicit(&slot->words->level, memory_order_relaxed);
        struct prefork_slot *words = slot_of_level(slot->board, level);

        if (words)
                atomic_fetch_add_explicit(&words->level_work_us, duration_ns / 1000, memory_order_relaxed);
}

void slot_done(struct slot *slot, uint64_t now_ns, int handler_status, uint64_t handler_cpu_us)
{
        struct prefork_slot *words = slot->words;
        uint64_t since_ns = atomic_load_explicit(&words->activity_since_ns, memory_order_relaxed);
        uint64_t duration_ns = now_ns > since_ns ? now_ns - since_ns : 0;
        bool died_of_signal = (handler_status & 0x7f) != 0, failed = !died_of_signal && handler_status >> 8 != 0;

        add_work(slot, duration_ns);
        ADD_OWN(words->busy_ns, duration_ns);
        ADD_OWN(words->handler_cpu_us, handler_cpu_us);
        ADD_OWN(words->durations[slot_duration_bucket(duration_ns)], 1);
        atomic_store_explicit(&words->handler_status, handler_status, memory_order_relaxed);
        if (died_of_signal)
                ADD_OWN(words->handler_deaths, 1);
        if (slot_is_crash(handler_status & 0x7f))
                ADD_OWN(words->handler_crashes, 1);
        if (failed)
                ADD_OWN(words->handler_failures, 1);
        uint64_t begun = atomic_load_explicit(&words->requests_begun, memory_order_relaxed);
        atomic_store_explicit(&words->requests_ended, begun, memory_order_release);
}

void slot_lost(struct slot *slot)
{
        ADD_OWN(slot->words->lost, 1);
}

void slot_ending(struct slot *slot)
{
        atomic_store(&slot->words->activity, PREFORK_ENDING);
        idle_set_remove(slot->board, slot->index);
}

void slot_ask_recycle(struct slot *slot, enum prefork_recycle reason)
{
        if (atomic_load(&slot->words->recycle) != PREFORK_RECYCLE_NONE)
                return;
        /* Clear the answer to the last question. The master writes an answer only to an open question. */
        atomic_store(&slot->words->answer, PREFORK_ANSWER_NONE);
        atomic_store(&slot->words->recycle, reason);
        slot_wake(slot, PREFORK_WAKE_RECYCLE);
}

enum prefork_answer slot_wait_recycle(struct slot *slot, unsigned timeout_ms)
{
        _Atomic uint32_t *answer = &slot->words->answer;
        const struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

        atomic_store(&slot->words->activity, PREFORK_WAITING);
        if (timeout_ms > 0 && atomic_load(answer) == PREFORK_ANSWER_NONE)
                sys_futex_wait(answer, PREFORK_ANSWER_NONE, &timeout);
        uint32_t word = atomic_load(answer);
        if (word == PREFORK_ANSWER_LATER)
                atomic_store(&slot->words->recycle, PREFORK_RECYCLE_NONE);
        return word;
}

/* Does `other` serve a connection of the same source that came before `ticket`? If it is drawing its ticket, wait for
 * it: when two connections arrive together, assuming an earlier ticket would refuse both, and assuming a later one
 * would admit both. If the ticket does not come, because the worker was killed or has no processor, assume an earlier
 * one: the limit matters more than this client. */
static bool came_earlier(const struct prefork_slot *other, uint64_t source, uint64_t ticket)
{
        for (unsigned looks = 0; looks < DRAWING_LOOKS; looks++) {
                if (atomic_load(&other->source) != source)
                        return false;
                uint64_t others_ticket = atomic_load(&other->source_ticket);
                if (others_ticket != 0)
                        return others_ticket < ticket;
                if (looks >= DRAWING_LOOKS_BUSY)
                        sys_sched_yield();
        }
        return true;
}

static uint32_t count_earlier(const struct slot *slot, uint64_t source, uint64_t ticket)
{
        uint32_t limit = atomic_load(&slot->board->slot_limit), count = 0;

        for (uint32_t i = 0; i < limit && i < PREFORK_SCOREBOARD_SLOTS; i++)
                count += i != slot->index && came_earlier(&slot->board->slots[i], source, ticket);
        return count;
}

bool slot_enter_source(struct slot *slot, uint64_t source)
{
        uint32_t most = atomic_load(&slot->board->max_connections_per_source);

        if (most == 0 || source == 0)
                return true;
        /* Mark the ticket as being drawn before the source becomes visible, so that of two connections that arrive
         * together the later sees the earlier. */
        atomic_store(&slot->words->source_ticket, 0);
        atomic_store(&slot->words->source, source);
        uint64_t ticket = atomic_fetch_add(&slot->board->tickets, 1) + 1;
        atomic_store(&slot->words->source_ticket, ticket);
        if (count_earlier(slot, source, ticket) < most)
                return true;
        slot_leave_source(slot);
        ADD_OWN(slot->words->refused, 1);
        return false;
}

void slot_was_idle(struct slot *slot)
{
        ADD_OWN(slot->words->idle_timeouts, 1);
}

void slot_refused_access(struct slot *slot)
{
        ADD_OWN(slot->words->refused_access, 1);
}

void slot_refused_proxy(struct slot *slot)
{
        ADD_OWN(slot->words->refused_proxy, 1);
}

/* Both come after slot_waited(), and are not relaxed: who reads in the other order finds no more waits than
 * connections, but for the present one (logic/status/tally). */
void slot_refused_wait(struct slot *slot)
{
        atomic_fetch_add(&slot->words->refused_wait, 1);
}

void slot_refused_banner(struct slot *slot)
{
        atomic_fetch_add(&slot->words->refused_banner, 1);
}

void slot_refused_rate(struct slot *slot)
{
        ADD_OWN(slot->words->refused_rate, 1);
}

void slot_leave_source(struct slot *slot)
{
        if (atomic_load_explicit(&slot->words->source, memory_order_relaxed) != 0)
                atomic_store(&slot->words->source, 0);
}
