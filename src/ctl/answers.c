#include "ctl/answers.h"

#include <inttypes.h>
#include <time.h>

#include "base/cleanup.h"
#include "ctl/format.h"
#include "document/status_document.h"
#include "logic/status/adaptive_words.h"

/* Local time, for people; with the date if it is not today. */
static int append_time(uint64_t wall_ms, struct text *text)
{
        time_t then_s = (time_t)(wall_ms / 1000), now_s = time(NULL);
        struct tm then, now;
        char day[32] = "", clock[32] = "";

        if (!localtime_r(&then_s, &then) || !localtime_r(&now_s, &now))
                return 0;
        if (then.tm_year != now.tm_year || then.tm_yday != now.tm_yday)
                strftime(day, sizeof(day), "%Y-%m-%d ", &then);
        strftime(clock, sizeof(clock), "%H:%M:%S", &then);
        return text_appendf(text, "%s%s.%03u", day, clock, (unsigned)(wall_ms % 1000));
}

/* What holds at this moment, and is no decision of the master's. */
static int append_throttled(const json_t *pool, struct text *text)
{
        uint64_t count = ctl_number(pool, "throttled");

        if (count == 0)
                return 0;
        return text_appendf(text,
                            "  rate_limit holds %" PRIu64 " connection%s at present; more workers would serve nobody "
                            "sooner\n",
                            count, count == 1 ? "" : "s");
}

/* The levels that keep workers now, and what a start is worth. */
static int append_adaptive(const json_t *document, const json_t *pool, struct text *text)
{
        struct status_pool status = {0};

        if (!json_is_object(ctl_at(pool, "adaptive")))
                return 0;
        status_document_read_scaling(pool, &status);
        int r = text_append(text, "  now: ");
        if (r == 0)
                r = adaptive_words_append(&status, ctl_number(document, "machine.memory_bytes"),
                                          (unsigned)ctl_number(document, "machine.cpus"), text);
        return r == 0 ? text_append(text, "\n") : r;
}

int ctl_answer_why(const json_t *document, struct text *text)
{
        const json_t *pool;
        size_t index;
        int r = 0;

        json_array_foreach (ctl_at(document, "pools"), index, pool) {
                const json_t *decisions = ctl_at(pool, "decisions");
                if (r == 0)
                        r = text_appendf(text, "%s%s:\n", index > 0 ? "\n" : "", ctl_string(pool, "name"));
                if (r == 0)
                        r = append_throttled(pool, text);
                if (r == 0)
                        r = append_adaptive(document, pool, text);
                for (size_t i = json_array_size(decisions); i-- > 0 && r == 0;) {
                        const json_t *decision = json_array_get(decisions, i);
                        r = text_append(text, "  ");
                        if (r == 0)
                                r = append_time(ctl_number(decision, "time_ms"), text);
                        if (r == 0)
                                r = text_appendf(text, "  %s\n", ctl_string(decision, "text"));
                }
        }
        return r;
}

/* "max_workers, nice", after what is there. */
static int append_words(const json_t *words, struct text *text)
{
        const json_t *word;
        size_t index;
        int r = 0;

        json_array_foreach (words, index, word)
                if (r == 0)
                        r = text_appendf(text, "%s%s", text->length > 0 ? ", " : "", json_string_value(word));
        return r;
}

int ctl_answer_reload(const json_t *document, struct text *text)
{
        _cleanup_(ctl_table_clear) struct ctl_table table = {0};
        bool dry_run = json_is_true(ctl_at(document, "dry_run"));
        const json_t *change;
        size_t index;
        int r = text_append(text, dry_run ? "a reload would do this:\n" : "reloaded:\n");

        ctl_table_column(&table, "POOL", false);
        ctl_table_column(&table, "ACTION", false);
        ctl_table_column(&table, "CHANGED", false);
        if (json_array_size(ctl_at(document, "master_options")) > 0) {
                _cleanup_(text_clear) struct text options = {0};
                r = r < 0 ? r : append_words(ctl_at(document, "master_options"), &options);
                ctl_table_cell(&table, "[preforkd]");
                ctl_table_cell(&table, "");
                ctl_table_cell(&table, text_string(&options));
        }
        json_array_foreach (ctl_at(document, "changes"), index, change) {
                _cleanup_(text_clear) struct text options = {0};
                r = r < 0 ? r : append_words(ctl_at(change, "options"), &options);
                r = r < 0 ? r : append_words(ctl_at(change, "files"), &options);
                ctl_table_cell(&table, ctl_string(change, "pool"));
                ctl_table_cell(&table, ctl_string(change, "verb"));
                ctl_table_cell(&table, text_string(&options));
        }
        return r < 0 ? r : ctl_table_render(&table, 2, text);
}

int ctl_answer_problems(const json_t *document, struct text *text)
{
        const json_t *problem;
        size_t index;
        int r = 0;

        json_array_foreach (ctl_at(document, "problems"), index, problem) {
                if (r == 0 && text_equal(ctl_string(problem, "severity"), "warning"))
                        r = text_append(text, "warning: ");
                if (r == 0 && ctl_at(problem, "file") && !json_is_null(ctl_at(problem, "file")))
                        r = text_appendf(text, "%s:", ctl_string(problem, "file"));
                if (r == 0 && ctl_number(problem, "line") > 0)
                        r = text_appendf(text, "%" PRIu64 ":", ctl_number(problem, "line"));
                if (r == 0)
                        r = text_appendf(text, "%s%s\n", json_is_string(ctl_at(problem, "file")) ? " " : "",
                                         ctl_string(problem, "text"));
        }
        return r;
}

static int append_drained(const json_t *document, bool drains, struct text *text)
{
        const json_t *name;
        size_t index;
        int r = 0;

        json_array_foreach (ctl_at(document, "pools"), index, name)
                if (r == 0)
                        r = text_appendf(text, "%s: %s\n", json_string_value(name),
                                         drains ? "draining; serves on, and balancers are to send nobody else"
                                                : "draining no longer");
        return r;
}

int ctl_answer_done(const json_t *document, struct text *text)
{
        const char *command = ctl_string(document, "command"), *pool = ctl_string(document, "pool");

        if (text_equal(command, "restart"))
                return text_appendf(text, "%s: generation %" PRIu64 " begun\n", pool,
                                    ctl_number(document, "generation"));
        if (text_equal(command, "pause"))
                return text_appendf(text, "%s: paused; its clients wait until it is resumed\n", pool);
        if (text_equal(command, "resume"))
                return text_appendf(text, "%s: resumed\n", pool);
        if (text_equal(command, "drain") || text_equal(command, "undrain"))
                return append_drained(document, text_equal(command, "drain"), text);
        if (text_equal(command, "scale"))
                return text_appendf(text,
                                    "%s: at most %" PRIu64 " workers, %" PRIu64 " to %" PRIu64 " spare, until the next "
                                    "reload\n",
                                    pool, ctl_number(document, "limits.max_workers"),
                                    ctl_number(document, "limits.min_spare_workers"),
                                    ctl_number(document, "limits.max_spare_workers"));
        if (text_equal(command, "kill-worker"))
                return text_appendf(text, "%s: worker %" PRIu64 " killed\n", pool, ctl_number(document, "pid"));
        if (text_equal(command, "upgrade"))
                return text_appendf(text, "upgraded from %s to %s: %s, pid %" PRIu64 "\n", ctl_string(document, "from"),
                                    ctl_string(document, "version"), ctl_string(document, "program"),
                                    ctl_number(document, "pid"));
        if (text_equal(command, "reopen-logs"))
                return json_is_string(ctl_at(document, "log_file"))
                               ? text_appendf(text, "%s: opened anew\n", ctl_string(document, "log_file"))
                               : text_append(text, "records go to no file (log_target): nothing to open anew\n");
        if (text_equal(command, "stop"))
                return text_append(text, "stopping\n");
        if (text_equal(command, "version"))
                return text_appendf(text, "preforkctl " PREFORKD_VERSION "\npreforkd %s, pid %" PRIu64 "\n",
                                    ctl_string(document, "version"), ctl_number(document, "pid"));
        if (text_equal(command, "config"))
                return text_append(text, ctl_string(document, "config"));
        return text_append(text, "done\n");
}
