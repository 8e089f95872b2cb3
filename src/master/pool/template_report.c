#include "master/pool/template_report.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/protocol/worker_plan.h"
#include "master/pool/health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_fallback.h"
#include "master/pool/template.h"
#include "os/clock.h"

#define tell(pool, template, priority, ...) report(pool, template, MESSAGE_ID_NONE, priority, __VA_ARGS__)

/* Log it, and keep it among the pool's decisions in the same words. Of no template: it is the pool's generation. */
__attribute__((format(printf, 5, 6))) static void report(struct pool *pool, const struct template *template,
                                                         enum message_id id, int priority, const char *format, ...)
{
        const struct log_fields fields = {
                .message_id = id, .pool = pool->name, .generation = template ? template->generation : pool->generation};
        va_list arguments;

        va_start(arguments, format);
        pool_record_fields(pool, &fields, true, priority, format, arguments);
        va_end(arguments);
}

void template_report_start(struct pool *pool, const struct template *template)
{
        tell(pool, template, LOG_DEBUG, "template %d: started, for generation %llu", (int)template->pid,
             (unsigned long long)template->generation);
}

void template_report_ready(struct pool *pool, const struct template *template)
{
        tell(pool, template, LOG_INFO, "template %d: ready after %llu ms, for generation %llu", (int)template->pid,
             (unsigned long long)(clock_now_ms() - template->started_ms), (unsigned long long)template->generation);
}

void template_report_strangers(struct pool *pool, unsigned count)
{
        tell(pool, NULL, LOG_WARNING, "killed %u process%s that nobody ordered", count, count == 1 ? "" : "es");
}

/* Why it has not got to its point. */
static const char *find_cause(const struct pool *pool, const struct template *template)
{
        if (!template->loaded)
                return "the handler runs without preforkd's preload object; a start_method other than exec is for "
                       "programs that are dynamically linked with glibc and not setuid";
        if (pool->config->handler_type == HANDLER_LISTENER)
                return "the handler has not waited for a connection on a listener that it was given, for which "
                       "start_method = snapshot waits; expected exec";
        return pool_config_start_method(pool->config) == START_SNAPSHOT
                       ? "the handler has not touched its connection, for which start_method = snapshot waits; "
                         "expected forkserver or exec"
                       : "the handler has not got to its main(); expected start_method = exec";
}

static void explain(struct pool *pool, const struct template *template)
{
        tell(pool, template, LOG_ERR, "template %d: %s", (int)template->pid, find_cause(pool, template));
}

static void describe_exit(const struct template *template, char *text, size_t size)
{
        const char *when = template->was_ready ? "" : " while starting";

        if (WIFSIGNALED(template->status))
                snprintf(text, size, "killed by signal %d (%s)%s", WTERMSIG(template->status),
                         strsignal(WTERMSIG(template->status)), when);
        else
                snprintf(text, size, "exited with code %d%s", WEXITSTATUS(template->status), when);
}

static void report_exit(struct pool *pool, const struct template *template, bool is_given_up)
{
        char text[128];

        describe_exit(template, text, sizeof(text));
        tell(pool, template, LOG_WARNING, "template %d: %s", (int)template->pid, text);
        if (!template->was_ready && WIFEXITED(template->status) && !is_given_up)
                explain(pool, template);
}

/* Of workers of the same pool, too. */
static void report_failure(struct pool *pool, const struct template *template, bool is_given_up)
{
        bool tells = !is_given_up && health_tells(pool, template->stage, template->error);
        _cleanup_(text_clear) struct text why = {0};

        if (pool_fallback_reason(template, &why) < 0)
                text_clear(&why);
        report(pool, template, MESSAGE_ID_WORKER_DIED, tells ? LOG_ERR : LOG_DEBUG,
               "cannot serve: %s: %s%s%s (template %d)", worker_stage_name(template->stage),
               strerror((int)template->error), why.length > 0 ? ": " : "", text_string(&why), (int)template->pid);
}

static void report_order(struct pool *pool, const struct template *template)
{
        if (template->generation != pool->generation)
                tell(pool, template, LOG_DEBUG, "template %d: ended with generation %llu", (int)template->pid,
                     (unsigned long long)template->generation);
        else
                tell(pool, template, LOG_DEBUG, "template %d: ended with %s", (int)template->pid,
                     pool->mode == POOL_OPEN ? "the program that is replaced" : "the pool");
}

void template_report_end(struct pool *pool, const struct template *template, bool is_given_up)
{
        switch (template->end) {
        case TEMPLATE_END_ORDERED:
                report_order(pool, template);
                break;
        case TEMPLATE_END_EXITED:
                report_exit(pool, template, is_given_up);
                break;
        case TEMPLATE_END_FAILED:
                report_failure(pool, template, is_given_up);
                break;
        case TEMPLATE_END_LATE:
                report(pool, template, MESSAGE_ID_WORKER_STUCK, LOG_ERR,
                       "start_timeout: not ready after %llu ms: killed (template %d)",
                       (unsigned long long)(clock_now_ms() - template->started_ms), (int)template->pid);
                if (!is_given_up)
                        explain(pool, template);
                break;
        case TEMPLATE_END_SILENT:
                tell(pool, template, LOG_WARNING, "template %d: does not answer: killed", (int)template->pid);
                break;
        case TEMPLATE_END_STOPPED:
                tell(pool, template, LOG_WARNING, "template %d: stopped by a signal: killed, another takes its place",
                     (int)template->pid);
                break;
        case TEMPLATE_END_RENEWED:
                tell(pool, template, LOG_INFO, "template %d: another takes its place, for a handler has crashed",
                     (int)template->pid);
                break;
        case TEMPLATE_END_LIED:
                tell(pool, template, LOG_WARNING, "template %d: says what cannot be: killed, with what it has started",
                     (int)template->pid);
                break;
        case TEMPLATE_END_COUNT:
                break;
        }
}
