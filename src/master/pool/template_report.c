#include "master/pool/template_report.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "logic/protocol/worker_plan.h"
#include "master/pool/health.h"
#include "master/pool/pool.h"
#include "master/pool/template.h"
#include "os/clock.h"

static struct log_fields fields_of(const struct pool *pool, const struct template *template)
{
        return (struct log_fields){.pool = pool->name, .generation = template->generation};
}

void template_report_start(const struct pool *pool, const struct template *template)
{
        const struct log_fields fields = fields_of(pool, template);

        log_emit(LOG_DEBUG, &fields, "template %d: started, for generation %llu", (int)template->pid,
                 (unsigned long long)template->generation);
}

void template_report_ready(const struct pool *pool, const struct template *template)
{
        const struct log_fields fields = fields_of(pool, template);

        log_emit(LOG_INFO, &fields, "template %d: ready after %llu ms, for generation %llu", (int)template->pid,
                 (unsigned long long)(clock_now_ms() - template->started_ms), (unsigned long long)template->generation);
}

void template_report_strangers(const struct pool *pool, unsigned count)
{
        const struct log_fields fields = {.pool = pool->name, .generation = pool->generation};

        log_emit(LOG_WARNING, &fields, "killed %u process%s that nobody ordered", count, count == 1 ? "" : "es");
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
        return pool->config->start_method == START_SNAPSHOT
                       ? "the handler has not touched its connection, for which start_method = snapshot waits; "
                         "expected forkserver or exec"
                       : "the handler has not got to its main(); expected start_method = exec";
}

static void explain(const struct pool *pool, const struct template *template)
{
        const struct log_fields fields = fields_of(pool, template);

        log_emit(LOG_ERR, &fields, "template %d: %s", (int)template->pid, find_cause(pool, template));
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

static void report_exit(const struct pool *pool, const struct template *template)
{
        const struct log_fields fields = fields_of(pool, template);
        char text[128];

        describe_exit(template, text, sizeof(text));
        log_emit(LOG_WARNING, &fields, "template %d: %s", (int)template->pid, text);
        if (!template->was_ready && WIFEXITED(template->status))
                explain(pool, template);
}

/* Of workers of the same pool, too. */
static void report_failure(struct pool *pool, const struct template *template)
{
        struct log_fields fields = fields_of(pool, template);
        bool tells = health_tells(pool, template->stage, template->error);

        fields.message_id = MESSAGE_ID_WORKER_DIED;
        log_emit(tells ? LOG_ERR : LOG_DEBUG, &fields, "cannot serve: %s: %s (template %d)",
                 worker_stage_name(template->stage), strerror((int)template->error), (int)template->pid);
}

void template_report_end(struct pool *pool, const struct template *template)
{
        struct log_fields fields = fields_of(pool, template);

        switch (template->end) {
        case TEMPLATE_END_ORDERED:
                log_emit(LOG_DEBUG, &fields, "template %d: ended", (int)template->pid);
                break;
        case TEMPLATE_END_EXITED:
                report_exit(pool, template);
                break;
        case TEMPLATE_END_FAILED:
                report_failure(pool, template);
                break;
        case TEMPLATE_END_LATE:
                fields.message_id = MESSAGE_ID_WORKER_STUCK;
                log_emit(LOG_ERR, &fields, "start_timeout: not ready after %llu ms: killed (template %d)",
                         (unsigned long long)(clock_now_ms() - template->started_ms), (int)template->pid);
                explain(pool, template);
                break;
        case TEMPLATE_END_SILENT:
                log_emit(LOG_WARNING, &fields, "template %d: does not answer: killed", (int)template->pid);
                break;
        case TEMPLATE_END_STOPPED:
                log_emit(LOG_WARNING, &fields, "template %d: stopped by a signal: killed, another takes its place",
                         (int)template->pid);
                break;
        case TEMPLATE_END_RENEWED:
                log_emit(LOG_INFO, &fields, "template %d: another takes its place, for a handler has crashed",
                         (int)template->pid);
                break;
        case TEMPLATE_END_LIED:
                log_emit(LOG_WARNING, &fields, "template %d: says what cannot be: killed, with what it has started",
                         (int)template->pid);
                break;
        case TEMPLATE_END_COUNT:
                break;
        }
}
