#include "web/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/status.h"

#define DECISIONS_SHOWN 5

/* A page that is being written; `r` is the first error. */
struct page {
        struct text *text;
        int r;
};

static const char head[] =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\"><title>preforkd</title>\n"
        "<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:1rem auto;max-width:70rem;"
        "padding:0 1rem}table{border-collapse:collapse}th,td{padding:.2rem .8rem .2rem 0;text-align:right}"
        "th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}"
        "div{overflow-x:auto}</style></head>\n<body>\n";

static void put(struct page *page, const char *string)
{
        if (page->r == 0)
                page->r = text_append(page->text, string);
}

static void put_format(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put_format(struct page *page, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        if (page->r == 0)
                page->r = text_appendv(page->text, format, arguments);
        va_end(arguments);
}

/* Text from outside, which may contain anything. */
static void put_text(struct page *page, const char *string)
{
        while (*string != '\0') {
                size_t plain = strcspn(string, "&<>\"'");
                if (page->r == 0)
                        page->r = text_append_bytes(page->text, string, plain);
                string += plain;
                if (*string != '\0')
                        put_format(page, "&#%d;", *string++);
        }
}

static void put_pool(struct page *page, const struct status_pool *pool)
{
        const struct request_percentiles times = request_durations_percentiles(&pool->durations),
                                         waits = request_durations_percentiles(&pool->waits);
        uint64_t queue = 0;

        for (size_t i = 0; i < pool->listener_count; i++)
                queue += pool->listeners[i].queue;
        put(page, "<tr><td>");
        put_text(page, pool->name);
        put_format(page, "</td><td>%s</td><td>%u of %u</td><td>%u</td><td>%u</td><td>%u</td>",
                   status_pool_state_name(pool->state), pool->counts.total, pool->limits.max_workers,
                   pool->counts.starting, pool->counts.idle, pool->counts.busy);
        put_format(page, "<td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%.1f</td><td>%.1f</td><td>%.1f</td></tr>\n",
                   queue, pool->totals.requests, pool->rate.per_second, (double)times.p99_us / 1000,
                   (double)waits.p99_us / 1000);
}

static void put_decisions(struct page *page, const json_t *pool)
{
        const char *name = json_string_value(json_object_get(pool, "name"));
        const json_t *decisions = json_object_get(pool, "decisions");

        put(page, "<h3>");
        put_text(page, name ? name : "");
        put(page, "</h3>\n<ul>\n");
        for (size_t i = 0; i < MIN_OF(json_array_size(decisions), (size_t)DECISIONS_SHOWN); i++) {
                const json_t *decision = json_array_get(decisions, i);
                const char *time = json_string_value(json_object_get(decision, "time"));
                const char *text = json_string_value(json_object_get(decision, "text"));
                put(page, "<li><time>");
                put_text(page, time ? time : "");
                put(page, "</time> ");
                put_text(page, text ? text : "");
                put(page, "</li>\n");
        }
        put(page, "</ul>\n");
}

int page_render(const struct status *status, const json_t *why, struct text *text)
{
        struct page page = {.text = text};
        const json_t *pools = json_object_get(why, "pools");

        put(&page, head);
        put(&page, "<h1>preforkd ");
        put_text(&page, status->version);
        put(&page, ", ");
        put_text(&page, status->state);
        put(&page, "</h1>\n<div><table><thead><tr><th>pool</th><th>state</th><th>workers</th><th>starting</th>"
                   "<th>idle</th><th>busy</th><th>queue</th><th>requests</th><th>per second</th><th>p99 ms</th>"
                   "<th>wait p99 ms</th></tr></thead><tbody>\n");
        for (size_t i = 0; i < status->pool_count; i++)
                put_pool(&page, &status->pools[i]);
        put(&page, "</tbody></table></div>\n<h2>Last decisions</h2>\n");
        for (size_t i = 0; i < json_array_size(pools); i++)
                put_decisions(&page, json_array_get(pools, i));
        put(&page, "<p><a href=\"status?full\">status</a> <a href=\"metrics\">metrics</a></p>\n</body></html>\n");
        return page.r;
}
