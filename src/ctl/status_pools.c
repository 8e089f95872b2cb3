#include "ctl/status_pools.h"

#include "base/cleanup.h"
#include "ctl/format.h"

static const struct {
        const char *title;
        const char *path;
} count_columns[] = {
        {"GEN", "generation"},         {"IDLE", "counts.idle"},
        {"BUSY", "counts.busy"},       {"START", "counts.starting"},
        {"RETIRE", "counts.retiring"}, {"DETACH", "counts.detached"},
        {"MAX", "limits.max_workers"}, {"QUEUE", "queue"},
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

static void add_columns(struct ctl_table *table)
{
        ctl_table_column(table, "POOL", false);
        ctl_table_column(table, "STATE", false);
        for (size_t i = 0; i < ELEMENTS(count_columns); i++)
                ctl_table_column(table, count_columns[i].title, true);
        ctl_table_column(table, "REQ/S", true);
        ctl_table_column(table, "REQUESTS", true);
        table->needed = table->column_count;
        for (size_t i = 0; i < ELEMENTS(total_columns); i++)
                ctl_table_column(table, total_columns[i].title, true);
        ctl_table_column(table, "~MEDIAN", true);
        ctl_table_column(table, "~P99", true);
        ctl_table_column(table, "~WAIT P99", true);
}

static void add_duration(struct ctl_table *table, const json_t *pool, const char *path, const char *measured)
{
        char text[FIGURE_MAX];
        bool known = ctl_number(pool, measured) > 0;

        ctl_table_cell(table, known ? figure_microseconds(ctl_number(pool, path), text) : "-");
}

static void add_pool(struct ctl_table *table, const json_t *pool)
{
        char rate[FIGURE_MAX];

        ctl_table_cell(table, ctl_string(pool, "name"));
        ctl_table_state(table, ctl_string(pool, "state"));
        for (size_t i = 0; i < ELEMENTS(count_columns); i++)
                ctl_table_number(table, ctl_number(pool, count_columns[i].path));
        ctl_table_cell(table, figure_rate(ctl_real(pool, "requests_per_second"), rate));
        ctl_table_number(table, ctl_number(pool, "totals.requests"));
        for (size_t i = 0; i < ELEMENTS(total_columns); i++)
                ctl_table_number(table, ctl_number(pool, total_columns[i].path));
        add_duration(table, pool, "duration_us.p50", "totals.requests");
        add_duration(table, pool, "duration_us.p99", "totals.requests");
        add_duration(table, pool, "wait_us.p99", "wait_us.measured");
}

int ctl_status_pools(const json_t *document, struct ctl_style style, struct text *text)
{
        _cleanup_(ctl_table_clear) struct ctl_table table = {.style = style};
        const json_t *pool;
        size_t index;

        add_columns(&table);
        json_array_foreach (ctl_at(document, "pools"), index, pool)
                add_pool(&table, pool);
        return ctl_table_render(&table, 0, text);
}
