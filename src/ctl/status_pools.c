#include "ctl/status_pools.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "ctl/format.h"
#include "ctl/sparkline.h"
#include "document/history_document.h"
#include "logic/status/history.h"

/* Of a row of bars: with fewer it says nothing, and no more are worth their room among the other columns. */
#define BARS_LEAST 10
#define BARS_MOST 60
#define BARS_TITLE "BUSY, 10 MIN"

/* That a single column may have. */
#define BARS_ALONE_MOST 240

static const struct {
        const char *title;
        const char *path;
        bool unwatched; /* only if a pool has, or will have, workers that report nothing */
} count_columns[] = {
        {"GEN", "generation"},
        {"IDLE", "counts.idle"},
        {"BUSY", "counts.busy"},
        {"START", "counts.starting"},
        {"UNWATCHED", "counts.unwatched", true},
        {"RETIRE", "counts.retiring"},
        {"DETACH", "counts.detached"},
        {"MAX", "limits.max_workers"},
        {"QUEUE", "queue"},
};

/* Shown if there is room, in this order. */
static const struct {
        const char *title;
        const char *path;
} total_columns[] = {
        {"REFUSED", "totals.refused"},
        {"TIMEOUTS", "totals.request_timeouts"},
        {"DIED", "totals.died"},
        {"LOST", "totals.lost"},
};

/* What there is beside the columns that are always there. */
struct optional {
        bool adaptive;  /* a pool scales so; else its columns would be empty */
        bool unwatched; /* a pool has, or will have, workers that report nothing; likewise */
        size_t bars;    /* for so many there is room */
};

static void add_bars(struct ctl_table *table, const json_t *pool, size_t bars)
{
        _cleanup_(freep) struct history_row *rows = NULL;
        _cleanup_(text_clear) struct text text = {0};
        size_t count;

        if (history_document_read(pool, &rows, &count) < 0 ||
            ctl_sparkline(rows, count, bars, table->style.bars == CTL_UTF8_BARS, &text) < 0)
                table->out_of_memory = true;
        else
                ctl_table_cell(table, text_string(&text));
}

static bool is_adaptive(const json_t *pool)
{
        return json_is_object(ctl_at(pool, "adaptive"));
}

/* Also while it has none, so that the column does not come and go with them. */
static bool has_unwatched(const json_t *pool)
{
        return text_equal(ctl_string(pool, "accounting"), "none") || ctl_number(pool, "counts.unwatched") > 0;
}

/* Whether any pool is. */
static bool any_pool(const json_t *document, bool (*is)(const json_t *pool))
{
        const json_t *pool;
        size_t index;

        json_array_foreach (ctl_at(document, "pools"), index, pool)
                if (is(pool))
                        return true;
        return false;
}

/* The level that keeps its worker, for how long, and for how long it has been idle. */
static void add_adaptive(struct ctl_table *table, const json_t *pool)
{
        char idle[FIGURE_MAX], delay[FIGURE_MAX], text[2 * FIGURE_MAX];

        snprintf(text, sizeof(text), "%s/%s", figure_duration(ctl_number(pool, "adaptive.level_idle_ms"), idle),
                 figure_duration(ctl_number(pool, "adaptive.off_delay_ms"), delay));
        if (is_adaptive(pool))
                ctl_table_number(table, ctl_number(pool, "adaptive.level"));
        else
                ctl_table_cell(table, "-");
        ctl_table_cell(table, is_adaptive(pool) ? text : "-");
}

/* Bars come before what can be left out, because they say more. */
static void add_columns(struct ctl_table *table, struct optional optional)
{
        ctl_table_column(table, "POOL", false);
        ctl_table_column(table, "STATE", false);
        for (size_t i = 0; i < ELEMENTS(count_columns); i++)
                if (optional.unwatched || !count_columns[i].unwatched)
                        ctl_table_column(table, count_columns[i].title, true);
        ctl_table_column(table, "REQ/S", true);
        ctl_table_column(table, "REQUESTS", true);
        table->needed = table->column_count;
        if (optional.bars > 0)
                ctl_table_column(table, BARS_TITLE, false);
        for (size_t i = 0; i < ELEMENTS(total_columns); i++)
                ctl_table_column(table, total_columns[i].title, true);
        ctl_table_column(table, "~MEDIAN", true);
        ctl_table_column(table, "~P99", true);
        ctl_table_column(table, "~WAIT P99", true);
        if (optional.adaptive) {
                ctl_table_column(table, "LEVEL", true);
                ctl_table_column(table, "IDLE/GOES", true);
        }
}

static void add_duration(struct ctl_table *table, const json_t *pool, const char *path, const char *measured)
{
        char text[FIGURE_MAX];
        bool known = ctl_number(pool, measured) > 0;

        ctl_table_cell(table, known ? figure_microseconds(ctl_number(pool, path), text) : "-");
}

static void add_pool(struct ctl_table *table, const json_t *pool, struct optional optional)
{
        char rate[FIGURE_MAX];

        ctl_table_cell(table, ctl_string(pool, "name"));
        ctl_table_state(table, ctl_string(pool, "state"));
        for (size_t i = 0; i < ELEMENTS(count_columns); i++)
                if (optional.unwatched || !count_columns[i].unwatched)
                        ctl_table_number(table, ctl_number(pool, count_columns[i].path));
        ctl_table_cell(table, figure_rate(ctl_real(pool, "requests_per_second"), rate));
        ctl_table_number(table, ctl_number(pool, "totals.requests"));
        if (optional.bars > 0)
                add_bars(table, pool, optional.bars);
        for (size_t i = 0; i < ELEMENTS(total_columns); i++)
                ctl_table_number(table, ctl_number(pool, total_columns[i].path));
        add_duration(table, pool, "duration_us.p50", "totals.requests");
        add_duration(table, pool, "duration_us.p99", "totals.requests");
        add_duration(table, pool, "wait_us.p99", "wait_us.measured");
        if (optional.adaptive)
                add_adaptive(table, pool);
}

static void add_all(struct ctl_table *table, const json_t *document, size_t bars)
{
        const struct optional optional = {.adaptive = any_pool(document, is_adaptive),
                                          .unwatched = any_pool(document, has_unwatched),
                                          .bars = bars};
        const json_t *pool;
        size_t index;

        add_columns(table, optional);
        json_array_foreach (ctl_at(document, "pools"), index, pool)
                add_pool(table, pool, optional);
}

/* How many bars there is room for: that which all other columns that fit leave. */
static size_t count_bars(const json_t *document, struct ctl_style style)
{
        _cleanup_(ctl_table_clear) struct ctl_table table = {.style = style};
        size_t width;

        if (style.bars == CTL_NO_BARS)
                return 0;
        add_all(&table, document, BARS_LEAST);
        if (ctl_table_shown(&table, 0, &width) <= table.needed)
                return 0;
        return MIN_OF(BARS_LEAST + (style.width - MIN_OF(width, style.width)), (size_t)BARS_MOST);
}

int ctl_status_pools(const json_t *document, struct ctl_style style, struct text *text)
{
        _cleanup_(ctl_table_clear) struct ctl_table table = {.style = style};

        add_all(&table, document, count_bars(document, style));
        return ctl_table_render(&table, 0, text);
}

static void add_all_over_time(struct ctl_table *table, const json_t *document, size_t bars)
{
        static const char *const titles[] = {"POOL", "STATE", "BUSY", "MAX", BARS_TITLE};
        const json_t *pool;
        size_t index;

        for (size_t i = 0; i < ELEMENTS(titles); i++)
                ctl_table_column(table, titles[i], i == 2 || i == 3);
        json_array_foreach (ctl_at(document, "pools"), index, pool) {
                ctl_table_cell(table, ctl_string(pool, "name"));
                ctl_table_state(table, ctl_string(pool, "state"));
                ctl_table_number(table, ctl_number(pool, "counts.busy"));
                ctl_table_number(table, ctl_number(pool, "limits.max_workers"));
                add_bars(table, pool, bars);
        }
}

int ctl_status_pools_over_time(const json_t *document, struct ctl_style style, struct text *text)
{
        _cleanup_(ctl_table_clear) struct ctl_table narrow = {.style = style}, table = {.style = style};
        size_t width;

        add_all_over_time(&narrow, document, BARS_LEAST);
        ctl_table_shown(&narrow, 0, &width);
        add_all_over_time(&table, document,
                          MIN_OF(BARS_LEAST + (style.width - MIN_OF(width, style.width)), (size_t)BARS_ALONE_MOST));
        return ctl_table_render(&table, 0, text);
}
