#include "master/daemon/log_host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/control/control_outcome.h"
#include "master/control/control_socket.h"
#include "master/daemon/private.h"
#include "master/log/log_state.h"
#include "master/loop/evloop.h"
#include "master/status/status_collect.h"
#include "os/clock.h"
#include "os/log/sink.h"

/* As long as the end of the daemon waits for a disk. */
#define END_MS 2000

/* About the file, where people look when it says nothing. */
static void say(struct log_sink_state *sink, const char *path, int priority, const char *what)
{
        _cleanup_(text_clear) struct text text = {0};

        if (text_appendf(&text, "log_target: %s: %s", path, what) < 0)
                return;
        const struct log_record record = {.priority = priority, .message = text_string(&text)};
        log_sink_tell_stderr(sink, &record);
}

/* Said once when it begins, and once when it is over. */
static void say_state(struct log_sink_state *sink, const char *path, const struct log_answer *answer)
{
        char what[sizeof(answer->why) + 64];

        snprintf(what, sizeof(what), "%s; %s", answer->why,
                 answer->writes ? "the file that was open is written on"
                                : "records go to stderr as long as that lasts");
        if (answer->error != 0)
                say(sink, path, LOG_ERR, what);
        else
                say(sink, path, LOG_NOTICE, "can be written again");
}

static void answer_clients(struct daemon *daemon, const char *path, const struct log_answer *answer)
{
        _cleanup_(text_clear) struct text text = {0};
        struct control_outcome outcome = {.what = CONTROL_WAIT_REOPEN,
                                          .load = answer->number,
                                          .accepted = answer->error == 0,
                                          .error = "failed",
                                          .log_file = path};

        if (text_appendf(&text, "%s: %s", path, answer->why) == 0)
                outcome.message = text_string(&text);
        else
                outcome.message = "out of memory";
        control_outcome_tell(&daemon->control->clients, &outcome);
}

static void on_answered(void *context, const struct log_process *process, const struct log_answer *answer, bool changed)
{
        struct daemon *daemon = context;

        if (answer->error == ETIMEDOUT) /* not to a file on stderr, which may be on the same disk */
                log_warning("log_target: %s: %s", process->path, answer->why);
        else if (answer->error != ECANCELED)
                log_sink_set_failing(daemon->log_sink, answer->error != 0 && !answer->writes);
        if (changed)
                say_state(daemon->log_sink, process->path, answer);
        if (answer->number > 0)
                answer_clients(daemon, process->path, answer);
}

static void on_ended(void *context)
{
        const struct daemon *daemon = context;

        if (daemon->log_is_ending && !daemon->log_setup.first)
                evloop_stop(daemon->loop);
}

void log_host_open(struct daemon *daemon)
{
        daemon->log_setup = (struct log_process_setup){.loop = daemon->loop,
                                                       .reaper = daemon->reaper,
                                                       .entry = daemon->setup->logger_entry,
                                                       .context = daemon,
                                                       .answered = on_answered,
                                                       .ended = on_ended};
}

uint64_t log_host_reopen(struct daemon *daemon)
{
        return daemon->log_process ? log_process_open(daemon->log_process) : 0;
}

struct status_log log_host_describe(const struct daemon *daemon)
{
        const struct log_process *process = daemon->log_process;
        static const char *const targets[] = {[LOG_DESTINATION_JOURNAL] = "journal",
                                              [LOG_DESTINATION_SYSLOG] = "syslog",
                                              [LOG_DESTINATION_STDERR] = "stderr",
                                              [LOG_DESTINATION_FILE] = "file"};

        return (struct status_log){.target = targets[log_sink_destination(daemon->log_sink)],
                                   .file = process ? process->path : NULL,
                                   .process = process ? process->pid : 0,
                                   .error = process && process->last.error ? process->last.why : NULL,
                                   .dropped = log_sink_dropped(daemon->log_sink) +
                                              (process ? log_process_dropped(process) : 0)};
}

static void on_end_timeout(void *context)
{
        evloop_stop(context);
}

void log_host_end(struct daemon *daemon)
{
        struct evloop_timer *timer;

        if (!daemon->log_process && !daemon->log_setup.first)
                return;
        log_set_sink(NULL, LOG_INFO);
        daemon->log_is_ending = true;
        log_process_close(TAKE_PTR(daemon->log_process));
        if (!daemon->log_setup.first || evloop_timer_new(daemon->loop, on_end_timeout, daemon->loop, &timer) < 0)
                return;
        evloop_timer_set(timer, clock_now_ms() + END_MS);
        evloop_run(daemon->loop);
        evloop_timer_free(timer);
}

/* The number of records that were dropped and not reported yet, and the log process. */

static json_t *write_log(const void *owner, struct state_file *file)
{
        const struct daemon *daemon = owner;
        json_t *object = json_object();
        uint64_t unreported = log_sink_unreported(daemon->log_sink);

        int r = state_file_set(object, "dropped", json_integer((json_int_t)unreported));
        if (r == 0 && daemon->log_process)
                r = state_file_set(object, "process", log_state_write(daemon->log_process, file));
        return state_file_finish(object, r);
}

/* The process that is there, or a new one, which a preflight does not start. */
static int read_process(struct daemon *daemon, struct state_file *file, const json_t *value)
{
        const struct log_target *target = &daemon->config->master.log_target;

        if (target->kind != LOG_TARGET_FILE)
                return 0;
        return log_state_read(&daemon->log_setup, target->path, file, value, &daemon->log_process);
}

static int read_log(void *owner, struct state_file *file, const json_t *value)
{
        struct daemon *daemon = owner;
        const struct master_config *config = &daemon->config->master;
        json_int_t dropped = json_integer_value(json_object_get(value, "dropped"));
        struct log_sink_state *sink = NULL;

        int r = read_process(daemon, file, json_object_get(value, "process"));
        if (r == 0)
                r = log_change_open_sink(&config->log_target, daemon->log_process, &sink);
        if (r < 0 || !sink)
                return state_file_fail(file, "log_target: cannot open it: %s", strerror(-r));
        log_change_set_form(config, sink);
        log_sink_count_dropped(sink, dropped > 0 ? (uint64_t)dropped : 0);
        const struct log_sink log = log_sink_get(sink);
        if (!daemon->setup->take_over.is_preflight)
                log_set_sink(&log, config->log_level);
        log_sink_close(daemon->log_sink);
        daemon->log_sink = sink;
        return 0;
}

static void begin_log(void *owner)
{
        const struct daemon *daemon = owner;

        if (!daemon->log_process)
                return;
        log_process_begin(daemon->log_process); /* first: the former program's process is told nothing more */
        log_change_set_process(&daemon->config->master, daemon->log_process);
}

const struct state_part log_part = {.name = "log", .write = write_log, .read = read_log, .begin = begin_log};
