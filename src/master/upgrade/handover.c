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

static const struct field master_fields[] = {
        FIELD(struct master, pid),
        FIELD(struct master, had_terminal), FIELD(struct master, started_ms), FIELD(struct master, loads),
        FIELD(struct master, reload_again), FIELD(struct master, try_again),
};

static const struct field limit_fields[] = {FIELD(struct rlimit, rlim_cur), FIELD(struct rlimit, rlim_max)};
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
                        r = document_append(array, json_integer(number));
        return document_finish(array, r);
}

static json_t *write_limits(const struct resource_limits *limits)
{
        json_t *object = json_object();
        int r = 0;

        for (int i = 0; r == 0 && i < RESOURCE_COUNT; i++)
                r = document_set(object, limit_names[i],
                                 document_fields(limit_fields, ELEMENTS(limit_fields), &limits->of[i]));
        return document_finish(object, r);
}

static json_t *write_config(const struct config *config)
{
        _cleanup_(text_clear) struct text text = {0};

        return config_print(config, true, &text) == 0 ? document_string(text_string(&text)) : NULL;
}

static json_t *write_pools(const struct master *master, struct document *document)
{
        json_t *array = json_array();
        int r = 0;

        for (size_t i = 0; r == 0 && i < master->pool_count; i++)
                r = document_append(array, handover_pool_write(master->pools[i], document));
        return document_finish(array, r);
}

int handover_write(const struct master *master, struct document *document)
{
        int r = document_new(document);
        const struct {
                const char *name;
                json_t *value;
        } parts[] = {
                {"version", json_string(PREFORKD_VERSION)},
                {"master", document_fields(master_fields, ELEMENTS(master_fields), master)},
                {"ignored", write_ignored(&master->setup->signals)},
                {"limits", write_limits(&master->setup->original_limits)},
                {"dropped", json_integer((json_int_t)log_sink_unreported(master->log_sink))},
                {"config", write_config(master->config)},
                {"messages", notify_queue_write(master->manager, document)},
                {"service", service_write(master->service)},
                {"keeper", keeper_write(master->keeper, document)},
                {"control", control_write(master->control, document)},
                {"outputs", handler_output_write(master, document)},
                {"pools", write_pools(master, document)},
        };

        for (size_t i = 0; i < ELEMENTS(parts); i++) /* all of them, so that each is taken over */
                if (document_set(document->root, parts[i].name, parts[i].value) < 0)
                        r = -ENOMEM;
        return r;
}

/* Reading. */

static int read_setup(struct document *document, struct master_setup *setup)
{
        const json_t *ignored = document_array(document->root, "ignored");
        const json_t *limits = document_object(document->root, "limits");
        int r = 0;

        for (size_t i = 0; i < json_array_size(ignored); i++)
                sigaddset(&setup->signals.ignored, (int)json_integer_value(json_array_get(ignored, i)));
        for (int i = 0; i < RESOURCE_COUNT && r == 0; i++)
                r = document_read_fields(document, limit_fields, ELEMENTS(limit_fields),
                                         document_object(limits, limit_names[i]), &setup->original_limits.of[i]);
        return r;
}

static int read_config(struct document *document, struct config **ret, struct problem_list *problems)
{
        const struct config_facts facts = config_reader_facts();
        _cleanup_(text_clear) struct text text = {0};

        int r = document_read_bytes(document, document->root, "config", &text);
        if (r == 0)
                r = config_from_canonical(text_string(&text), text.length, &facts, ret, problems);
        return r == 0 && !*ret ? -EINVAL : r;
}

static int read_log(struct document *document, struct master *master)
{
        const struct master_config *config = &master->config->master;
        json_int_t dropped = json_integer_value(json_object_get(document->root, "dropped"));
        struct log_sink_state *sink;

        int r = log_sink_open(reload_log_destination(config->log_target), NULL, &sink);
        if (r < 0)
                return document_complain(document, "log_target: cannot open it: %s", strerror(-r));
        log_sink_count_dropped(sink, dropped > 0 ? (uint64_t)dropped : 0);
        const struct log_sink log = log_sink_get(sink);
        if (!master->setup->take_over.is_trial)
                log_set_sink(&log, config->log_level);
        log_sink_close(master->log_sink);
        master->log_sink = sink;
        return 0;
}

static int read_pools(struct document *document, struct master *master)
{
        const json_t *pools = document_array(document->root, "pools");
        int r = 0;

        master->pools = calloc(json_array_size(pools) + 1, sizeof(*master->pools));
        if (!master->pools)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(pools) && r == 0; i++) {
                r = handover_pool_read(master, document, json_array_get(pools, i), &master->pools[i]);
                master->pool_count += r == 0;
        }
        for (size_t i = 0; i < master->config->pool_count && r == 0; i++)
                if (!master_find_pool(master, master->config->pools[i]->name))
                        r = document_complain(document, "pool %s is missing", master->config->pools[i]->name);
        return r;
}

/* A program that stands before us, a shell script for one, must become us, not start us: children are collected by their
 * parent alone. A trial is a child of the process itself. */
static int check_place(struct document *document, const struct master *master)
{
        if ((master->setup->take_over.is_trial ? getppid() : getpid()) == master->pid)
                return 0;
        return document_complain(document, "it would not run as process %d, but as a child of what was executed there; a "
                                 "script must end in \"exec\"", (int)master->pid);
}

static int read_parts(struct document *document, struct master *master, struct problem_list *problems)
{
        const json_t *root = document->root;
        const char *from = json_string_value(json_object_get(root, "version"));

        snprintf(master->upgraded_from, sizeof(master->upgraded_from), "%s", from ? from : "unknown");
        int r = document_read_fields(document, master_fields, ELEMENTS(master_fields), document_object(root, "master"), master);
        if (r == 0)
                r = check_place(document, master);
        if (r == 0)
                r = read_setup(document, master->setup);
        if (r == 0)
                r = read_config(document, &master->config, problems);
        if (r == 0)
                r = read_log(document, master);
        if (r == 0)
                r = keeper_read(master->keeper, document, document_object(root, "keeper"));
        if (r == 0)
                r = notify_queue_read(master->manager, document, document_array(root, "messages"));
        if (r == 0)
                r = service_read(master->service, document, document_object(root, "service"));
        if (r == 0)
                r = control_read(master->control, document, document_object(root, "control"));
        if (r == 0)
                r = handler_output_read(master, document, document_array(root, "outputs"));
        return r == 0 ? read_pools(document, master) : r;
}

int handover_read(struct master *master, int fd, struct problem_list *problems)
{
        struct document document;

        int r = document_load(fd, &document);
        if (r == 0)
                r = read_parts(&document, master, problems);
        if (r < 0 && document.complaint.length > 0)
                problem_add(problems, NULL, 0, "%s", text_string(&document.complaint));
        else if (r < 0 && !problem_list_refuses(problems))
                problem_add(problems, NULL, 0, "%s", strerror(-r));
        if (r < 0) /* the descriptors are in service: closing is not ours to do */
                document_forget(&document);
        else
                document_clear(&document);
        return r;
}

void handover_begin(struct master *master, const struct problem_list *problems)
{
        const struct control_outcome outcome = {.what = CONTROL_WAIT_UPGRADE, .load = UINT64_MAX, .accepted = true,
                                                .from = master->upgraded_from, .program = master->setup->program,
                                                .problems = problems};
        size_t workers = 0;

        master->state = MASTER_RUNNING;
        for (size_t i = 0; i < master->pool_count; i++)
                workers += master->pools[i]->worker_count;
        log_notice("preforkd %s has taken over from %s: %zu pool%s, %zu worker%s", PREFORKD_VERSION, master->upgraded_from,
                   master->pool_count, master->pool_count == 1 ? "" : "s", workers, workers == 1 ? "" : "s");
        reaper_collect(master->reaper);
        for (size_t i = 0; i < master->pool_count; i++)
                pool_start(master->pools[i]);
        service_upgraded(master->service, master->upgraded_from);
        control_outcome_tell(master->control, &outcome);
        config_update_again(master);
}
