#include "ctl/advise.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/figures.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/format.h"
#include "ctl/output.h"
#include "ctl/style.h"
#include "document/status_document.h"
#include "logic/status/sizing.h"
#include "os/process/cgroup_memory.h"

static const char usage[] = "preforkctl: expected: advise [POOL]\nTry \"preforkctl help\".\n";

#define INDENT 6

/* What is judged by: the lesser of what the machine has and what the daemon may have. */
struct memory {
        uint64_t bytes;
        const char *whose;
};

static struct memory memory_of(const struct status *status)
{
        uint64_t limit = cgroup_memory_limit(status->pid);

        if (limit > 0 && (status->memory_bytes == 0 || limit < status->memory_bytes))
                return (struct memory){limit, "the daemon's control group"};
        return (struct memory){status->memory_bytes, "the machine"};
}

/* The workers of a pool, of which the status does not read. */
static int read_workers(const json_t *pool, struct sizing_worker **ret, size_t *ret_count)
{
        const json_t *array = ctl_at(pool, "workers"), *worker;
        struct sizing_worker *workers = calloc(json_array_size(array) + 1, sizeof(*workers));
        size_t index;

        if (!workers)
                return -ENOMEM;
        json_array_foreach (array, index, worker)
                workers[index] = (struct sizing_worker){.requests = ctl_number(worker, "requests"),
                                                        .private_bytes = ctl_number(worker, "private_bytes"),
                                                        .busy = json_is_true(ctl_at(worker, "busy"))};
        *ret = workers;
        *ret_count = json_array_size(array);
        return 0;
}

static int judge(const struct status *status, size_t index, const json_t *document, struct sizing *ret)
{
        const struct memory memory = memory_of(status);
        _cleanup_(freep) struct sizing_worker *workers = NULL;
        struct sizing_input input = {.pool = &status->pools[index],
                                     .memory_bytes = memory.bytes,
                                     .memory_of = memory.whose,
                                     .cpus = status->cpus};

        int r = read_workers(json_array_get(ctl_at(document, "pools"), index), &workers, &input.worker_count);
        input.workers = workers;
        return r == 0 ? sizing_judge(&input, ret) : r;
}

/* --- for people --------------------------------------------------------------------------------------------------- */

/* Append the sentence, in lines of at most `width` columns; 0: in one. */
static int append_wrapped(const char *sentence, size_t width, struct text *text)
{
        size_t column = 0;
        int r = 0;

        while (*sentence != '\0' && r == 0) {
                size_t word = strcspn(sentence, " ");
                if (column == 0 || (width > 0 && column + 1 + word > width)) {
                        r = text_appendf(text, "%s%*s", column > 0 ? "\n" : "", INDENT, "");
                        column = INDENT;
                } else {
                        r = text_append(text, " ");
                        column++;
                }
                if (r == 0)
                        r = text_append_bytes(text, sentence, word);
                column += word;
                sentence += word + strspn(sentence + word, " ");
        }
        return r == 0 ? text_append(text, "\n") : r;
}

/* "max_workers, when_full: unknown", and why: those that have the reason of the first of them. */
static int append_unknown(const struct sizing *sizing, size_t first, size_t width, struct text *text)
{
        const char *why = text_string(&sizing->items[first].why);
        int r = 0;

        for (size_t i = first; i < sizing->count && r == 0; i++)
                if (text_equal(text_string(&sizing->items[i].why), why))
                        r = text_appendf(text, "%s%s", i > first ? ", " : "  ", sizing->items[i].option);
        if (r == 0)
                r = text_append(text, ": unknown\n");
        return r == 0 ? append_wrapped(why, width, text) : r;
}

/* True if an earlier one has the same reason. */
static bool is_said(const struct sizing *sizing, size_t index)
{
        for (size_t i = 0; i < index; i++)
                if (text_equal(text_string(&sizing->items[i].why), text_string(&sizing->items[index].why)))
                        return true;
        return false;
}

static int append_advice(const struct sizing_advice *advice, size_t width, struct text *text)
{
        bool changes = advice->verdict == SIZING_CHANGE;
        int r = text_appendf(text, "  %s = %s: %s%s\n", advice->option, advice->present,
                             changes ? "better " : sizing_verdict_name(advice->verdict), changes ? advice->value : "");

        return r == 0 ? append_wrapped(text_string(&advice->why), width, text) : r;
}

static int append_pool(const struct status_pool *pool, const struct sizing *sizing, size_t width, struct text *text)
{
        char observed[FIGURE_MAX];
        int r = text_appendf(text, "%s: %" PRIu64 " request%s in %s\n", pool->name, pool->totals.requests,
                             pool->totals.requests == 1 ? "" : "s", figure_duration(pool->peaks.observed_ms, observed));

        for (size_t i = 0; i < sizing->count && r == 0; i++) {
                const struct sizing_advice *advice = &sizing->items[i];
                if (advice->verdict != SIZING_UNKNOWN)
                        r = append_advice(advice, width, text);
                else if (!is_said(sizing, i))
                        r = append_unknown(sizing, i, width, text);
        }
        return r;
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static json_t *advice_json(const struct sizing_advice *advice)
{
        return json_pack("{s:s, s:s, s:s, s:o, s:s}", "option", advice->option, "present", advice->present, "verdict",
                         sizing_verdict_name(advice->verdict), "value",
                         advice->verdict == SIZING_CHANGE ? json_string(advice->value) : json_null(), "why",
                         text_string(&advice->why));
}

static int add_pool(const struct status_pool *pool, const struct sizing *sizing, json_t *pools)
{
        json_t *list = json_array(), *object = json_pack("{s:s, s:I, s:I, s:O}", "name", pool->name, "requests",
                                                         (json_int_t)pool->totals.requests, "observed_ms",
                                                         (json_int_t)pool->peaks.observed_ms, "advice", list);
        int r = json_array_append_new(pools, object);

        for (size_t i = 0; i < sizing->count && r == 0; i++)
                r = json_array_append_new(list, advice_json(&sizing->items[i]));
        json_decref(list);
        return r == 0 ? 0 : -ENOMEM;
}

static int finish_json(json_t *pools, struct text *text)
{
        json_t *object = json_pack("{s:O}", "pools", pools);
        _cleanup_(freep) char *string = object ? json_dumps(object, JSON_COMPACT) : NULL;

        json_decref(object);
        return string ? text_appendf(text, "%s\n", string) : -ENOMEM;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int render_pool(const struct status *status, size_t index, const json_t *document, json_t *pools,
                       struct text *text)
{
        _cleanup_(sizing_clear) struct sizing sizing = {0};
        size_t width = ctl_style_of_stdout().width;

        int r = judge(status, index, document, &sizing);
        if (r == 0 && pools)
                return add_pool(&status->pools[index], &sizing, pools);
        if (r == 0 && text->length > 0)
                r = text_append(text, "\n");
        return r == 0 ? append_pool(&status->pools[index], &sizing, width, text) : r;
}

/* Pools that close need no advice. */
static int render(const json_t *document, bool json, struct text *text)
{
        _cleanup_(status_clear) struct status status = {0};
        json_t *pools = json ? json_array() : NULL;

        int r = status_document_read(document, &status);
        for (size_t i = 0; i < status.pool_count && r == 0; i++)
                if (status.pools[i].state != STATUS_POOL_CLOSING)
                        r = render_pool(&status, i, document, pools, text);
        if (r == 0 && json)
                r = finish_json(pools, text);
        json_decref(pools);
        return r;
}

static int print(const struct ctl_reply *reply, bool json)
{
        _cleanup_(text_clear) struct text text = {0};

        if (reply->exit_code != CTL_EXIT_OK) {
                fprintf(stderr, "preforkctl: %s\n", text_string(&reply->message));
                return (int)reply->exit_code;
        }
        int r = render(reply->document, json, &text);
        if (r == 0)
                return (int)ctl_output(text_string(&text), NULL);
        fprintf(stderr, "preforkctl: %s\n", strerror(-r));
        return CTL_EXIT_FAILURE;
}

/* The request `status [POOL] --workers`. 0; 1: wrong arguments; -ENOMEM. */
static int parse(const struct words *words, struct words *request)
{
        if (words->count > 2 || (words->count == 2 && words->list[1][0] == '-'))
                return 1;
        int r = words_add(request, "status");
        if (r == 0 && words->count == 2)
                r = words_add(request, words->list[1]);
        return r == 0 ? words_add(request, "--workers") : r;
}

int ctl_advise_run(const char *socket_path, const struct words *words, bool json, unsigned patience_ms)
{
        _cleanup_(words_clear) struct words request = {0};

        int r = parse(words, &request);
        if (r != 0) {
                fputs(r > 0 ? usage : "preforkctl: out of memory\n", stderr);
                return r > 0 ? CTL_EXIT_USAGE : CTL_EXIT_FAILURE;
        }
        struct ctl_reply reply = ctl_ask(socket_path, &request, patience_ms);
        int exit_code = print(&reply, json);
        ctl_reply_clear(&reply);
        return exit_code;
}
