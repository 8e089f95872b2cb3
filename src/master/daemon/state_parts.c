#include "master/daemon/state_parts.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"
#include "master/config/config_reader.h"
#include "master/control/control_socket.h"
#include "master/daemon/log_host.h"
#include "master/daemon/pool_settings.h"
#include "master/daemon/private.h"
#include "master/loop/reaper.h"
#include "master/manager/fd_store.h"
#include "master/manager/manager_link.h"
#include "master/manager/readiness.h"
#include "master/pool/listener_health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_budget.h"
#include "master/pool/pool_state.h"
#include "master/pool/worker_output.h"
#include "master/reload/reload_queue.h"

static const struct field daemon_fields[] = {
        WRITTEN(struct daemon, setup, "original_limits"),
        DERIVED(struct daemon, state, "always running during an upgrade"),
        DERIVED(struct daemon, exit_code, "decided by the stop"),
        FIELD(struct daemon, pid, "pid"),
        FIELD(struct daemon, had_terminal, "had_terminal"),
        FIELD(struct daemon, started_ms, "started_ms"),
        FIELD(struct daemon, started_wall_ms, "started_wall_ms"),
        WRITTEN(struct daemon, config, "config"),
        DERIVED(struct daemon, template_traffic, "none is in flight during an upgrade"),
        DERIVED(struct daemon, budget, "noted by the pools; the total is the configuration's"),
        DERIVED(struct daemon, pressure, "measured anew"),
        DERIVED(struct daemon, config_serial, "counts within one program"),
        WRITTEN(struct daemon, pools, "pools"),
        DERIVED(struct daemon, loop, "made anew"),
        DERIVED(struct daemon, signal_fd, "opened anew; pending signals stay pending"),
        DERIVED(struct daemon, signal_watch, "made anew"),
        DERIVED(struct daemon, stop_timer, "used during a stop only"),
        DERIVED(struct daemon, log_sink, "opened anew; unreported losses are the part \"log\""),
        DERIVED(struct daemon, log_setup, "made anew"),
        WRITTEN(struct daemon, log_process, "log"),
        DERIVED(struct daemon, log_is_ending, "used during a stop only"),
        DERIVED(struct daemon, reaper, "workers are registered when they are read"),
        WRITTEN(struct daemon, manager, "manager"),
        WRITTEN(struct daemon, readiness, "readiness"),
        WRITTEN(struct daemon, fd_store, "fd_store"),
        WRITTEN(struct daemon, outputs, "worker_outputs"),
        WRITTEN(struct daemon, status_links, "status_links"),
        DERIVED(struct daemon, reload, "made anew"),
        DERIVED(struct daemon, fd_budget, "made anew"),
        DERIVED(struct daemon, log_change, "made anew"),
        DERIVED(struct daemon, pool_changes, "made anew"),
        WRITTEN(struct daemon, reloads, "reload_queue"),
        DERIVED(struct daemon, control_host, "made anew"),
        WRITTEN(struct daemon, control, "control"),
        DERIVED(struct daemon, upgrade, "finished when the document is read"),
        DERIVED(struct daemon, state_parts, "a list of functions"),
        WRITTEN(struct daemon, upgraded_from, "version"),
        FIELD(struct daemon, config_refused, "config_refused"),
        FIELD(struct daemon, configured_wall_ms, "configured_wall_ms"),
        FIELD(struct daemon, upgrades, "upgrades"),
        DERIVED(struct daemon, pool_runtime, "made anew"),
        WRITTEN(struct pool_table, items, "pools"),
        DERIVED(struct pool_table, count, "the number of items"),
        DERIVED(struct pool_table, capacity, "the number of items"),
        DERIVED(struct daemon_setup, source, "read from the arguments"),
        DERIVED(struct daemon_setup, program, "the path of each program"),
        DERIVED(struct daemon_setup, arguments, "passed to the next program"),
        DERIVED(struct daemon_setup, argv, "of each program"),
        DERIVED(struct daemon_setup, take_over, "an argument"),
        DERIVED(struct daemon_setup, worker_entry, "a function of each program"),
        DERIVED(struct daemon_setup, logger_entry, "a function of each program"),
        DERIVED(struct daemon_setup, signals.touched, "taken anew"),
        DERIVED(struct daemon_setup, signals.touched_count, "taken anew"),
        WRITTEN(struct daemon_setup, signals.ignored, "ignored_signals"),
        DERIVED(struct daemon_setup, signals.inherited, "not used"),
        WRITTEN(struct daemon_setup, original_limits, "original_limits"),
        WRITTEN(struct resource_limits, of, "original_limits"),
};

/* The version of the program that wrote the document. */

static json_t *write_version(const void *owner, struct state_file *file)
{
        (void)owner, (void)file;
        return json_string(PREFORKD_VERSION);
}

static int read_version(void *owner, struct state_file *file, const json_t *value)
{
        struct daemon *daemon = owner;
        const char *from = json_string_value(value);

        (void)file;
        snprintf(daemon->upgraded_from, sizeof(daemon->upgraded_from), "%s", from ? from : "unknown");
        return 0;
}

static const struct state_part version_part = {.name = "version", .write = write_version, .read = read_version};

/* The daemon's own members. */

static json_t *write_daemon(const void *owner, struct state_file *file)
{
        (void)file;
        return state_file_fields(daemon_fields, ELEMENTS(daemon_fields), owner);
}

/* A wrapper such as a shell script must exec preforkd rather than start it as a child, because only the parent can
 * collect the workers. A preflight is a child of the running master. */
static int check_place(struct state_file *file, const struct daemon *daemon)
{
        if ((daemon->setup->take_over.is_preflight ? getppid() : getpid()) == daemon->pid)
                return 0;
        return state_file_fail(file,
                               "it would not run as process %d, but as a child of what was executed there; a "
                               "script must end in \"exec\"",
                               (int)daemon->pid);
}

static int read_daemon(void *owner, struct state_file *file, const json_t *value)
{
        int r = state_file_read_fields(file, daemon_fields, ELEMENTS(daemon_fields), value, owner);

        return r == 0 ? check_place(file, owner) : r;
}

static void begin_daemon(void *owner)
{
        struct daemon *daemon = owner;
        size_t workers = 0;

        daemon->state = DAEMON_RUNNING;
        for (size_t i = 0; i < daemon->pools.count; i++)
                workers += daemon->pools.items[i]->workers.count;
        daemon->upgrades += !daemon->setup->take_over.is_back;
        if (!daemon->setup->take_over.is_back)
                log_event(MESSAGE_ID_UPGRADED, LOG_NOTICE,
                          "preforkd %s has taken over from %s: %zu pool%s, %zu worker%s", PREFORKD_VERSION,
                          daemon->upgraded_from, daemon->pools.count, daemon->pools.count == 1 ? "" : "s", workers,
                          workers == 1 ? "" : "s");
        reaper_collect(daemon->reaper);
}

static const struct state_part daemon_part = {
        .name = "daemon", .write = write_daemon, .read = read_daemon, .begin = begin_daemon};

/* Signals that were ignored when the first program of this process was started, which exec(2) does not keep. */

static json_t *write_ignored(const void *owner, struct state_file *file)
{
        const struct daemon_setup *setup = owner;
        json_t *array = json_array();
        int r = 0;

        (void)file;
        for (int number = 1; r == 0 && number < NSIG; number++)
                if (sigismember(&setup->signals.ignored, number) == 1)
                        r = state_file_append(array, json_integer(number));
        return state_file_finish(array, r);
}

static int read_ignored(void *owner, struct state_file *file, const json_t *value)
{
        struct daemon_setup *setup = owner;

        (void)file;
        for (size_t i = 0; i < json_array_size(value); i++)
                sigaddset(&setup->signals.ignored, (int)json_integer_value(json_array_get(value, i)));
        return 0;
}

static const struct state_part ignored_part = {.name = "ignored_signals", .write = write_ignored, .read = read_ignored};

/* The limits that preforkd was started with, before it raised its own. */

static const struct field limit_fields[] = {
        FIELD(struct rlimit, rlim_cur, "soft"),
        FIELD(struct rlimit, rlim_max, "hard"),
};

static const char *const limit_names[] = {[RESOURCE_NOFILE] = "nofile",
                                          [RESOURCE_AS] = "as",
                                          [RESOURCE_CORE] = "core",
                                          [RESOURCE_CPU] = "cpu",
                                          [RESOURCE_NPROC] = "nproc"};
static_assert(ELEMENTS(limit_names) == RESOURCE_COUNT, "every resource has its name");

static json_t *write_limits(const void *owner, struct state_file *file)
{
        const struct daemon_setup *setup = owner;
        json_t *object = json_object();
        int r = 0;

        (void)file;
        for (int i = 0; r == 0 && i < RESOURCE_COUNT; i++)
                r = state_file_set(
                        object, limit_names[i],
                        state_file_fields(limit_fields, ELEMENTS(limit_fields), &setup->original_limits.of[i]));
        return state_file_finish(object, r);
}

static int read_limits(void *owner, struct state_file *file, const json_t *value)
{
        struct daemon_setup *setup = owner;
        int r = 0;

        for (int i = 0; i < RESOURCE_COUNT && r == 0; i++)
                r = state_file_read_fields(file, limit_fields, ELEMENTS(limit_fields),
                                           state_file_object(value, limit_names[i]), &setup->original_limits.of[i]);
        return r;
}

static const struct state_part limits_part = {.name = "original_limits", .write = write_limits, .read = read_limits};

/* The running configuration. */

static json_t *write_config(const void *owner, struct state_file *file)
{
        const struct daemon *daemon = owner;
        _cleanup_(text_clear) struct text text = {0};

        (void)file;
        return config_print(daemon->config, true, &text) == 0 ? state_file_string(text_string(&text)) : NULL;
}

static int read_config(void *owner, struct state_file *file, const json_t *value)
{
        const struct config_context context = config_reader_context();
        struct daemon *daemon = owner;
        _cleanup_(text_clear) struct text text = {0};

        int r = state_file_read_value(file, value, "config", &text);
        if (r == 0)
                r = config_from_canonical(text_string(&text), text.length, &context, &daemon->config, file->problems);
        if (r == 0 && !daemon->config)
                r = -EINVAL;
        if (r == 0)
                pool_settings_apply(daemon);
        return r;
}

static const struct state_part config_part = {.name = "config", .write = write_config, .read = read_config};

/* The pending requests and the number of configurations read: clients wait for a number. */

static const struct field reload_queue_fields[] = {
        DERIVED(struct reload_queue, reload, "made anew"),
        DERIVED(struct reload_queue, setup, "made anew"),
        DERIVED(struct reload_queue, observer, "made anew"),
        DERIVED(struct reload_queue, child, "an upgrade waits for its end"),
        DERIVED(struct reload_queue, kind, "of the child"),
        FIELD(struct reload_queue, loads, "loads"),
        FIELD(struct reload_queue, reload_again, "reload_again"),
        FIELD(struct reload_queue, try_again, "try_again"),
        DERIVED(struct reload_queue, is_closed, "false during an upgrade"),
};

static json_t *write_reload_queue(const void *owner, struct state_file *file)
{
        (void)file;
        return state_file_fields(reload_queue_fields, ELEMENTS(reload_queue_fields), owner);
}

static int read_reload_queue(void *owner, struct state_file *file, const json_t *value)
{
        return state_file_read_fields(file, reload_queue_fields, ELEMENTS(reload_queue_fields), value, owner);
}

static const struct state_part reload_queue_part = {
        .name = "reload_queue", .write = write_reload_queue, .read = read_reload_queue};

/* The pools: those that serve and those that close. */

static json_t *write_pools(const void *owner, struct state_file *file)
{
        const struct daemon *daemon = owner;
        json_t *array = json_array();
        int r = 0;

        for (size_t i = 0; r == 0 && i < daemon->pools.count; i++)
                r = state_file_append(array, pool_state_write(daemon->pools.items[i], &daemon->config->master, file));
        return state_file_finish(array, r);
}

static int read_pools(void *owner, struct state_file *file, const json_t *value)
{
        struct daemon *daemon = owner;
        const struct pool_state_context context = {
                .runtime = &daemon->pool_runtime, .config = daemon->config, .rules = config_reader_context()};
        int r = pool_table_reserve(&daemon->pools, json_array_size(value));

        for (size_t i = 0; i < json_array_size(value) && r == 0; i++) {
                struct pool *pool;
                r = pool_state_read(&context, file, json_array_get(value, i), &pool);
                if (r == 0)
                        pool_table_add(&daemon->pools, pool);
        }
        for (size_t i = 0; i < daemon->config->pool_count && r == 0; i++)
                if (!pool_table_find(&daemon->pools, daemon->config->pools[i]->name))
                        r = state_file_fail(file, "pool %s is missing", daemon->config->pools[i]->name);
        return r;
}

static void begin_pools(void *owner)
{
        struct daemon *daemon = owner;

        for (size_t i = 0; i < daemon->pools.count; i++) {
                listener_health_adopt(daemon->pools.items[i]);
                pool_budget_note(daemon->pools.items[i]);
                pool_start(daemon->pools.items[i]);
        }
}

static const struct state_part pools_part = {
        .name = "pools", .write = write_pools, .read = read_pools, .begin = begin_pools};

void state_parts_list(struct daemon *daemon, struct state_parts *ret)
{
        *ret = (struct state_parts){0};
        state_parts_add(ret, &version_part, daemon);
        state_parts_add(ret, &daemon_part, daemon);
        state_parts_add(ret, &reload_queue_part, daemon->reloads);
        state_parts_add(ret, &ignored_part, daemon->setup);
        state_parts_add(ret, &limits_part, daemon->setup);
        state_parts_add(ret, &config_part, daemon);
        state_parts_add(ret, &log_part, daemon);
        state_parts_add(ret, &fd_store_part, daemon->fd_store);
        state_parts_add(ret, &manager_link_part, daemon->manager);
        state_parts_add(ret, &readiness_part, daemon->readiness);
        state_parts_add(ret, &control_part, daemon->control);
        state_parts_add(ret, &worker_output_part, &daemon->outputs);
        state_parts_add(ret, &status_links_part, &daemon->status_links);
        state_parts_add(ret, &pools_part, daemon);
}
