/* Turns of a pool as text: what the tests of the policies have in common. Include after cmocka.h.
 *
 * The language, a line a string. Workers live on from line to line, with the orders carried out: what was launched
 * starts, what was retired retires.
 *     pool max 4 spare 1 3 recycling 1 …     the configuration and what else is true of the pool, from here on
 *     3s a busy asks; b gone -> let-go a (max_requests); …   at 3 s: what has happened, and what the policy orders
 *     # …                                    a remark
 *
 * Words of a pool: max N, spare MIN MAX, start N, spare-timeout T, recycling N, surge N (percent), age T, start-timeout
 * T, request-timeout T, slowlog T, kill-timeout T, detach-after T, max-detached N, dynamic, static, ondemand, adaptive,
 * wait (of inetd), refuse, processes N (the limit, in slots), threads N, generation N, backoff T (until when),
 * delay-min T, delay-max T, closing-down, paused, queued N, accepted N, refused N, water N, faulty N, missing N
 * (listeners), deaf, hears, look-again, hurry, worth T (of a start), level N T (when it was busy last), pressure-limit
 * N (percent, of cpu), pressure N (as read now, in percent), no-pressure (it cannot be
 * read), cpus N. `pool …` may also stand
 * among what has happened. Words of a worker (a letter; one that is new is ready, idle and of the pool's generation):
 * the states; idle, busy (a request begins), waiting (neither), throttled (idle, but holds a connection), unwatched
 * (reports nothing); stopped, continued; asks, asks-memory, asks-age, quiet; gen N; launched T; since T; request N;
 * serve, refuse, drain, roll; gone (reaped); failed (it could not be launched). With threads: slots N; part N (so many
 * threads idle, the others busy); thread N (whose request is shown), interrupted (it was, already), other T (another
 * one, since when), alone (no other). Words of a closing listener (a capital): gen FIRST LAST, queued N, unknown,
 * settled (no handshakes), stays, enough N (accepted), closing T (since when), gone. Behind the arrow stand all orders,
 * in order, separated by
 * "; ", and then what is published or asked for: again, at T, news (notify_busy), low N, high N, reset, watch; for
 * adaptive: reached N. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/policy/listening.h"
#include "logic/policy/scaling.h"
#include "logic/policy/turn.h"

#define WORLD_WORKERS 128
#define WORLD_LISTENERS 4

struct world_worker {
        char name;
        char replacement; /* its name; 0: none */
        struct worker_row row;
};

struct world {
        struct pool_config config;
        struct scaling_state scaling;
        struct listening_state listening;
        struct turn facts; /* what turns begin with, but for the rows */
        uint64_t generation;
        struct world_worker workers[WORLD_WORKERS];
        unsigned count;
        char next_name;
        uint64_t level_busy_ms[WORLD_WORKERS];
        struct closing_row closing[WORLD_LISTENERS];
        bool open[WORLD_LISTENERS];
        struct turn turn;
};

static inline char *next_word(char **words)
{
        char *word = strsep(words, " ");

        if (!word)
                fail_msg("a word is missing");
        return word;
}

static inline uint64_t next_number(char **words)
{
        uint64_t number = 0;
        const char *word = next_word(words);

        if (number_parse(word, &number) < 0)
                fail_msg("'%s' is no number", word);
        return number;
}

static inline uint64_t next_time(char **words)
{
        uint64_t ms = 0;
        const char *word = next_word(words);

        if (number_parse_duration_ms(word, &ms) < 0)
                fail_msg("'%s' is no time", word);
        return ms;
}

/* --- the pool ----------------------------------------------------------------------------------------------------- */

static inline bool read_pool_number(struct world *w, const char *word, char **words)
{
        const struct {
                const char *word;
                uint64_t *value;
        } numbers[] = {{"max", &w->config.max_workers},
                       {"start", &w->config.start_workers},
                       {"recycling", &w->config.max_recycling},
                       {"surge", &w->config.reload_surge_percent},
                       {"max-detached", &w->config.max_detached_workers},
                       {"threads", &w->config.threads_per_worker},
                       {"pressure-limit", &w->config.growth_pressure_limit.percent[PRESSURE_CPU]},
                       {"generation", &w->generation},
                       {"accepted", &w->facts.accepted},
                       {"refused", &w->facts.refused}},
          times[] = {{"age", &w->config.max_worker_age_ms},
                     {"start-timeout", &w->config.start_timeout_ms},
                     {"request-timeout", &w->config.request_timeout_ms},
                     {"slowlog", &w->config.request_slowlog_timeout_ms},
                     {"kill-timeout", &w->config.kill_timeout_ms},
                     {"detach-after", &w->config.detach_after_ms},
                     {"spare-timeout", &w->config.spare_timeout_ms},
                     {"delay-min", &w->config.restart_delay_min_ms},
                     {"delay-max", &w->config.restart_delay_max_ms},
                     {"backoff", &w->facts.not_before_ms}};

        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                if (text_equal(numbers[i].word, word)) {
                        *numbers[i].value = next_number(words);
                        return true;
                }
        for (size_t i = 0; i < ELEMENTS(times); i++)
                if (text_equal(times[i].word, word)) {
                        *times[i].value = next_time(words);
                        return true;
                }
        return false;
}

static inline void read_level(struct world *w, char **words)
{
        size_t level = next_number(words);

        assert_in_range(level, 1, WORLD_WORKERS);
        w->level_busy_ms[level - 1] = next_time(words);
}

static inline void read_pool(struct world *w, char *words)
{
        for (char *word; (word = strsep(&words, " "));) {
                if (read_pool_number(w, word, &words))
                        continue;
                if (text_equal(word, "spare")) {
                        w->config.min_spare_workers = next_number(&words);
                        w->config.max_spare_workers = next_number(&words);
                } else if (text_equal(word, "processes"))
                        w->facts.process_limit = (unsigned)next_number(&words);
                else if (text_equal(word, "queued"))
                        w->facts.queued = (unsigned)next_number(&words);
                else if (text_equal(word, "water"))
                        w->facts.low_water = (unsigned)next_number(&words);
                else if (text_equal(word, "dynamic"))
                        w->config.scaling = SCALING_DYNAMIC;
                else if (text_equal(word, "static"))
                        w->config.scaling = SCALING_STATIC;
                else if (text_equal(word, "ondemand"))
                        w->config.scaling = SCALING_ONDEMAND;
                else if (text_equal(word, "adaptive"))
                        w->config.scaling = SCALING_ADAPTIVE;
                else if (text_equal(word, "worth"))
                        w->facts.worth.start_ms = next_time(&words);
                else if (text_equal(word, "pressure"))
                        w->facts.pressure[PRESSURE_CPU] =
                                (struct pressure_now){.at_ms = w->facts.now_ms,
                                                      .share = (unsigned)next_number(&words) * PRESSURE_ONE_PERCENT};
                else if (text_equal(word, "cpus"))
                        w->facts.cpus = (unsigned)next_number(&words);
                else if (text_equal(word, "no-pressure"))
                        w->facts.pressure[PRESSURE_CPU] = (struct pressure_now){0};
                else if (text_equal(word, "level"))
                        read_level(w, &words);
                else if (text_equal(word, "wait")) {
                        w->config.handler_type = HANDLER_LISTENER;
                        w->config.accounting = ACCOUNTING_NONE;
                        w->config.listen_fd = LISTEN_FD_ZERO;
                        w->config.scaling = SCALING_ONDEMAND;
                } else if (text_equal(word, "refuse"))
                        w->config.when_full = FULL_REFUSE;
                else if (text_equal(word, "closing-down"))
                        w->facts.closing_down = true;
                else if (text_equal(word, "deaf"))
                        w->facts.is_deaf = true;
                else if (text_equal(word, "hears"))
                        w->facts.is_deaf = false;
                else if (text_equal(word, "faulty"))
                        w->facts.faulty = (unsigned)next_number(&words);
                else if (text_equal(word, "missing"))
                        w->facts.missing = (unsigned)next_number(&words);
                else if (text_equal(word, "look-again"))
                        w->listening.look_again = true;
                else if (text_equal(word, "hurry"))
                        listening_hurry(&w->listening);
                else if (text_equal(word, "paused"))
                        w->facts.paused = true;
                else
                        fail_msg("'%s' means nothing to a pool", word);
        }
}

/* --- workers ------------------------------------------------------------------------------------------------------ */

static inline struct world_worker *find_worker(struct world *w, char name)
{
        for (unsigned i = 0; i < w->count; i++)
                if (w->workers[i].name == name)
                        return &w->workers[i];
        return NULL;
}

static inline struct world_worker *add_worker(struct world *w, char name)
{
        assert_true(w->count < WORLD_WORKERS);
        struct world_worker *worker = &w->workers[w->count++];

        *worker = (struct world_worker){.name = name,
                                        .row = {.life = {.state = WORKER_READY},
                                                .generation = w->generation,
                                                .idle = true,
                                                .slots = pool_config_threads(&w->config)}};
        w->next_name = MAX_OF(w->next_name, (char)(name + 1));
        return worker;
}

/* Reaped: as master/pool/worker_exit does it. */
static inline void remove_worker(struct world *w, struct world_worker *worker)
{
        struct world_worker *replacement = find_worker(w, worker->replacement);

        if (replacement)
                replacement->row.purpose = WORKER_SERVE;
        for (unsigned i = 0; i < w->count; i++)
                if (w->workers[i].replacement == worker->name)
                        w->workers[i].replacement = 0;
        size_t after = (size_t)(w->workers + w->count - worker) - 1;
        memmove(worker, worker + 1, after * sizeof(*worker));
        w->count--;
}

static inline bool read_state(struct world *w, struct worker_row *row, const char *word)
{
        for (enum worker_state state = 0; state < WORKER_STATE_COUNT; state++) {
                if (!text_equal(worker_life_state_name(state), word))
                        continue;
                row->life = (struct worker_life){.state = state,
                                                 .since_ms = w->facts.now_ms,
                                                 .retired = state == WORKER_DETACHED || state == WORKER_RETIRING};
                row->idle = state == WORKER_READY;
                if (worker_life_is_starting(&row->life))
                        row->launched_ms = w->facts.now_ms;
                return true;
        }
        for (enum worker_purpose purpose = 0; purpose < WORKER_PURPOSE_COUNT; purpose++)
                if (text_equal(worker_purpose_name(purpose), word)) {
                        row->purpose = purpose;
                        return true;
                }
        return false;
}

static inline void set_activity(struct world *w, struct worker_row *row, bool idle, bool busy)
{
        if (worker_life_is_starting(&row->life))
                worker_life_feed(&row->life, WORKER_EVENT_READY, w->facts.now_ms);
        row->idle = idle && row->life.state == WORKER_READY;
        row->idle_slots = 0;
        row->busy = busy;
        row->throttled = 0;
        row->request += busy;
        row->since_ms = w->facts.now_ms;
}

static inline bool read_asks(struct worker_row *row, const char *word)
{
        static const char *const words[] = {[RECYCLE_NOT_ASKED] = "quiet",
                                            [RECYCLE_REQUESTS] = "asks",
                                            [RECYCLE_MEMORY] = "asks-memory",
                                            [RECYCLE_AGE] = "asks-age"};

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (text_equal(words[i], word)) {
                        row->asks = (enum recycle_reason)i;
                        row->asked_ns = row->since_ms * 1000000;
                        row->granted = false;
                        return true;
                }
        return false;
}

static inline void read_worker(struct world *w, char name, char *words)
{
        struct world_worker *worker = find_worker(w, name);

        if (!worker)
                worker = add_worker(w, name);
        struct worker_row *row = &worker->row;
        for (char *word; (word = strsep(&words, " "));) {
                if (read_asks(row, word))
                        continue;
                if (text_equal(word, "idle") || text_equal(word, "busy") || text_equal(word, "waiting"))
                        set_activity(w, row, text_equal(word, "idle"), text_equal(word, "busy"));
                else if (text_equal(word, "throttled")) {
                        set_activity(w, row, true, false);
                        row->throttled = 1;
                } else if (text_equal(word, "unwatched")) {
                        set_activity(w, row, false, false);
                        row->unwatched = true;
                } else if (text_equal(word, "stopped") || text_equal(word, "continued"))
                        row->stopped = text_equal(word, "stopped");
                else if (text_equal(word, "gen"))
                        row->generation = next_number(&words);
                else if (text_equal(word, "launched"))
                        row->launched_ms = next_time(&words);
                else if (text_equal(word, "since"))
                        row->since_ms = next_time(&words);
                else if (text_equal(word, "request"))
                        row->request = next_number(&words);
                else if (text_equal(word, "slots"))
                        row->slots = (uint32_t)next_number(&words);
                else if (text_equal(word, "part")) {
                        set_activity(w, row, false, true);
                        row->idle_slots = (uint32_t)next_number(&words);
                } else if (text_equal(word, "thread"))
                        row->thread = (uint32_t)next_number(&words);
                else if (text_equal(word, "interrupted"))
                        row->interrupted = true;
                else if (text_equal(word, "other"))
                        row->other = (struct worker_request){.present = true, .since_ms = next_time(&words)};
                else if (text_equal(word, "alone"))
                        row->other = (struct worker_request){.present = false};
                else if (text_equal(word, "gone") || text_equal(word, "failed")) {
                        remove_worker(w, worker);
                        return;
                } else if (!read_state(w, row, word))
                        fail_msg("'%s' means nothing to a worker", word);
        }
}

/* --- closing listeners -------------------------------------------------------------------------------------------- */

static inline void read_listener(struct world *w, char name, char *words)
{
        struct closing_row *item = &w->closing[name - 'A'];
        bool *open = &w->open[name - 'A'];

        assert_true(name - 'A' < WORLD_LISTENERS);
        if (!*open)
                *item = (struct closing_row){
                        .closing_since_ms = w->facts.now_ms, .last_generation = w->generation, .queue_known = true};
        *open = true;
        for (char *word; (word = strsep(&words, " "));) {
                if (text_equal(word, "gen")) {
                        item->since_generation = next_number(&words);
                        item->last_generation = next_number(&words);
                } else if (text_equal(word, "queued"))
                        item->queued = (unsigned)next_number(&words);
                else if (text_equal(word, "unknown"))
                        item->queue_known = false;
                else if (text_equal(word, "settled"))
                        item->no_handshakes = true;
                else if (text_equal(word, "hopeless"))
                        item->hopeless = true;
                else if (text_equal(word, "stays"))
                        item->stays_open = true;
                else if (text_equal(word, "enough"))
                        item->enough_accepted = next_number(&words);
                else if (text_equal(word, "closing"))
                        item->closing_since_ms = next_time(&words);
                else if (text_equal(word, "gone"))
                        *open = false;
                else
                        fail_msg("'%s' means nothing to a listener", word);
        }
}

/* --- a turn ------------------------------------------------------------------------------------------------------- */

static inline void take_snapshot(struct world *w)
{
        struct turn *turn = &w->turn, used;

        turn_begin(turn, w->facts.now_ms, w->generation);
        used = *turn;
        *turn = w->facts;
        turn->rows = used.rows;
        turn->orders = used.orders;
        turn->levels = used.levels;
        turn->next_ms = used.next_ms;
        turn->config = &w->config;
        turn->limits = scale_limits_of(&w->config);
        turn->scaling = &w->scaling;
        turn->listening = &w->listening;
        turn->level_busy_ms = w->level_busy_ms;
        turn->level_count = WORLD_WORKERS;
        turn->closing = w->closing;
        turn->closing_count = 0;
        for (size_t i = 0; i < WORLD_LISTENERS; i++)
                if (w->open[i])
                        turn->closing_count = i + 1;
        for (size_t i = 0; i < turn->closing_count; i++)
                w->closing[i].closed = !w->open[i];
        assert_int_equal(worker_rows_reserve(&turn->rows, w->count), 0);
        for (unsigned i = 0; i < w->count; i++)
                worker_rows_add(&turn->rows, &w->workers[i].row);
        for (unsigned i = 0; i < w->count; i++)
                if (w->workers[i].replacement)
                        worker_rows_link(&turn->rows, i,
                                         (uint32_t)(find_worker(w, w->workers[i].replacement) - w->workers));
        if (!scaling_asks_pressure(turn))
                memset(turn->pressure, 0, sizeof(turn->pressure));
}

/* The rows as the orders left them; what was launched runs. */
static inline void keep_rows(struct world *w)
{
        const struct worker_rows *rows = &w->turn.rows;

        while (w->count < rows->count)
                add_worker(w, w->next_name);
        for (unsigned i = 0; i < rows->count; i++) {
                uint32_t replacement = rows->items[i].replacement;
                w->workers[i].row = rows->items[i];
                w->workers[i].replacement = replacement == WORKER_ROW_NONE ? 0 : w->workers[replacement].name;
                if (rows->items[i].life.state == WORKER_LAUNCHING)
                        worker_life_feed(&w->workers[i].row.life, WORKER_EVENT_LAUNCHED, w->facts.now_ms);
        }
        for (size_t i = 0; i < w->turn.closing_count; i++)
                w->open[i] = w->open[i] && !w->closing[i].closed;
}

static inline void write_launch(const struct world *w, const struct order *order, struct text *text)
{
        const char *why = orders_text(&w->turn.orders, order);

        text_append(text, "launch");
        for (unsigned i = 0; i < order->count; i++)
                text_appendf(text, " %c", w->workers[order->row + i].name);
        text_appendf(text, " %s", worker_purpose_name(order->purpose));
        if (order->replaces != WORKER_ROW_NONE)
                text_appendf(text, " %c", w->workers[order->replaces].name);
        if (*why)
                text_appendf(text, " (%s)", why);
}

static inline void write_order(const struct world *w, const struct order *order, struct text *text)
{
        char worker = w->workers[order->row].name, listener = (char)('A' + order->row);

        switch (order->kind) {
        case ORDER_LAUNCH:
                write_launch(w, order, text);
                break;
        case ORDER_RETIRE:
                text_appendf(text, "retire %c (%s)", worker, order->reason);
                break;
        case ORDER_LET_GO:
                text_appendf(text, "let-go %c (%s)", worker, order->reason);
                break;
        case ORDER_SERVE_ON:
                text_appendf(text, "serve-on %c", worker);
                break;
        case ORDER_SETTLE:
                text_appendf(text, "settle %c", worker);
                break;
        case ORDER_FEED:
                text_appendf(text, "feed %c %s", worker, worker_life_event_name(order->event));
                break;
        case ORDER_INTERRUPT:
                text_appendf(text, "interrupt %c", worker);
                break;
        case ORDER_CLOSE:
                text_appendf(text, "close %c", listener);
                break;
        case ORDER_OPEN_LISTENERS:
                text_append(text, "open");
                break;
        case ORDER_EXAMINE_LISTENERS:
                text_append(text, "examine");
                break;
        case ORDER_NOTE_QUEUE:
                text_appendf(text, "waits %c", listener);
                break;
        case ORDER_RECORD:
        case ORDER_TELL_RELIEVED:
                text_appendf(text, "say %s", orders_text(&w->turn.orders, order));
                break;
        case ORDER_TELL_SATURATED:
                text_appendf(text, "warn %s", orders_text(&w->turn.orders, order));
                break;
        case ORDER_TELL_SLOW:
                text_appendf(text, "slow %c after ", worker);
                number_format_duration_ms(text, order->duration_ms);
                break;
        case ORDER_NOTE_EMPTY:
                text_appendf(text, "empty %c", listener);
                break;
        case ORDER_GIVE_UP:
        case ORDER_TELL_WORKER:
                text_appendf(text, "%s %c %s after ", order->kind == ORDER_GIVE_UP ? "give-up" : "tell", worker,
                             order->reason);
                number_format_duration_ms(text, order->duration_ms);
                break;
        case ORDER_KIND_COUNT:
                fail_msg("no order");
        }
}

static inline void write_outcome(const struct world *w, struct text *text)
{
        const struct turn *turn = &w->turn;

        for (size_t i = 0; i < turn->orders.count; i++) {
                text_append(text, i == 0 ? " " : "; ");
                write_order(w, &turn->orders.items[i], text);
        }
        text_append(text, turn->again ? " again" : "");
        if (turn->next_ms != TURN_NEVER_MS) {
                text_append(text, " at ");
                number_format_duration_ms(text, turn->next_ms);
        }
        text_append(text, turn->levels.notify_busy ? " news" : "");
        if (turn->levels.low_below > 0)
                text_appendf(text, " low %u", turn->levels.low_below);
        if (turn->levels.high_above != UINT32_MAX)
                text_appendf(text, " high %u", turn->levels.high_above);
        text_append(text, turn->levels.reset_low_water ? " reset" : "");
        text_append(text, turn->levels.watch_listeners ? " watch" : "");
        if (turn->levels.reached > 0)
                text_appendf(text, " reached %u", turn->levels.reached);
}

/* One thing that has happened: "a busy asks", "A queued 3", "pool queued 3". */
static inline void read_change(struct world *w, char *change)
{
        while (*change == ' ')
                change++;
        if (*change == '\0')
                return;
        char *words = change, *word = strsep(&words, " ");
        if (text_equal(word, "pool"))
                read_pool(w, words);
        else if (*word >= 'A' && *word <= 'Z')
                read_listener(w, *word, words);
        else
                read_worker(w, *word, words);
}

static inline void play_line(struct world *w, void (*policy)(struct turn *turn), char *line, const char *expected,
                             const char *whole)
{
        _cleanup_(text_clear) struct text said = {0};
        char *changes = line;

        w->facts.now_ms = next_time(&changes);
        for (char *change; (change = strsep(&changes, ";"));)
                read_change(w, change);
        take_snapshot(w);
        policy(&w->turn);
        keep_rows(w);
        write_outcome(w, &said);
        if (!text_equal(text_string(&said), expected))
                fail_msg("%s\n  the policy says:%s", whole, text_string(&said));
}

static inline void play_turns(void (*policy)(struct turn *turn), const char *const *lines, size_t count)
{
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        w->facts.process_limit = 100;
        w->generation = 1;
        w->next_name = 'a';
        w->facts.low_water = UINT32_MAX;
        for (size_t i = 0; i < count; i++) {
                _cleanup_(text_clear) struct text line = {0};
                assert_int_equal(text_append(&line, lines[i]), 0);
                char *arrow = strstr(line.bytes, " ->");
                if (arrow) {
                        *arrow = '\0';
                        play_line(w, policy, line.bytes, arrow + strlen(" ->"), lines[i]);
                } else if (text_starts_with(line.bytes, "pool "))
                        read_pool(w, line.bytes + strlen("pool "));
                else
                        assert_true(text_starts_with(line.bytes, "#"));
        }
        turn_clear(&w->turn);
        free(w);
}

#define PLAY(policy, ...)                                                                                              \
        do {                                                                                                           \
                static const char *const lines_[] = {__VA_ARGS__};                                                     \
                play_turns(policy, lines_, ELEMENTS(lines_));                                                          \
        } while (0)
