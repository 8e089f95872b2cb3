#include "master/reload/log_change.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

int log_change_open_sink(const struct log_target *target, const struct log_process *process,
                         struct log_sink_state **ret)
{
        static const enum log_destination destinations[] = {
                [LOG_TARGET_AUTO] = LOG_DESTINATION_AUTO,     [LOG_TARGET_JOURNAL] = LOG_DESTINATION_JOURNAL,
                [LOG_TARGET_SYSLOG] = LOG_DESTINATION_SYSLOG, [LOG_TARGET_STDERR] = LOG_DESTINATION_STDERR,
                [LOG_TARGET_FILE] = LOG_DESTINATION_FILE,
        };
        const struct log_sink_places places = {.file_fd = process ? process->write_fd : -1};

        return log_sink_open(destinations[target->kind], &places, ret);
}

void log_change_set_form(const struct master_config *config, struct log_sink_state *sink)
{
        static const enum log_stamps stamps[] = {
                [LOG_TIME_AUTO] = LOG_STAMPS_AUTO, [LOG_TIME_YES] = LOG_STAMPS_YES, [LOG_TIME_NO] = LOG_STAMPS_NO};

        log_sink_set_form(sink, stamps[config->log_time], config->log_format == LOG_FORMAT_JSON);
}

void log_change_set_process(const struct master_config *config, struct log_process *process)
{
        log_process_set(process, config->log_level, config->log_time != LOG_TIME_NO,
                        config->log_format == LOG_FORMAT_JSON);
}

static void undo(void *owner, const struct reload_context *context)
{
        struct log_change *change = owner;

        (void)context;
        log_sink_close(TAKE_PTR(change->opened));
        log_process_close(TAKE_PTR(change->started));
}

static int open_target(struct log_change *change, const struct log_target *target)
{
        int r = target->kind == LOG_TARGET_FILE ? log_process_new(change->setup, target->path, &change->started) : 0;

        return r < 0 ? r : log_change_open_sink(target, change->started, &change->opened);
}

static int prepare(void *owner, const struct reload_context *context)
{
        struct log_change *change = owner;
        const struct log_target *target = &context->new_config->master.log_target;
        const struct origin *origin = &context->new_config->master.origins[MASTER_LOG_TARGET];
        const char *path;

        if (context->old_config && log_target_equal(&context->old_config->master.log_target, target))
                return 0;
        int r = open_target(change, target);
        if (r < 0) {
                undo(change, context);
                problem_add(context->problems, origin->file, origin->line, "log_target: cannot open it: %s",
                            strerror(-r));
                return r;
        }
        r = log_sink_check(change->opened, &path);
        if (r < 0) { /* logged to the old target, which can still be read */
                const struct log_fields fields = {.file = origin->file, .line = origin->line};
                log_emit(LOG_WARNING, &fields, "log_target: %s: %s; records are lost until somebody listens there",
                         path, strerror(-r));
        }
        return 0;
}

static void commit(void *owner, const struct reload_context *context)
{
        struct log_change *change = owner;
        const struct master_config *config = &context->new_config->master;
        struct log_sink_state *old = NULL;
        struct log_process *old_process = NULL;

        if (change->opened) {
                old = *change->sink;
                old_process = *change->process;
                if (old)
                        log_sink_adopt(change->opened, old);
                *change->sink = TAKE_PTR(change->opened);
                *change->process = TAKE_PTR(change->started);
        }
        log_change_set_form(config, *change->sink);
        const struct log_sink sink = log_sink_get(*change->sink);
        log_set_sink(&sink, config->log_level);
        log_sink_close(old);
        log_process_close(old_process);
        if (!*change->process)
                return;
        log_change_set_process(config, *change->process);
        if (old)
                log_process_open(*change->process);
}

const struct reload_participant log_participant = {.name = "log", .prepare = prepare, .commit = commit, .undo = undo};
