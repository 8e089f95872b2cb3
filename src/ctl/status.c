#include "ctl/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "ctl/format.h"
#include "ctl/status_pools.h"

int ctl_status_summary(const json_t *document, struct text *text)
{
        const json_t *master = ctl_at(document, "master");
        uint64_t unwatched = ctl_number(master, "counts.unwatched");
        char uptime[FIGURE_MAX], rate[FIGURE_MAX], besides[48] = "";

        if (unwatched > 0)
                snprintf(besides, sizeof(besides), ", %" PRIu64 " unwatched", unwatched);
        return text_appendf(text,
                            "preforkd %s, pid %" PRIu64 ", %s, up %s: %" PRIu64 " workers (%" PRIu64 " idle, %" PRIu64
                            " busy%s), %" PRIu64 " requests, %s/s\n",
                            ctl_string(master, "version"), ctl_number(master, "pid"), ctl_string(master, "state"),
                            figure_duration(ctl_number(master, "uptime_ms"), uptime),
                            ctl_number(master, "counts.total"), ctl_number(master, "counts.idle"),
                            ctl_number(master, "counts.busy"), besides, ctl_number(master, "totals.requests"),
                            figure_rate(ctl_real(master, "requests_per_second"), rate));
}

/* Nothing without max_workers_total. */
static int append_total(const json_t *document, struct text *text)
{
        uint64_t max = ctl_number(document, "master.total.max_workers");

        if (max == 0)
                return 0;
        return text_appendf(text, "max_workers_total: %" PRIu64 " of %" PRIu64 " in use\n",
                            ctl_number(document, "master.total.used"), max);
}

/* Nothing as long as every record gets to where it should. */
static int append_log(const json_t *document, struct text *text)
{
        const json_t *log = ctl_at(document, "master.log");
        const char *file = json_is_string(ctl_at(log, "file")) ? ctl_string(log, "file") : ctl_string(log, "target");
        int r = 0;

        if (json_is_string(ctl_at(log, "error")))
                r = text_appendf(text, "log %s: %s\n", file, ctl_string(log, "error"));
        if (r == 0 && ctl_number(log, "dropped") > 0)
                r = text_appendf(text, "log %s: %" PRIu64 " records were dropped\n", file, ctl_number(log, "dropped"));
        return r;
}

static int append_adaptive(const json_t *pool, struct text *text)
{
        char idle[FIGURE_MAX], delay[FIGURE_MAX], start[FIGURE_MAX], worth[FIGURE_MAX];

        return text_appendf(text,
                            "  adaptive   level %" PRIu64
                            ", idle for %s, goes after %s; a start takes %s and is worth %s; %" PRIu64 " ahead\n",
                            ctl_number(pool, "adaptive.level"),
                            figure_duration(ctl_number(pool, "adaptive.level_idle_ms"), idle),
                            figure_duration(ctl_number(pool, "adaptive.off_delay_ms"), delay),
                            figure_microseconds(ctl_number(pool, "starts.duration_us"), start),
                            figure_duration(ctl_number(pool, "adaptive.start_worth_ms"), worth),
                            ctl_number(pool, "adaptive.spare_workers"));
}

/* The most that there was at once, and how many were busy at once, by the work that was done so. */
static int append_demand(const json_t *pool, struct text *text)
{
        char observed[FIGURE_MAX];
        int r = text_appendf(
                text, "  at most    %" PRIu64 " busy, %" PRIu64 " waiting, %" PRIu64 " both at once in %s\n",
                ctl_number(pool, "peaks.busy"), ctl_number(pool, "peaks.queue"), ctl_number(pool, "peaks.demand"),
                figure_duration(ctl_number(pool, "peaks.observed_ms"), observed));

        if (r < 0 || ctl_number(pool, "concurrency.p999") == 0)
                return r;
        return text_appendf(text,
                            "  busy       at most %" PRIu64 " for 50%% of the work, %" PRIu64 " for 90%%, %" PRIu64
                            " for 99%%, %" PRIu64 " for 99.9%%\n",
                            ctl_number(pool, "concurrency.p50"), ctl_number(pool, "concurrency.p90"),
                            ctl_number(pool, "concurrency.p99"), ctl_number(pool, "concurrency.p999"));
}

static int append_workers(const json_t *pool, struct text *text)
{
        int r = text_appendf(text,
                             "  workers    %" PRIu64 " of at most %" PRIu64 ": %" PRIu64 " idle, %" PRIu64
                             " busy, %" PRIu64 " starting; besides %" PRIu64 " retiring, %" PRIu64 " detached\n",
                             ctl_number(pool, "counts.total"), ctl_number(pool, "limits.max_workers"),
                             ctl_number(pool, "counts.idle"), ctl_number(pool, "counts.busy"),
                             ctl_number(pool, "counts.starting"), ctl_number(pool, "counts.retiring"),
                             ctl_number(pool, "counts.detached"));

        if (r == 0 && ctl_number(pool, "peaks.demand") > 0)
                r = append_demand(pool, text);
        if (r == 0 && ctl_number(pool, "counts.throttled") > 0)
                r = text_appendf(text, "  throttled  %" PRIu64 " of the idle hold a connection for rate_limit\n",
                                 ctl_number(pool, "counts.throttled"));
        if (r == 0 && ctl_number(pool, "counts.unwatched") > 0)
                r = text_appendf(text,
                                 "  unwatched  %" PRIu64 " report nothing: judged by what waits at the listeners\n",
                                 ctl_number(pool, "counts.unwatched"));
        if (r == 0 && ctl_number(pool, "wants") > 0)
                r = text_appendf(text, "  wants      %" PRIu64 " more; max_workers_total allows none at present\n",
                                 ctl_number(pool, "wants"));
        if (r == 0 && json_is_true(ctl_at(pool, "growth_pressure.held_back")))
                r = text_appendf(text, "  held back  %s pressure %.2f%%, growth_pressure_limit is %.0f%%\n",
                                 ctl_string(pool, "growth_pressure.resource"),
                                 ctl_real(pool, "growth_pressure.percent"),
                                 ctl_real(pool, "growth_pressure.limit_percent"));
        if (r == 0 && ctl_number(pool, "counts.old") > 0)
                r = text_appendf(text, "  roll       %" PRIu64 " of an older generation left\n",
                                 ctl_number(pool, "counts.old"));
        if (r == 0)
                r = text_appendf(text, "  spare      %" PRIu64 " to %" PRIu64 " (%s)\n",
                                 ctl_number(pool, "limits.min_spare_workers"),
                                 ctl_number(pool, "limits.max_spare_workers"), ctl_string(pool, "limits.scaling"));
        if (r == 0 && json_is_object(json_object_get(pool, "adaptive")))
                r = append_adaptive(pool, text);
        return r;
}

/* `  overlay    max_workers 9 (configured: 4), … until the next reload`; nothing without one. */
static int append_overlay(const json_t *pool, struct text *text)
{
        json_t *overlay = json_object_get(pool, "overlay"), *row;
        const char *option, *separator = "  overlay    ";
        int r = 0;

        json_object_foreach (overlay, option, row) {
                if (r == 0)
                        r = text_appendf(text, "%s%s %s (configured: %s)", separator, option,
                                         ctl_string(row, "overlaid"), ctl_string(row, "configured"));
                separator = ", ";
        }
        return r == 0 && json_object_size(overlay) > 0 ? text_append(text, "; until the next reload\n") : r;
}

/* The mean is exact, the percentiles are estimates: "~". */
static int append_durations(const json_t *pool, struct text *text)
{
        char mean[FIGURE_MAX], p50[FIGURE_MAX], p90[FIGURE_MAX], p99[FIGURE_MAX];

        if (ctl_number(pool, "totals.requests") == 0)
                return 0;
        return text_appendf(text, "  durations  mean %s, median ~%s, 90%% within ~%s, 99%% within ~%s\n",
                            figure_microseconds(ctl_number(pool, "duration_us.mean"), mean),
                            figure_microseconds(ctl_number(pool, "duration_us.p50"), p50),
                            figure_microseconds(ctl_number(pool, "duration_us.p90"), p90),
                            figure_microseconds(ctl_number(pool, "duration_us.p99"), p99));
}

/* Of connections where the kernel says it, TCP's. */
static int append_waits(const json_t *pool, struct text *text)
{
        char p50[FIGURE_MAX], p90[FIGURE_MAX], p99[FIGURE_MAX];

        if (ctl_number(pool, "wait_us.measured") == 0)
                return 0;
        return text_appendf(text, "  waits      median ~%s, 90%% within ~%s, 99%% within ~%s\n",
                            figure_microseconds(ctl_number(pool, "wait_us.p50"), p50),
                            figure_microseconds(ctl_number(pool, "wait_us.p90"), p90),
                            figure_microseconds(ctl_number(pool, "wait_us.p99"), p99));
}

static int append_requests(const json_t *pool, struct text *text)
{
        char rate[FIGURE_MAX], cpu[FIGURE_MAX];
        int r = text_appendf(text, "  requests   %" PRIu64 ", %s a second; handlers' CPU %s\n",
                             ctl_number(pool, "totals.requests"),
                             figure_rate(ctl_real(pool, "requests_per_second"), rate),
                             figure_duration(ctl_number(pool, "totals.handler_cpu_ms"), cpu));

        if (r == 0)
                r = append_durations(pool, text);
        return r < 0 ? r : append_waits(pool, text);
}

/* "template   4711 ready for 3h, 2.1 MB". */
static int append_template(const json_t *pool, struct text *text)
{
        char age[FIGURE_MAX], memory[FIGURE_MAX];

        return text_appendf(text, "  template   %" PRIu64 " %s for %s, %s\n", ctl_number(pool, "template.pid"),
                            ctl_string(pool, "template.state"),
                            figure_duration(ctl_number(pool, "template.age_ms"), age),
                            figure_size(ctl_number(pool, "template.memory_bytes"), memory));
}

/* "start      forkserver (auto; snapshot cannot be used: it has threads)"; nothing if the configuration says it. */
static int append_choice(const json_t *pool, const char *label, const char *member, struct text *text)
{
        const json_t *choice = ctl_at(pool, member);
        const char *configured = ctl_string(choice, "configured"), *used = ctl_string(choice, "used");
        const char *why = json_is_string(ctl_at(choice, "why")) ? ctl_string(choice, "why") : NULL;

        if (!json_is_object(choice) || text_equal(configured, used))
                return 0;
        return text_appendf(text, "  %-10s %s (%s%s%s)\n", label, used, configured, why ? "; " : "", why ? why : "");
}

static int append_totals(const json_t *pool, struct text *text)
{
        return text_appendf(
                text,
                "  limits met %" PRIu64 " saturations, %" PRIu64 " refused (%" PRIu64 " full, %" PRIu64
                " by source, %" PRIu64 " by rate, %" PRIu64 " by access rules, %" PRIu64 " by PROXY header, %" PRIu64
                " by wait, %" PRIu64 " by banner), %" PRIu64 " throttled, %" PRIu64 " request timeouts, %" PRIu64
                " idle timeouts, %" PRIu64 " slow, %" PRIu64 " aborted, %" PRIu64 " detached, %" PRIu64 " lost\n"
                "  restarts   %" PRIu64 " forked: %" PRIu64 " retired, %" PRIu64 " recycled, %" PRIu64 " died, %" PRIu64
                " failed to start\n  handlers   %" PRIu64 " failed, %" PRIu64 " died of a signal\n",
                ctl_number(pool, "totals.saturations"), ctl_number(pool, "totals.refused"),
                ctl_number(pool, "totals.refused_full"), ctl_number(pool, "totals.refused_source"),
                ctl_number(pool, "totals.refused_rate"), ctl_number(pool, "totals.refused_access"),
                ctl_number(pool, "totals.refused_proxy"), ctl_number(pool, "totals.refused_wait"),
                ctl_number(pool, "totals.refused_banner"), ctl_number(pool, "totals.throttled"),
                ctl_number(pool, "totals.request_timeouts"), ctl_number(pool, "totals.idle_timeouts"),
                ctl_number(pool, "totals.slow"), ctl_number(pool, "totals.aborted"),
                ctl_number(pool, "totals.detached"), ctl_number(pool, "totals.lost"), ctl_number(pool, "totals.forked"),
                ctl_number(pool, "totals.retired"), ctl_number(pool, "totals.recycled"),
                ctl_number(pool, "totals.died"), ctl_number(pool, "totals.start_failures"),
                ctl_number(pool, "totals.handler_failures"), ctl_number(pool, "totals.handler_deaths"));
}

static int append_listeners(const json_t *pool, struct text *text)
{
        _cleanup_(ctl_table_clear) struct ctl_table table = {0};
        const json_t *listener;
        size_t index;

        ctl_table_column(&table, "LISTENER", false);
        ctl_table_column(&table, "QUEUE", true);
        ctl_table_column(&table, "BACKLOG", true);
        ctl_table_column(&table, "", false);
        json_array_foreach (ctl_at(pool, "listeners"), index, listener) {
                ctl_table_cell(&table, ctl_string(listener, "address"));
                ctl_table_number(&table, ctl_number(listener, "queue"));
                ctl_table_number(&table, ctl_number(listener, "backlog"));
                ctl_table_cell(&table, json_is_true(ctl_at(listener, "closing"))   ? "closing"
                                       : json_is_string(ctl_at(listener, "error")) ? ctl_string(listener, "error")
                                                                                   : "");
        }
        int r = text_append(text, "\n");
        return r < 0 ? r : ctl_table_render(&table, 2, text);
}

int ctl_status_pool(const json_t *pool, struct ctl_style style, struct text *text)
{
        char pause[FIGURE_MAX];
        const char *state = ctl_string(pool, "state");
        int r = text_appendf(text, "%s: %s%s%s, generation %" PRIu64 "\n\n", ctl_string(pool, "name"),
                             style.colours ? ctl_colour_sequence(ctl_colour_of_state(state)) : "", state,
                             style.colours ? ctl_colour_sequence(CTL_PLAIN) : "", ctl_number(pool, "generation"));

        if (r == 0)
                r = append_workers(pool, text);
        if (r == 0)
                r = append_overlay(pool, text);
        if (r == 0 && ctl_number(pool, "backoff.next_start_ms") > 0)
                r = text_appendf(text, "  back-off   %" PRIu64 " failed starts in a row, the next in %s\n",
                                 ctl_number(pool, "backoff.failures"),
                                 figure_duration(ctl_number(pool, "backoff.next_start_ms"), pause));
        if (r == 0)
                r = append_choice(pool, "start", "start_method", text);
        if (r == 0)
                r = append_choice(pool, "copy", "copy", text);
        if (r == 0 && ctl_number(pool, "template.pid") > 0)
                r = append_template(pool, text);
        if (r == 0 && ctl_number(pool, "opening.next_attempt_ms") > 0)
                r = text_appendf(text, "  opening    %" PRIu64 " attempts in a row, the next in %s\n",
                                 ctl_number(pool, "opening.failures"),
                                 figure_duration(ctl_number(pool, "opening.next_attempt_ms"), pause));
        if (r == 0)
                r = append_requests(pool, text);
        if (r == 0)
                r = append_totals(pool, text);
        return r < 0 ? r : append_listeners(pool, text);
}

const char *ctl_status_exit(const json_t *worker, char text[static 32])
{
        const json_t *signal = ctl_at(worker, "last_exit.signal"), *code = ctl_at(worker, "last_exit.code");

        if (signal)
                snprintf(text, 32, "signal %" PRIu64, ctl_number(worker, "last_exit.signal"));
        else if (code)
                snprintf(text, 32, "exit %" PRIu64, ctl_number(worker, "last_exit.code"));
        else
                snprintf(text, 32, "-");
        return text;
}

const char *ctl_status_template(const json_t *template, char text[static 32])
{
        const char *state = ctl_string(template, "state");
        bool is_ready = text_equal(state, "ready");

        snprintf(text, 32, "template%s%s", is_ready ? "" : ", ", is_ready ? "" : state);
        return text;
}

static void add_process(struct ctl_table *table, const json_t *worker, bool is_template)
{
        char text[FIGURE_MAX];

        if (ctl_number(worker, "pid") > 0)
                ctl_table_number(table, ctl_number(worker, "pid"));
        else /* it is being launched */
                ctl_table_cell(table, "-");
        ctl_table_state(table, is_template ? ctl_status_template(worker, text) : ctl_string(worker, "state"));
        ctl_table_cell(table, figure_duration(ctl_number(worker, "since_ms"), text));
        ctl_table_cell(table, figure_duration(ctl_number(worker, "age_ms"), text));
        ctl_table_number(table, ctl_number(worker, "generation"));
        if (is_template)
                ctl_table_cell(table, "-");
        else
                ctl_table_number(table, ctl_number(worker, "requests"));
        ctl_table_cell(table, figure_duration(ctl_number(worker, "cpu_ms"), text));
        ctl_table_cell(table, ctl_number(worker, "memory_bytes") > 0
                                      ? figure_size(ctl_number(worker, "memory_bytes"), text)
                                      : "-");
        ctl_table_cell(table, ctl_status_exit(worker, text));
}

int ctl_status_workers(const json_t *pool, struct ctl_style style, struct text *text)
{
        static const char *const titles[] = {"PID",      "STATE", "SINCE",  "AGE",      "GEN",
                                             "REQUESTS", "CPU",   "MEMORY", "LAST EXIT"};
        _cleanup_(ctl_table_clear) struct ctl_table table = {.style = style};
        uint64_t left_out = ctl_number(pool, "workers_left_out");
        const json_t *process;
        size_t index;

        for (size_t i = 0; i < ELEMENTS(titles); i++)
                ctl_table_column(&table, titles[i], i != 1 && i + 1 < ELEMENTS(titles));
        json_array_foreach (ctl_at(pool, "templates"), index, process)
                add_process(&table, process, true);
        json_array_foreach (ctl_at(pool, "workers"), index, process)
                add_process(&table, process, false);
        int r = ctl_table_render(&table, 2, text);
        if (r == 0 && left_out > 0)
                r = text_appendf(text, "  and %" PRIu64 " more\n", left_out);
        return r;
}

int ctl_status_print(const json_t *document, bool in_full, struct ctl_style style, struct text *text)
{
        const json_t *pool;
        size_t index;
        int r = in_full ? 0 : ctl_status_summary(document, text);

        if (r == 0 && !in_full)
                r = append_total(document, text);
        if (r == 0 && !in_full)
                r = append_log(document, text);
        if (r == 0 && !in_full)
                r = text_append(text, "\n");
        if (r == 0 && !in_full)
                r = ctl_status_pools(document, style, text);
        json_array_foreach (ctl_at(document, "pools"), index, pool) {
                if (r == 0 && in_full)
                        r = text_append(text, index > 0 ? "\n" : "");
                if (r == 0 && in_full)
                        r = ctl_status_pool(pool, style, text);
                if (r < 0 || !ctl_at(pool, "workers"))
                        continue;
                r = in_full ? text_append(text, "\n") : text_appendf(text, "\n%s:\n", ctl_string(pool, "name"));
                if (r == 0)
                        r = ctl_status_workers(pool, style, text);
        }
        return r;
}
