#include "web/page.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "document/member.h"
#include "logic/status/status.h"
#include "web/html.h"
#include "web/page_card.h"
#include "web/page_files.h"
#include "web/page_workers.h"

/* A square with three bars. */
#define ICON                                                                                                           \
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' "       \
        "height='16' rx='3' fill='%231f6feb'/%3E%3Cpath d='M4 12V8M8 12V4M12 12V6' stroke='%23fff' "                   \
        "stroke-width='2'/%3E%3C/svg%3E"

static void put_head(struct html *html, const struct status *status)
{
        html_put(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<meta name=\"color-scheme\" content=\"light dark\">\n<title>preforkd: ");
        html_text(html, status->state);
        html_put(html, "</title>\n<link rel=\"icon\" href=\"" ICON "\">\n<style>");
        html_put(html, page_style);
        html_put(html, "</style>\n</head>\n<body>\n");
}

/* The daemon as a whole, and the controls, which the script shows. */
static void put_banner(struct html *html, const struct status *status)
{
        html_put(html, "<a class=\"skip\" href=\"#content\">To the pools</a>\n<header>\n<div id=\"daemon\">\n"
                       "<h1>preforkd</h1>\n<p>");
        html_text(html, status->version);
        html_put(html, ", <b>");
        html_text(html, status->state);
        html_put(html, "</b> for ");
        html_duration(html, status->uptime_ms);
        html_put(html, "</p>\n<dl class=\"figures\"><div><dt>requests/s</dt><dd>");
        html_rate(html, status->requests_per_second);
        html_format(html, "</dd></div><div><dt>busy</dt><dd>%u</dd></div><div><dt>workers</dt><dd>%u",
                    status->counts.busy, status->counts.total);
        if (status->total.max > 0)
                html_format(html, "<small> of %" PRIu64 "</small>", status->total.max);
        html_put(html, "</dd></div></dl>\n</div>\n<div id=\"controls\" hidden><p id=\"age\"></p>"
                       "<button type=\"button\" id=\"pause\" aria-pressed=\"false\">Pause</button></div>\n"
                       "</header>\n<p id=\"news\" class=\"unseen\" role=\"status\"></p>\n");
}

static void put_daemon_problems(struct html *html, const struct status *status, bool *any)
{
        if (status->config_refused) {
                html_put(html,
                         "<li class=\"warn\"><b>Configuration</b>: the file that was read last was refused; the one "
                         "before it is in use</li>\n");
                *any = true;
        }
        if (status->log.error) {
                html_put(html, "<li class=\"bad\"><b>Log</b>: ");
                html_text(html, status->log.error);
                html_put(html, "</li>\n");
                *any = true;
        }
}

static void put_problems(struct html *html, const struct status *status, const struct page_card *cards)
{
        bool any = false;

        html_put(html, "<section aria-labelledby=\"problems\">\n<h2 id=\"problems\" class=\"unseen\">Problems</h2>\n"
                       "<ul class=\"problems\">\n");
        put_daemon_problems(html, status, &any);
        for (size_t i = 0; i < status->pool_count; i++)
                any |= page_card_put_problem(html, &cards[i]);
        if (!any)
                html_put(html, "<li class=\"good\">No problems</li>\n");
        html_put(html, "</ul>\n</section>\n");
}

/* The list of `why` for the pool; a removed pool may close beside a new one of the same name, which has them. */
static const json_t *decisions_of(const struct status *status, size_t index, const json_t *why)
{
        const json_t *pools = json_object_get(why, "pools");

        for (size_t i = 0; i < json_array_size(pools) && !status_pool_is_shadowed(status, index); i++) {
                const json_t *pool = json_array_get(pools, i);
                if (text_equal(member_text(pool, "name"), status->pools[index].name))
                        return json_object_get(pool, "decisions");
        }
        return NULL;
}

/* Problems first, and then in the order of the configuration. */
static int compare_cards(const void *a, const void *b)
{
        const struct page_card *left = a, *right = b;
        unsigned left_severity = page_card_severity(left->pool), right_severity = page_card_severity(right->pool);

        if (left_severity != right_severity)
                return left_severity > right_severity ? -1 : 1;
        return left->index < right->index ? -1 : left->index > right->index;
}

int page_render(const struct status *status, const json_t *document, const json_t *why, struct text *text)
{
        struct html html = {.text = text};
        _cleanup_(freep) struct page_card *cards = calloc(status->pool_count + 1, sizeof(*cards));

        if (!cards)
                return -ENOMEM;
        for (size_t i = 0; i < status->pool_count; i++)
                cards[i] = (struct page_card){.pool = &status->pools[i],
                                              .memory_bytes = status->memory_bytes,
                                              .cpus = status->cpus,
                                              .index = i,
                                              .is_shadowed = status_pool_is_shadowed(status, i),
                                              .decisions = decisions_of(status, i, why)};
        qsort(cards, status->pool_count, sizeof(*cards), compare_cards);
        put_head(&html, status);
        put_banner(&html, status);
        html_put(&html, "<main id=\"content\" tabindex=\"-1\">\n");
        put_problems(&html, status, cards);
        html_put(&html, "<section aria-labelledby=\"pools\">\n<h2 id=\"pools\">Pools</h2>\n<div class=\"cards\">\n");
        for (size_t i = 0; i < status->pool_count; i++)
                page_card_put(&html, &cards[i]);
        html_put(&html, "</div>\n</section>\n");
        page_workers_put(&html, json_object_get(document, "pools"));
        html_put(&html, "</main>\n<footer><nav aria-label=\"Other formats\"><a href=\"status?full\">JSON</a> "
                        "<a href=\"metrics\">Metrics</a> <a href=\"readyz\">Readiness</a></nav></footer>\n<script>");
        html_put(&html, page_script);
        html_put(&html, "</script>\n</body>\n</html>\n");
        return html.r;
}
