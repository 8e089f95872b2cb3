#include "web/page_card.h"

#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "document/member.h"
#include "logic/status/adaptive_words.h"
#include "logic/status/status.h"
#include "web/html.h"
#include "web/page_history.h"

#define DECISIONS_SHOWN 6

/* What a state means, in words and in the class of its colour. A pool that is paused, drained or closed is so because
 * somebody wanted it. */
static const struct {
        unsigned severity;
        const char *class, *sign, *meaning;
} states[] = {
        [STATUS_POOL_RUNNING] = {0, "good", "\xe2\x9c\x93", NULL},
        [STATUS_POOL_SATURATED] = {4, "warn", "\xe2\x96\xb2", "all workers are busy, and clients wait or are refused"},
        [STATUS_POOL_DRAINING] = {3, "note", "\xe2\x86\x93", "balancers are told to send nobody else"},
        [STATUS_POOL_BACKING_OFF] = {6, "bad", "\xe2\x9c\x95", "workers fail to start"},
        [STATUS_POOL_NOT_LISTENING] = {5, "bad", "\xe2\x9c\x95", "no client can reach it"},
        [STATUS_POOL_PAUSED] = {2, "note", "\xe2\x80\x96", "clients wait until it is resumed"},
        [STATUS_POOL_CLOSING] = {1, "note", "\xe2\x86\x93", "serves those that are there, and ends"},
};
_Static_assert(ELEMENTS(states) == STATUS_POOL_STATE_COUNT, "a meaning for each state");

unsigned page_card_severity(const struct status_pool *pool)
{
        return states[pool->state].severity;
}

/* The parts of the bar, in its order. What counts against max_workers comes first, and its rest is free. */
enum part { PART_BUSY, PART_IDLE, PART_STARTING, PART_UNWATCHED, PART_COUNT };

static const char *const part_names[PART_COUNT] = {
        [PART_BUSY] = "busy", [PART_IDLE] = "idle", [PART_STARTING] = "starting", [PART_UNWATCHED] = "unwatched"};

static void get_parts(const struct status_pool *pool, unsigned ret[static PART_COUNT])
{
        ret[PART_BUSY] = pool->counts.busy;
        ret[PART_IDLE] = pool->counts.idle;
        ret[PART_STARTING] = pool->counts.starting;
        ret[PART_UNWATCHED] = pool->counts.unwatched;
}

/* By it the script knows a card again. */
static void put_id(struct html *html, const struct page_card *card)
{
        html_put(html, "pool-");
        html_text(html, card->pool->name);
        if (card->is_shadowed)
                html_format(html, "-%zu", card->index);
}

static bool has_fault(const struct status_listener *listener)
{
        return listener->error && *listener->error != '\0';
}

static void put_reasons(struct html *html, const struct status_pool *pool)
{
        uint64_t queue = 0;

        if (states[pool->state].meaning)
                html_format(html, ": %s", states[pool->state].meaning);
        if (pool->state == STATUS_POOL_BACKING_OFF) {
                html_format(html, "; %u in a row, next attempt in ", pool->failures);
                html_duration(html, pool->next_start_ms);
        }
        for (size_t i = 0; i < pool->listener_count; i++) {
                queue += pool->listeners[i].queue;
                if (has_fault(&pool->listeners[i])) {
                        html_put(html, "; ");
                        html_text(html, pool->listeners[i].address);
                        html_put(html, ": ");
                        html_text(html, pool->listeners[i].error);
                }
        }
        if (queue > 0)
                html_format(html, "; %" PRIu64 " wait", queue);
        if (pool->wants > 0)
                html_format(html, "; max_workers_total keeps it from %u more workers", pool->wants);
        if (pool->pressure.held)
                html_format(html, "; growth_pressure_limit holds it back: %s pressure %u.%u%%, limit %u%%",
                            pool->pressure.resource, pool->pressure.share / PRESSURE_ONE_PERCENT,
                            pool->pressure.share % PRESSURE_ONE_PERCENT / 10,
                            pool->pressure.limit / PRESSURE_ONE_PERCENT);
}

bool page_card_put_problem(struct html *html, const struct page_card *card)
{
        const struct status_pool *pool = card->pool;
        bool any = page_card_severity(pool) > 0 || pool->wants > 0 || pool->pressure.held;

        for (size_t i = 0; i < pool->listener_count; i++)
                any |= has_fault(&pool->listeners[i]);
        if (!any)
                return false;
        html_format(html, "<li class=\"%s\"><a href=\"#",
                    page_card_severity(pool) > 0 ? states[pool->state].class : "warn");
        put_id(html, card);
        html_put(html, "\">");
        html_text(html, pool->name);
        html_format(html, "</a> is <b>%s</b>", status_pool_state_name(pool->state));
        put_reasons(html, pool);
        html_put(html, "</li>\n");
        return true;
}

/* Attributes instead of styles, which the policy forbids. */
static void put_bar(struct html *html, const unsigned parts[static PART_COUNT], unsigned most)
{
        unsigned before = 0;

        html_put(html, "<svg class=\"bar\" aria-hidden=\"true\" focusable=\"false\" width=\"100%\" height=\"14\">"
                       "<rect class=\"room\" width=\"100%\" height=\"14\"/>");
        for (int part = 0; part < PART_COUNT; part++) {
                html_format(html, "<rect class=\"%s\" x=\"%.3f%%\" width=\"%.3f%%\" height=\"14\"/>", part_names[part],
                            100.0 * before / most, 100.0 * parts[part] / most);
                before += parts[part];
        }
        html_put(html, "</svg>\n");
}

static void put_workers(struct html *html, const struct page_card *card)
{
        const struct status_pool *pool = card->pool;
        unsigned parts[PART_COUNT], sum = 0;

        get_parts(pool, parts);
        for (int part = 0; part < PART_COUNT; part++)
                sum += parts[part];
        unsigned most = MAX_OF(MAX_OF(pool->limits.max_workers, sum), 1U);
        html_format(html, "<p class=\"count\"><b>%u</b> of %u workers</p>\n", pool->counts.total,
                    pool->limits.max_workers);
        put_bar(html, parts, most);
        html_put(html, "<ul class=\"legend\">");
        for (int part = 0; part < PART_COUNT; part++)
                if (part < PART_UNWATCHED || parts[part] > 0)
                        html_format(html, "<li><span class=\"dot %s\"></span>%u %s</li>", part_names[part], parts[part],
                                    part_names[part]);
        if (pool->counts.retiring > 0)
                html_format(html, "<li><span class=\"dot\"></span>%u retiring</li>", pool->counts.retiring);
        if (pool->counts.detached > 0)
                html_format(html, "<li><span class=\"dot\"></span>%u detached</li>", pool->counts.detached);
        html_put(html, "</ul>\n");
        page_history_put(html, pool);
}

static void put_adaptive(struct html *html, const struct page_card *card)
{
        _cleanup_(text_clear) struct text words = {0};

        if (card->pool->limits.scaling != SCALING_ADAPTIVE)
                return;
        if (adaptive_words_append(card->pool, card->memory_bytes, card->cpus, &words) < 0)
                html->r = -ENOMEM;
        html_put(html, "<p class=\"adaptive\">Adaptive: ");
        html_text(html, text_string(&words));
        html_put(html, "</p>\n");
}

static void put_times_row(struct html *html, const char *name, const struct request_durations *durations,
                          const struct request_percentiles *times)
{
        const uint64_t cells[] = {times->p50_us, times->p90_us, times->p99_us};

        html_format(html, "<tr><th scope=\"row\">%s</th>", name);
        for (size_t i = 0; i < ELEMENTS(cells); i++) {
                html_put(html, "<td>");
                if (request_durations_count(durations) > 0)
                        html_microseconds(html, cells[i]);
                else
                        html_put(html, "&ndash;");
                html_put(html, "</td>");
        }
        html_put(html, "</tr>");
}

static void put_figures(struct html *html, const struct status_pool *pool)
{
        html_put(html, "<dl class=\"figures\"><div><dt>requests/s</dt><dd>");
        html_rate(html, pool->rate.per_second);
        html_format(html, "</dd></div><div><dt>requests</dt><dd>%" PRIu64 "</dd></div>", pool->totals.requests);
        html_format(html, "<div><dt>saturated</dt><dd>%" PRIu64 "&times;</dd></div></dl>\n", pool->totals.saturations);
        html_put(html,
                 "<table class=\"times\"><caption class=\"unseen\">Times of requests</caption><thead><tr><td></td>"
                 "<th scope=\"col\">median</th><th scope=\"col\">90&nbsp;%</th><th scope=\"col\">99&nbsp;%</th></tr>"
                 "</thead><tbody>");
        put_times_row(html, "wait", &pool->waits, &pool->wait_times);
        put_times_row(html, "duration", &pool->durations, &pool->times);
        html_put(html, "</tbody></table>\n");
}

static void put_listeners(struct html *html, const struct status_pool *pool)
{
        html_put(html, "<ul class=\"listeners\">\n");
        for (size_t i = 0; i < pool->listener_count; i++) {
                const struct status_listener *listener = &pool->listeners[i];
                html_put(html, "<li><code>");
                html_text(html, listener->address);
                html_put(html, "</code> ");
                if (has_fault(listener))
                        html_text(html, listener->error);
                else if (!listener->listening)
                        html_put(html, "not listening");
                else if (listener->queue_known)
                        html_format(html, "%" PRIu32 " of %" PRIu32 " wait", listener->queue, listener->backlog);
                else
                        html_put(html, listener->queue > 0 ? "some wait" : "none wait");
                if (listener->closing)
                        html_put(html, ", closing");
                if (listener->listening && listener->queue_known && listener->backlog > 0)
                        html_format(
                                html,
                                "<svg class=\"bar thin\" aria-hidden=\"true\" focusable=\"false\" width=\"100%%\" "
                                "height=\"4\"><rect class=\"room\" width=\"100%%\" height=\"4\"/><rect class=\"queue\" "
                                "width=\"%.3f%%\" height=\"4\"/></svg>",
                                100.0 * MIN_OF(listener->queue, listener->backlog) / listener->backlog);
                html_put(html, "</li>\n");
        }
        html_put(html, "</ul>\n");
}

static void put_decision(struct html *html, const json_t *decision)
{
        html_put(html, "<li><time datetime=\"");
        html_text(html, member_text(decision, "time"));
        html_put(html, "\">");
        html_duration(html, member_number(decision, "age_ms"));
        html_put(html, " ago</time> ");
        html_text(html, member_text(decision, "text"));
        html_put(html, "</li>\n");
}

static void put_decisions(struct html *html, const struct page_card *card)
{
        size_t count = json_array_size(card->decisions);

        if (count == 0)
                return;
        html_put(html, "<div class=\"decisions\"><h4>Decided last</h4><ul>\n");
        put_decision(html, json_array_get(card->decisions, 0));
        html_put(html, "</ul>");
        if (count > 1) {
                html_put(html, "<details><summary>Before that</summary><ul>\n");
                for (size_t i = 1; i < MIN_OF(count, (size_t)DECISIONS_SHOWN); i++)
                        put_decision(html, json_array_get(card->decisions, i));
                html_put(html, "</ul></details>");
        }
        html_put(html, "</div>\n");
}

void page_card_put(struct html *html, const struct page_card *card)
{
        const struct status_pool *pool = card->pool;

        html_format(html, "<article class=\"card %s\" id=\"", states[pool->state].class);
        put_id(html, card);
        html_put(html, "\" aria-labelledby=\"name-");
        put_id(html, card);
        html_put(html, "\" data-pool=\"");
        html_text(html, pool->name);
        html_format(html, "\" data-state=\"%s\">\n", status_pool_state_name(pool->state));
        html_put(html, "<div class=\"title\"><h3 id=\"name-");
        put_id(html, card);
        html_put(html, "\">");
        html_text(html, pool->name);
        html_format(html, "</h3><p class=\"badge\"><span aria-hidden=\"true\">%s</span> %s</p></div>\n",
                    states[pool->state].sign, status_pool_state_name(pool->state));
        put_workers(html, card);
        put_adaptive(html, card);
        put_figures(html, pool);
        put_listeners(html, pool);
        put_decisions(html, card);
        html_put(html, "</article>\n");
}
