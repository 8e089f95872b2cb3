#include "web/page_workers.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "document/member.h"
#include "web/html.h"

static const struct {
        const char *title;
        bool is_number;
} columns[] = {
        {"Pool", false},    {"PID", true}, {"State", false}, {"Since", true},      {"Age", true},
        {"Requests", true}, {"CPU", true}, {"Memory", true}, {"Last exit", false},
};

static void put_head(struct html *html)
{
        html_put(html, "<thead><tr>");
        for (size_t i = 0; i < ELEMENTS(columns); i++)
                html_format(html, "<th scope=\"col\"%s>%s</th>", columns[i].is_number ? " class=\"number\"" : "",
                            columns[i].title);
        html_put(html, "</tr></thead>\n");
}

/* A cell with a number, by which the script sorts, and what people see of it. */
static void put_number(struct html *html, uint64_t number, void (*put)(struct html *, uint64_t))
{
        html_format(html, "<td class=\"number\" data-sort=\"%" PRIu64 "\">", number);
        put(html, number);
        html_put(html, "</td>");
}

static void put_plain(struct html *html, uint64_t number)
{
        html_format(html, "%" PRIu64, number);
}

static void put_memory(struct html *html, uint64_t bytes)
{
        if (bytes > 0)
                html_size(html, bytes);
}

static void put_exit(struct html *html, const json_t *exit)
{
        html_put(html, "<td>");
        if (json_is_object(exit)) {
                const char *kind = json_object_get(exit, "signal") ? "signal" : "code";
                html_format(html, "%s %" PRIu64, kind, member_number(exit, kind));
        }
        html_put(html, "</td>");
}

static void put_worker(struct html *html, const char *pool, const json_t *worker)
{
        const char *state = member_text(worker, "state");

        html_put(html, "<tr><th scope=\"row\">");
        html_text(html, pool);
        html_put(html, "</th>");
        put_number(html, member_number(worker, "pid"), put_plain);
        html_put(html, "<td><span class=\"dot ");
        html_text(html, state);
        html_put(html, "\"></span>");
        html_text(html, state);
        html_put(html, "</td>");
        put_number(html, member_number(worker, "since_ms"), html_duration);
        put_number(html, member_number(worker, "age_ms"), html_duration);
        put_number(html, member_number(worker, "requests"), put_plain);
        put_number(html, member_number(worker, "cpu_ms"), html_duration);
        put_number(html, member_number(worker, "memory_bytes"), put_memory);
        put_exit(html, json_object_get(worker, "last_exit"));
        html_put(html, "</tr>\n");
}

/* Returns how many are left out. */
static uint64_t put_pool(struct html *html, const json_t *pool)
{
        const json_t *workers = json_object_get(pool, "workers");
        size_t count = json_array_size(workers), shown = MIN_OF(count, (size_t)PAGE_WORKERS_MAX);

        for (size_t i = 0; i < shown; i++)
                put_worker(html, member_text(pool, "name"), json_array_get(workers, i));
        return count - shown + member_number(pool, "workers_left_out");
}

void page_workers_put(struct html *html, const json_t *pools)
{
        uint64_t left_out = 0;

        /* The table may be wider than a phone: it scrolls in its own box, which the keyboard can reach. */
        html_put(html, "<section aria-labelledby=\"workers\">\n<h2 id=\"workers\">Workers</h2>\n"
                       "<div class=\"wide\" role=\"region\" aria-labelledby=\"workers\" tabindex=\"0\">\n"
                       "<table id=\"table\">\n");
        put_head(html);
        html_put(html, "<tbody>\n");
        for (size_t i = 0; i < json_array_size(pools); i++)
                left_out += put_pool(html, json_array_get(pools, i));
        html_put(html, "</tbody>\n</table>\n</div>\n<p class=\"more\" id=\"workers-more\">");
        if (left_out > 0)
                html_format(html, "%" PRIu64 " more are in the JSON.", left_out);
        html_put(html, "</p>\n</section>\n");
}
