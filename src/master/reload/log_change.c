#include "master/reload/log_change.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

enum log_destination log_change_destination(int target)
{
        static const enum log_destination destinations[] = {
                [LOG_TARGET_AUTO] = LOG_DESTINATION_AUTO,
                [LOG_TARGET_JOURNAL] = LOG_DESTINATION_JOURNAL,
                [LOG_TARGET_SYSLOG] = LOG_DESTINATION_SYSLOG,
                [LOG_TARGET_STDERR] = LOG_DESTINATION_STDERR,
        };

        return destinations[target];
}

enum log_stamps log_change_stamps(int log_time)
{
        static const enum log_stamps stamps[] = {
                [LOG_TIME_AUTO] = LOG_STAMPS_AUTO, [LOG_TIME_YES] = LOG_STAMPS_YES, [LOG_TIME_NO] = LOG_STAMPS_NO};

        return stamps[log_time];
}

static int prepare(void *owner, const struct reload_context *context)
{
        struct log_change *change = owner;
        int target = context->new_config->master.log_target;
        const struct origin *origin = &context->new_config->master.origins[MASTER_LOG_TARGET];
        const char *path;

        if (context->old_config && context->old_config->master.log_target == target)
                return 0;
        int r = log_sink_open(log_change_destination(target), NULL, &change->opened);
        if (r < 0) {
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
        struct log_sink_state *old = NULL;

        if (change->opened) {
                old = *change->sink;
                if (old)
                        log_sink_adopt(change->opened, old);
                *change->sink = TAKE_PTR(change->opened);
        }
        log_sink_set_stamps(*change->sink, log_change_stamps(context->new_config->master.log_time));
        const struct log_sink sink = log_sink_get(*change->sink);
        log_set_sink(&sink, context->new_config->master.log_level);
        log_sink_close(old);
}

static void undo(void *owner, const struct reload_context *context)
{
        struct log_change *change = owner;

        (void)context;
        log_sink_close(TAKE_PTR(change->opened));
}

const struct reload_participant log_participant = {.name = "log", .prepare = prepare, .commit = commit, .undo = undo};
