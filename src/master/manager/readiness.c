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
#define STATUS_MAX 900 /* a problem may be long; a status is one line */

/* While it drains, the manager is asked for so much more time, so often: a master that hangs is not waited for much
 * longer than TimeoutStopSec=. */
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
        uint64_t said_ms; /* when STATUS was said last */
        struct text said; /* what it was */
        struct text note; /* goes before the numbers: how the last reload ended */
        unsigned reloads;
};

static void set_timer(struct readiness *service, uint64_t at_ms)
{
        evloop_timer_set(service->timer, at_ms);
        service->is_due = true;
}

static int format_status(const struct readiness *service, struct text *text)
{
        size_t count;
        _cleanup_(freep) struct service_pool *pools = service->host.describe_pools(service->host.context, &count);
        int r = pools ? 0 : -ENOMEM;

        if (r == 0 && service->note.length > 0)
                r = text_appendf(text, "%s. ", text_string(&service->note));
        return r == 0 ? service_status_format(pools, count, text) : r;
}

/* Say `state` (lines that end in a newline, or "") with the status of now. */
static void say(struct readiness *service, const char *state)
{
        _cleanup_(text_clear) struct text status = {0};

        if (format_status(service, &status) < 0) {
                manager_link_say(service->manager, -1, "%s", state);
                return;
        }
        manager_link_say(service->manager, -1, "%sSTATUS=%s", state, text_string(&status));
        text_clear(&service->said);
        service->said = status;
        status = (struct text){0};
        service->said_ms = clock_now_ms();
}

static void say_if_changed(struct readiness *service)
{
        _cleanup_(text_clear) struct text status = {0};

        if (format_status(service, &status) < 0 || text_equal(text_string(&status), text_string(&service->said)))
                return;
        if (clock_now_ms() < service->said_ms + STATUS_PAUSE_MS || manager_link_is_stuck(service->manager))
                set_timer(service, MAX_OF(service->said_ms, clock_now_ms()) + STATUS_PAUSE_MS);
        else
                say(service, "");
}

/* The first of the errors as a note: `Reload 2 refused: /etc/preforkd/preforkd.conf:12: unknown key 'foo'`. */
static void note_problem(struct readiness *service, const struct problem_list *problems, const char *otherwise)
{
        _cleanup_(text_clear) struct text line = {0};

        for (size_t i = 0; problems && i < problems->count; i++)
                if (!problems->items[i].warning) {
                        problem_format(&problems->items[i], &line);
                        break;
                }
        text_append(&service->note, ": ");
        service_append_line(&service->note, line.length > 0 ? text_string(&line) : otherwise, STATUS_MAX);
}

static enum service_readiness look_at_pools(const struct readiness *service)
{
        size_t count;
        _cleanup_(freep) struct service_pool *pools = service->host.describe_pools(service->host.context, &count);

        return pools ? service_readiness_of(pools, count) : SERVICE_STARTING;
}

static void fail(struct readiness *service)
{
        log_event(MESSAGE_ID_START_REFUSED, LOG_ERR, "not started: no pool can serve");
        readiness_failed(service, ECHILD, NULL, "no pool can serve: every one of them fails to start workers");
        service->host.fail(service->host.context, "no pool can serve");
}

static void on_timer(void *context)
{
        struct readiness *service = context;
        bool is_starting = !service->is_ready && !service->is_stopping;
        enum service_readiness readiness = is_starting ? look_at_pools(service) : SERVICE_READY;

        service->is_due = false;
        if (readiness == SERVICE_UNABLE)
                fail(service);
        else if (is_starting && readiness == SERVICE_READY) {
                service->is_ready = true;
                say(service, "READY=1\n");
        } else
                say_if_changed(service);
}

static void on_extend_timer(void *context)
{
        struct readiness *service = context;

        manager_link_say(service->manager, -1, "EXTEND_TIMEOUT_USEC=%llu", EXTEND_MS * 1000ULL);
        evloop_timer_set(service->extend_timer, clock_now_ms() + EXTEND_EVERY_MS);
}

int readiness_new(const struct readiness_host *host, struct evloop *loop, struct reaper *reaper,
                  struct manager_link *manager, struct readiness **ret)
{
        struct readiness *service = calloc(1, sizeof(*service));
        uint64_t watchdog_ms = manager_link_watchdog_ms(manager);

        if (!service)
                return -ENOMEM;
        *service = (struct readiness){.host = *host, .manager = manager};
        int r = evloop_timer_new(loop, on_timer, service, &service->timer);
        if (r == 0)
                r = evloop_timer_new(loop, on_extend_timer, service, &service->extend_timer);
        if (r == 0 && manager_link_is_heard(manager) && watchdog_ms > 0)
                r = watchdog_new(loop, reaper, manager, watchdog_ms, &service->watchdog);
        if (r < 0) {
                readiness_free(service);
                return r;
        }
        *ret = service;
        return 0;
}

void readiness_begin(struct readiness *service)
{
        service->has_begun = true;
        service->said_ms =
                clock_now_ms(); /* a start that takes less than STATUS_PAUSE_MS has nothing to tell but READY=1 */
        readiness_touch(service);
}

void readiness_touch(struct readiness *service)
{
        bool is_starting = !service->is_ready && !service->is_stopping;

        if (!service->has_begun || !manager_link_is_heard(service->manager))
                return;
        if (is_starting) /* READY=1 does not wait for the time of the next STATUS= */
                set_timer(service, 0);
        else if (!service->is_due)
                set_timer(service, service->said_ms + STATUS_PAUSE_MS);
}

void readiness_reloading(struct readiness *service)
{
        text_truncate(&service->note);
        text_appendf(&service->note, "Reload %u under way", ++service->reloads);
        if (!service->is_ready) /* READY=1 would say that the start is over */
                return;
        char state[96];
        snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu\n", (unsigned long long)clock_now_ns() / 1000);
        say(service, state);
}

void readiness_reloaded(struct readiness *service, const struct problem_list *problems)
{
        text_truncate(&service->note);
        text_appendf(&service->note, "Reload %u %s", service->reloads, problems ? "refused" : "applied");
        if (problems)
                note_problem(service, problems, "see the log");
        if (service->is_ready)
                say(service, "READY=1\n");
}

void readiness_upgraded(struct readiness *service, const char *from)
{
        text_truncate(&service->note);
        text_appendf(&service->note, "Upgraded from %s to " PREFORKD_VERSION, from);
        readiness_touch(service);
}

void readiness_stopping(struct readiness *service)
{
        if (!manager_link_is_heard(service->manager))
                return;
        service->is_stopping = true;
        if (service->has_begun) {
                text_truncate(&service->note);
                text_append(&service->note, "Stopping");
                say(service, "STOPPING=1\n");
        } else
                manager_link_say(service->manager, -1, "STOPPING=1");
        on_extend_timer(service);
}

void readiness_failed(struct readiness *service, int error, const struct problem_list *problems, const char *why)
{
        text_truncate(&service->note);
        text_append(&service->note, "Not started");
        note_problem(service, problems, why);
        manager_link_say(service->manager, -1, "ERRNO=%d\nSTATUS=%s", error, text_string(&service->note));
        service->has_begun = false; /* the reason stays in STATUS */
}

static const struct field readiness_fields[] = {
        DERIVED(struct readiness, host, "made anew"),
        DERIVED(struct readiness, manager, "the one that reads"),
        DERIVED(struct readiness, watchdog, "made anew: the next ping is due at once"),
        DERIVED(struct readiness, timer, "made anew"),
        DERIVED(struct readiness, extend_timer, "for the stop alone"),
        DERIVED(struct readiness, is_due, "set by the first turn"),
        FIELD(struct readiness, has_begun, "has_begun"),
        FIELD(struct readiness, is_ready, "is_ready"),
        DERIVED(struct readiness, is_stopping, "who stops hands nothing over"),
        FIELD(struct readiness, said_ms, "said_ms"),
        WRITTEN(struct readiness, said, "said"),
        WRITTEN(struct readiness, note, "note"),
        FIELD(struct readiness, reloads, "reloads"),
};

static json_t *write_part(const void *owner, struct state_file *file)
{
        const struct readiness *service = owner;
        json_t *object = state_file_fields(readiness_fields, ELEMENTS(readiness_fields), service);
        int r = state_file_set(object, "said", state_file_string(text_string(&service->said)));

        (void)file;
        if (r == 0)
                r = state_file_set(object, "note", state_file_string(text_string(&service->note)));
        return state_file_finish(object, r);
}

static int read_part(void *owner, struct state_file *file, const json_t *value)
{
        struct readiness *service = owner;
        int r = state_file_read_fields(file, readiness_fields, ELEMENTS(readiness_fields), value, service);

        if (r == 0)
                r = state_file_read_bytes(file, value, "said", &service->said);
        return r == 0 ? state_file_read_bytes(file, value, "note", &service->note) : r;
}

const struct state_part readiness_part = {.name = "readiness", .write = write_part, .read = read_part};

void readiness_free(struct readiness *service)
{
        if (!service)
                return;
        watchdog_free(service->watchdog);
        evloop_timer_free(service->timer);
        evloop_timer_free(service->extend_timer);
        text_clear(&service->said);
        text_clear(&service->note);
        free(service);
}
