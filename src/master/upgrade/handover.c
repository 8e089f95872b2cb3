#include "master/upgrade/handover.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"
#include "master/config/config_reader.h"
#include "master/control/control_outcome.h"
#include "master/control/control_socket.h"
#include "master/loop/reaper.h"
#include "master/manager/fd_store.h"
#include "master/manager/manager_link.h"
#include "master/manager/readiness.h"
#include "master/pool/pool.h"
#include "master/pool/pool_state.h"
#include "master/pool/worker_output.h"
#include "master/reload/reload.h"
#include "master/reload/reload_queue.h"

static const struct field daemon_fields[] = {
        WRITTEN(struct daemon, setup, "master"),
        DERIVED(struct daemon, state, "an upgrade takes place while it is running, and in no other state"),
        DERIVED(struct daemon, exit_code, "decided by the stop"),
        FIELD(struct daemon, pid, "pid"),
        FIELD(struct daemon, had_terminal, "had_terminal"),
        FIELD(struct daemon, started_ms, "started_ms"),
        WRITTEN(struct daemon, config, "config"),
        DERIVED(struct daemon, config_serial, "counts in this program alone"),
        WRITTEN(struct daemon, pools, "pools"),
        DERIVED(struct daemon, loop, "made anew"),
        DERIVED(struct daemon, signal_fd, "opened anew; what is pending stays pending"),
        DERIVED(struct daemon, signal_watch, "made anew"),
        DERIVED(struct daemon, stop_timer, "for the stop alone"),
        DERIVED(struct daemon, log_sink, "opened anew; what it has not reported is \"dropped\""),
        DERIVED(struct daemon, reaper, "the workers enter themselves"),
        WRITTEN(struct daemon, manager, "messages"),
        WRITTEN(struct daemon, service, "service"),
        WRITTEN(struct daemon, keeper, "keeper"),
        WRITTEN(struct daemon, outputs, "outputs"),
        DERIVED(struct daemon, load, "an upgrade waits for its end"),
        FIELD(struct daemon, loads, "loads"),
        FIELD(struct daemon, reload_again, "reload_again"),
        FIELD(struct daemon, try_again, "try_again"),
        WRITTEN(struct daemon, control, "control"),
        DERIVED(struct daemon, upgrade, "done when it is read"),
        DERIVED(struct daemon, upgraded_from, "the version of who writes"),
        DERIVED(struct daemon, pool_runtime, "made anew"),
        WRITTEN(struct pool_table, items, "pools"),
        DERIVED(struct pool_table, count, "the number of items"),
        DERIVED(struct pool_table, capacity, "the number of items"),
        DERIVED(struct daemon_setup, source, "the arguments are passed on"),
        DERIVED(struct daemon_setup, program, "its own path"),
        DERIVED(struct daemon_setup, arguments, "passed on as such"),
        DERIVED(struct daemon_setup, take_over, "an argument"),
        DERIVED(struct daemon_setup, worker_entry, "a function of each program"),
        DERIVED(struct daemon_setup, signals.touched, "taken anew"),
        DERIVED(struct daemon_setup, signals.touched_count, "taken anew"),
        WRITTEN(struct daemon_setup, signals.ignored, "ignored"),
        DERIVED(struct daemon_setup, signals.inherited, "nobody goes by it"),
        WRITTEN(struct daemon_setup, original_limits, "limits"),
        WRITTEN(struct resource_limits, of, "limits"),
};

static const struct field limit_fields[] = {
        FIELD(struct rlimit, rlim_cur, "soft"),
        FIELD(struct rlimit, rlim_max, "hard"),
};

static const char *const limit_names[] = {[RESOURCE_NOFILE] = "nofile", [RESOURCE_AS] = "as", [RESOURCE_CORE] = "core",
                                          [RESOURCE_CPU] = "cpu", [RESOURCE_NPROC] = "nproc"};
static_assert(ELEMENTS(limit_names) == RESOURCE_COUNT, "every resource has its name");

/* Writing. */

/* What exec(2) forgets: signals that were ignored when the first program of this process was started. */
static json_t *write_ignored(const struct signals_taken *signals)
{
        json_t *array = json_array();
        int r = 0;

        for (int number = 1; r == 0 && number < NSIG; number++)
                if (sigismember(&signals->ignored, number) == 1)
                        r = state_file_append(array, json_integer(number));
        return state_file_finish(array, r);
}

static json_t *write_limits(const struct resource_limits *limits)
{
        json_t *object = json_object();
        int r = 0;

        for (int i = 0; r == 0 && i < RESOURCE_COUNT; i++)
                r = state_file_set(object, limit_names[i],
                                 state_file_fields(limit_fields, ELEMENTS(limit_fields), &limits->of[i]));
        return state_file_finish(object, r);
}

static json_t *write_config(const struct config *config)
{
        _cleanup_(text_clear) struct text text = {0};

        return config_print(config, true, &text) == 0 ? state_file_string(text_string(&text)) : NULL;
}

static json_t *write_pools(const struct daemon *daemon, struct state_file *file)
{
        json_t *array = json_array();
        int r = 0;

        for (size_t i = 0; r == 0 && i < daemon->pools.count; i++)
                r = state_file_append(array, pool_state_write(daemon->pools.items[i], &daemon->config->master, file));
        return state_file_finish(array, r);
}

int handover_write(const struct daemon *daemon, struct state_file *file)
{
        int r = state_file_new(file);
        const struct {
                const char *name;
                json_t *value;
        } parts[] = {
                {"version", json_string(PREFORKD_VERSION)},
                {"master", state_file_fields(daemon_fields, ELEMENTS(daemon_fields), daemon)},
                {"ignored", write_ignored(&daemon->setup->signals)},
                {"limits", write_limits(&daemon->setup->original_limits)},
                {"dropped", json_integer((json_int_t)log_sink_unreported(daemon->log_sink))},
                {"config", write_config(daemon->config)},
                {"messages", manager_link_write(daemon->manager, file)},
                {"service", readiness_write(daemon->service)},
                {"keeper", fd_store_write(daemon->keeper, file)},
                {"control", control_write(daemon->control, file)},
                {"outputs", worker_output_write(&daemon->outputs, file)},
                {"pools", write_pools(daemon, file)},
        };

        for (size_t i = 0; i < ELEMENTS(parts); i++) /* all of them, so that each is taken over */
                if (state_file_set(file->root, parts[i].name, parts[i].value) < 0)
                        r = -ENOMEM;
        return r;
}

/* Reading. */

static int read_setup(struct state_file *file, struct daemon_setup *setup)
{
        const json_t *ignored = state_file_array(file->root, "ignored");
        const json_t *limits = state_file_object(file->root, "limits");
        int r = 0;

        for (size_t i = 0; i < json_array_size(ignored); i++)
                sigaddset(&setup->signals.ignored, (int)json_integer_value(json_array_get(ignored, i)));
        for (int i = 0; i < RESOURCE_COUNT && r == 0; i++)
                r = state_file_read_fields(file, limit_fields, ELEMENTS(limit_fields),
                                         state_file_object(limits, limit_names[i]), &setup->original_limits.of[i]);
        return r;
}

static int read_config(struct state_file *file, struct daemon *daemon, struct problem_list *problems)
{
        const struct config_context context = config_reader_context();
        _cleanup_(text_clear) struct text text = {0};

        int r = state_file_read_bytes(file, file->root, "config", &text);
        if (r == 0)
                r = config_from_canonical(text_string(&text), text.length, &context, &daemon->config, problems);
        if (r == 0 && !daemon->config)
                r = -EINVAL;
        if (r == 0)
                daemon->pool_runtime.orphan_timeout_ms = daemon->config->master.shutdown_timeout_ms;
        return r;
}

static int read_log(struct state_file *file, struct daemon *daemon)
{
        const struct master_config *config = &daemon->config->master;
        json_int_t dropped = json_integer_value(json_object_get(file->root, "dropped"));
        struct log_sink_state *sink;

        int r = log_sink_open(reload_log_destination(config->log_target), NULL, &sink);
        if (r < 0)
                return state_file_fail(file, "log_target: cannot open it: %s", strerror(-r));
        log_sink_count_dropped(sink, dropped > 0 ? (uint64_t)dropped : 0);
        const struct log_sink log = log_sink_get(sink);
        if (!daemon->setup->take_over.is_preflight)
                log_set_sink(&log, config->log_level);
        log_sink_close(daemon->log_sink);
        daemon->log_sink = sink;
        return 0;
}

static int read_pools(struct state_file *file, struct daemon *daemon)
{
        const json_t *pools = state_file_array(file->root, "pools");
        const struct pool_state_context context = {.runtime = &daemon->pool_runtime, .config = daemon->config,
                                                   .rules = config_reader_context()};
        int r;

        r = pool_table_reserve(&daemon->pools, json_array_size(pools));
        for (size_t i = 0; i < json_array_size(pools) && r == 0; i++) {
                struct pool *pool;
                r = pool_state_read(&context, file, json_array_get(pools, i), &pool);
                if (r == 0)
                        pool_table_add(&daemon->pools, pool);
        }
        for (size_t i = 0; i < daemon->config->pool_count && r == 0; i++)
                if (!pool_table_find(&daemon->pools, daemon->config->pools[i]->name))
                        r = state_file_fail(file, "pool %s is missing", daemon->config->pools[i]->name);
        return r;
}

/* A program that stands before us, a shell script for one, must become us, not start us: children are collected by their
 * parent alone. A trial is a child of the process itself. */
static int check_place(struct state_file *file, const struct daemon *daemon)
{
        if ((daemon->setup->take_over.is_preflight ? getppid() : getpid()) == daemon->pid)
                return 0;
        return state_file_fail(file, "it would not run as process %d, but as a child of what was executed there; a "
                                 "script must end in \"exec\"", (int)daemon->pid);
}

static int read_parts(struct state_file *file, struct daemon *daemon, struct problem_list *problems)
{
        const json_t *root = file->root;
        const char *from = json_string_value(json_object_get(root, "version"));

        snprintf(daemon->upgraded_from, sizeof(daemon->upgraded_from), "%s", from ? from : "unknown");
        int r = state_file_read_fields(file, daemon_fields, ELEMENTS(daemon_fields), state_file_object(root, "master"),
                                       daemon);
        if (r == 0)
                r = check_place(file, daemon);
        if (r == 0)
                r = read_setup(file, daemon->setup);
        if (r == 0)
                r = read_config(file, daemon, problems);
        if (r == 0)
                r = read_log(file, daemon);
        if (r == 0)
                r = fd_store_read(daemon->keeper, file, state_file_object(root, "keeper"));
        if (r == 0)
                r = manager_link_read(daemon->manager, file, state_file_array(root, "messages"));
        if (r == 0)
                r = readiness_read(daemon->service, file, state_file_object(root, "service"));
        if (r == 0)
                r = control_read(daemon->control, file, state_file_object(root, "control"));
        if (r == 0)
                r = worker_output_read(&daemon->outputs, file, state_file_array(root, "outputs"));
        return r == 0 ? read_pools(file, daemon) : r;
}

int handover_read(struct daemon *daemon, int fd, struct problem_list *problems)
{
        struct state_file file;

        int r = state_file_load(fd, &file);
        if (r == 0)
                r = read_parts(&file, daemon, problems);
        if (r < 0 && file.error.length > 0)
                problem_add(problems, NULL, 0, "%s", text_string(&file.error));
        else if (r < 0 && !problem_list_refuses(problems))
                problem_add(problems, NULL, 0, "%s", strerror(-r));
        if (r < 0) /* the descriptors are in service: closing is not ours to do */
                state_file_forget(&file);
        else
                state_file_clear(&file);
        return r;
}

void handover_begin(struct daemon *daemon, const struct problem_list *problems)
{
        const struct control_outcome outcome = {.what = CONTROL_WAIT_UPGRADE, .load = UINT64_MAX, .accepted = true,
                                                .from = daemon->upgraded_from, .program = daemon->setup->program,
                                                .problems = problems};
        size_t workers = 0;

        daemon->state = DAEMON_RUNNING;
        for (size_t i = 0; i < daemon->pools.count; i++)
                workers += daemon->pools.items[i]->worker_count;
        log_event(MESSAGE_ID_UPGRADED, LOG_NOTICE, "preforkd %s has taken over from %s: %zu pool%s, %zu worker%s",
                  PREFORKD_VERSION, daemon->upgraded_from, daemon->pools.count, daemon->pools.count == 1 ? "" : "s", workers,
                  workers == 1 ? "" : "s");
        reaper_collect(daemon->reaper);
        for (size_t i = 0; i < daemon->pools.count; i++)
                pool_start(daemon->pools.items[i]);
        readiness_upgraded(daemon->service, daemon->upgraded_from);
        control_outcome_tell(daemon->control, &outcome);
        reload_queue_again(daemon);
}
