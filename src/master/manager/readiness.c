#include "master/manager/readiness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/status/service_state.h"
#include "master/loop/evloop.h"
#include "master/manager/manager_link.h"
#include "master/manager/watchdog.h"
#include "os/clock.h"

#define STATUS_PAUSE_MS 1000
#define STATUS_MAX 900 /* a problem may be longer; a status is one line */

/* During a stop the manager is asked every EXTEND_EVERY_MS for EXTEND_MS more time. So it does not wait much longer
 * than TimeoutStopSec= for a master that hangs. */
#define EXTEND_MS 15000
#define EXTEND_EVERY_MS 5000

struct readiness {
        struct readiness_host host;
        struct manager_link *manager;
        struct watchdog *watchdog;  /* NULL: not wanted */
        struct evloop_timer *timer; /* the next look */
        struct evloop_timer *extend_timer;
        bool is_due; /* the timer is set */
        bool has_begun, is_ready, is_stopping;
        uint64_t said_ms; /* when STATUS was sent last */
        struct text said; /* the status sent last */
        struct text note; /* precedes the numbers: the result of the last reload */
        unsigned reloads;
};

static void set_timer(struct readiness *readiness, uint64_t at_ms)
{
        evloop_timer_set(readiness->timer, at_ms);
        readiness->is_due = true;
}

static int format_status(const struct readiness *readiness, struct text *text)
{
        size_t count;
        _cleanup_(freep) struct service_pool *pools = readiness->host.describe_pools(readiness->host.context, &count);
        int r = pools ? 0 : -ENOMEM;

        if (r == 0 && readiness->note.length > 0)
                r = text_appendf(text, "%s. ", text_string(&readiness->note));
        return r == 0 ? service_status_format(pools, count, text) : r;
}

/* Send `state` (lines that end in a newline, or "") with the present status. */
static void say(struct readiness *readiness, const char *state)
{
        _cleanup_(text_clear) struct text status = {0};

        if (format_status(readiness, &status) < 0) {
                manager_link_say(readiness->manager, -1, "%s", state);
                return;
        }
        manager_link_say(readiness->manager, -1, "%sSTATUS=%s", state, text_string(&status));
        text_clear(&readiness->said);
        readiness->said = status;
        status = (struct text){0};
        readiness->said_ms = clock_now_ms();
}

static void say_if_changed(struct readiness *readiness)
{
        _cleanup_(text_clear) struct text status = {0};

        if (format_status(readiness, &status) < 0 || text_equal(text_string(&status), text_string(&readiness->said)))
                return;
        if (clock_now_ms() < readiness->said_ms + STATUS_PAUSE_MS || manager_link_is_stuck(readiness->manager))
                set_timer(readiness, MAX_OF(readiness->said_ms, clock_now_ms()) + STATUS_PAUSE_MS);
        else
                say(readiness, "");
}

/* The first of the errors as a note: `Reload 2 refused: /etc/preforkd/preforkd.conf:12: unknown key 'foo'`. */
static void note_problem(struct readiness *readiness, const struct problem_list *problems, const char *otherwise)
{
        _cleanup_(text_clear) struct text line = {0};

        for (size_t i = 0; problems && i < problems->count; i++)
                if (!problems->items[i].warning) {
                        problem_format(&problems->items[i], &line);
                        break;
                }
        text_append(&readiness->note, ": ");
        service_append_line(&readiness->note, line.length > 0 ? text_string(&line) : otherwise, STATUS_MAX);
}

static enum service_readiness look_at_pools(const struct readiness *readiness)
{
        size_t count;
        _cleanup_(freep) struct service_pool *pools = readiness->host.describe_pools(readiness->host.context, &count);

        return pools ? service_readiness_of(pools, count) : SERVICE_STARTING;
}

static void fail(struct readiness *readiness)
{
        log_event(MESSAGE_ID_START_REFUSED, LOG_ERR, "not started: no pool can serve");
        readiness_failed(readiness, ECHILD, NULL, "no pool can serve: every one of them fails to start workers");
        readiness->host.fail(readiness->host.context, "no pool can serve");
}

static void on_timer(void *context)
{
        struct readiness *readiness = context;
        bool is_starting = !readiness->is_ready && !readiness->is_stopping;
        enum service_readiness state = is_starting ? look_at_pools(readiness) : SERVICE_READY;

        readiness->is_due = false;
        if (state == SERVICE_UNABLE)
                fail(readiness);
        else if (is_starting && state == SERVICE_READY) {
                readiness->is_ready = true;
                say(readiness, "READY=1\n");
        } else
                say_if_changed(readiness);
}

static void on_extend_timer(void *context)
{
        struct readiness *readiness = context;

        manager_link_say(readiness->manager, -1, "EXTEND_TIMEOUT_USEC=%llu", EXTEND_MS * 1000ULL);
        evloop_timer_set(readiness->extend_timer, clock_now_ms() + EXTEND_EVERY_MS);
}

int readiness_new(const struct readiness_host *host, struct evloop *loop, struct reaper *reaper,
                  struct manager_link *manager, struct readiness **ret)
{
        struct readiness *readiness = calloc(1, sizeof(*readiness));
        uint64_t watchdog_ms = manager_link_watchdog_ms(manager);

        if (!readiness)
                return -ENOMEM;
        *readiness = (struct readiness){.host = *host, .manager = manager};
        int r = evloop_timer_new(loop, on_timer, readiness, &readiness->timer);
        if (r == 0)
                r = evloop_timer_new(loop, on_extend_timer, readiness, &readiness->extend_timer);
        if (r == 0 && manager_link_is_heard(manager) && watchdog_ms > 0)
                r = watchdog_new(loop, reaper, manager, watchdog_ms, &readiness->watchdog);
        if (r < 0) {
                readiness_free(readiness);
                return r;
        }
        *ret = readiness;
        return 0;
}

void readiness_begin(struct readiness *readiness)
{
        readiness->has_begun = true;
        readiness->said_ms = clock_now_ms(); /* a start shorter than STATUS_PAUSE_MS sends READY=1 only */
        readiness_touch(readiness);
}

void readiness_touch(struct readiness *readiness)
{
        bool is_starting = !readiness->is_ready && !readiness->is_stopping;

        if (!readiness->has_begun || !manager_link_is_heard(readiness->manager))
                return;
        if (is_starting) /* READY=1 does not wait for the next STATUS= */
                set_timer(readiness, 0);
        else if (!readiness->is_due)
                set_timer(readiness, readiness->said_ms + STATUS_PAUSE_MS);
}

void readiness_reloading(struct readiness *readiness)
{
        text_truncate(&readiness->note);
        text_appendf(&readiness->note, "Reload %u under way", ++readiness->reloads);
        if (!readiness->is_ready) /* READY=1 would say that the start is over */
                return;
        char state[96];
        snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu\n", (unsigned long long)clock_now_ns() / 1000);
        say(readiness, state);
}

void readiness_reloaded(struct readiness *readiness, const struct problem_list *problems)
{
        text_truncate(&readiness->note);
        text_appendf(&readiness->note, "Reload %u %s", readiness->reloads, problems ? "refused" : "applied");
        if (problems)
                note_problem(readiness, problems, "see the log");
        if (readiness->is_ready)
                say(readiness, "READY=1\n");
}

void readiness_upgraded(struct readiness *readiness, const char *from)
{
        text_truncate(&readiness->note);
        text_appendf(&readiness->note, "Upgraded from %s to " PREFORKD_VERSION, from);
        readiness_touch(readiness);
}

void readiness_stopping(struct readiness *readiness)
{
        if (!manager_link_is_heard(readiness->manager))
                return;
        readiness->is_stopping = true;
        if (readiness->has_begun) {
                text_truncate(&readiness->note);
                text_append(&readiness->note, "Stopping");
                say(readiness, "STOPPING=1\n");
        } else
                manager_link_say(readiness->manager, -1, "STOPPING=1");
        on_extend_timer(readiness);
}

void readiness_failed(struct readiness *readiness, int error, const struct problem_list *problems, const char *why)
{
        text_truncate(&readiness->note);
        text_append(&readiness->note, "Not started");
        note_problem(readiness, problems, why);
        manager_link_say(readiness->manager, -1, "ERRNO=%d\nSTATUS=%s", error, text_string(&readiness->note));
        readiness->has_begun = false; /* the reason stays in STATUS */
}

void readiness_nothing(struct readiness *readiness, const char *why)
{
        manager_link_say(readiness->manager, -1, "READY=1\nSTATUS=%s", why);
        readiness->has_begun = false; /* the reason stays in STATUS */
}

static const struct field readiness_fields[] = {
        DERIVED(struct readiness, host, "made anew"),
        DERIVED(struct readiness, manager, "set by the reader"),
        DERIVED(struct readiness, watchdog, "made anew: the next ping is due at once"),
        DERIVED(struct readiness, timer, "made anew"),
        DERIVED(struct readiness, extend_timer, "used during a stop only"),
        DERIVED(struct readiness, is_due, "set by the first turn"),
        FIELD(struct readiness, has_begun, "has_begun"),
        FIELD(struct readiness, is_ready, "is_ready"),
        DERIVED(struct readiness, is_stopping, "no upgrade happens during a stop"),
        FIELD(struct readiness, said_ms, "said_ms"),
        WRITTEN(struct readiness, said, "said"),
        WRITTEN(struct readiness, note, "note"),
        FIELD(struct readiness, reloads, "reloads"),
};

static json_t *write_part(const void *owner, struct state_file *file)
{
        const struct readiness *readiness = owner;
        json_t *object = state_file_fields(readiness_fields, ELEMENTS(readiness_fields), readiness);
        int r = state_file_set(object, "said", state_file_string(text_string(&readiness->said)));

        (void)file;
        if (r == 0)
                r = state_file_set(object, "note", state_file_string(text_string(&readiness->note)));
        return state_file_finish(object, r);
}

static int read_part(void *owner, struct state_file *file, const json_t *value)
{
        struct readiness *readiness = owner;
        int r = state_file_read_fields(file, readiness_fields, ELEMENTS(readiness_fields), value, readiness);

        if (r == 0)
                r = state_file_read_bytes(file, value, "said", &readiness->said);
        return r == 0 ? state_file_read_bytes(file, value, "note", &readiness->note) : r;
}

const struct state_part readiness_part = {.name = "readiness", .write = write_part, .read = read_part};

void readiness_free(struct readiness *readiness)
{
        if (!readiness)
                return;
        watchdog_free(readiness->watchdog);
        evloop_timer_free(readiness->timer);
        evloop_timer_free(readiness->extend_timer);
        text_clear(&readiness->said);
        text_clear(&readiness->note);
        free(readiness);
}
