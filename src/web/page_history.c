#include "web/page_history.h"

#include <assert.h>

#include "base/cleanup.h"
#include "logic/status/history.h"
#include "logic/status/status.h"
#include "web/html.h"

/* The picture's own units, which it is stretched from. A tenth of a unit is as fine as it gets. */
#define WIDTH 300
#define HEIGHT 50
#define TOP 2

/* What is stacked, from the ground up, and its class, which has the colour. */
static const struct {
        enum history_column column;
        const char *class;
} parts[] = {
        {HISTORY_BUSY, "busy"},
        {HISTORY_IDLE, "idle"},
        {HISTORY_STARTING, "starting"},
        {HISTORY_UNWATCHED, "unwatched"},
};

/* The rows that are in the picture, and its scales. */
struct picture {
        const struct history_row *rows;
        size_t count;
        double span_ms; /* its width */
        double most;    /* workers: its height */
};

/* How many workers there were, up to and without a part. */
static double sum_below(const struct history_row *row, size_t part)
{
        double sum = 0;

        for (size_t i = 0; i < part; i++)
                sum += row->column[parts[i].column];
        return sum;
}

static double sum_of(const struct history_row *row)
{
        return sum_below(row, ELEMENTS(parts));
}

static double begin_of(const struct history_row *row)
{
        return row->column[HISTORY_AGE_MS] + row->column[HISTORY_FOR_MS];
}

static struct picture picture_of(const struct status_pool *pool)
{
        struct picture picture = {.rows = pool->history, .count = pool->history_count, .most = 1};

        for (; picture.count > 0 && picture.rows->column[HISTORY_AGE_MS] >= HISTORY_WINDOW_MS; picture.rows++)
                picture.count--;
        if (picture.count == 0)
                return picture;
        picture.span_ms = MIN_OF(begin_of(picture.rows), (double)HISTORY_WINDOW_MS);
        for (size_t i = 0; i < picture.count; i++)
                picture.most = MAX_OF(picture.most, sum_of(&picture.rows[i]));
        return picture;
}

/* In tenths. */
static int x_of(const struct picture *picture, double age_ms)
{
        return (int)(10 * WIDTH * (1 - MIN_OF(age_ms / picture->span_ms, 1.)) + .5);
}

static int y_of(const struct picture *picture, size_t row, size_t part)
{
        return (int)(10 * (HEIGHT - sum_below(&picture->rows[row], part) / picture->most * (HEIGHT - TOP)) + .5);
}

static void put_step(struct html *html, char direction, int tenths)
{
        html_format(html, tenths % 10 == 0 ? "%c%d" : "%c%d.%d", direction, tenths / 10, tenths % 10);
}

/* The upper edge of a part from left to right, or its lower edge from right to left, in steps: an average holds for all
 * of its interval. Where it does not change there is no step. */
static void put_edge(struct html *html, const struct picture *picture, size_t part, bool back)
{
        int last = -1;

        for (size_t i = 0; i < picture->count; i++) {
                size_t row = back ? picture->count - 1 - i : i;
                int y = y_of(picture, row, part);
                double age_ms = back ? picture->rows[row].column[HISTORY_AGE_MS] : begin_of(&picture->rows[row]);
                if (y == last)
                        continue;
                if (last >= 0)
                        put_step(html, 'H', x_of(picture, age_ms));
                put_step(html, 'V', y);
                last = y;
        }
        put_step(html, 'H', back ? 0 : 10 * WIDTH);
}

static bool has_part(const struct picture *picture, size_t part)
{
        for (size_t i = 0; i < picture->count; i++)
                if (picture->rows[i].column[parts[part].column] > 0)
                        return true;
        return false;
}

static void put_areas(struct html *html, const struct picture *picture)
{
        for (size_t part = 0; part < ELEMENTS(parts); part++) {
                if (!has_part(picture, part))
                        continue;
                html_format(html, "<path class=\"%s\" d=\"M0 %d", parts[part].class, HEIGHT);
                put_edge(html, picture, part + 1, false);
                put_edge(html, picture, part, true);
                html_put(html, "Z\"/>");
        }
}

/* "3", or "2 to 4". True: one. */
static bool put_range(struct html *html, const struct picture *picture)
{
        double most = sum_of(&picture->rows[0]), least = most;

        for (size_t i = 1; i < picture->count; i++) {
                least = MIN_OF(least, sum_of(&picture->rows[i]));
                most = MAX_OF(most, sum_of(&picture->rows[i]));
        }
        long low = (long)(least + .5), high = (long)(most + .5);
        if (low == high)
                html_format(html, "%ld", low);
        else
                html_format(html, "%ld to %ld", low, high);
        return low == 1 && high == 1;
}

static void put_span(struct html *html, const struct picture *picture)
{
        double seconds = picture->span_ms / 1000;

        html_format(html, seconds < 100 ? "%.0f s" : "%.0f min", seconds < 100 ? seconds : seconds / 60);
}

void page_history_put(struct html *html, const struct status_pool *pool)
{
        const struct picture picture = picture_of(pool);

        if (picture.count == 0)
                return;
        html_format(html,
                    "<div class=\"history\"><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
                    "aria-label=\"Workers of ",
                    WIDTH, HEIGHT);
        html_text(html, pool->name);
        html_put(html, " over the last ");
        put_span(html, &picture);
        html_put(html, ": ");
        put_range(html, &picture);
        html_put(html, "\">");
        put_areas(html, &picture);
        html_put(html, "</svg><p><span>");
        put_span(html, &picture);
        html_put(html, " ago</span><span>");
        bool is_one = put_range(html, &picture);
        html_format(html, " worker%s</span><span>now</span></p></div>\n", is_one ? "" : "s");
}
