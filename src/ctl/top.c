#include "ctl/top.h"

#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/client.h"
#include "ctl/format.h"
#include "ctl/output.h"
#include "ctl/rows.h"
#include "ctl/screen.h"
#include "ctl/scroll.h"
#include "ctl/status.h"
#include "ctl/status_pools.h"
#include "ctl/style.h"
#include "os/clock.h"

/* If the daemon does not answer, the screen must not freeze for long. */
#define PATIENCE_MS 3000

struct top {
        const struct ctl_top_setup *setup;
        struct ctl_reply reply; /* the last status, or the failure to get it */
        struct ctl_rows rows;
        enum ctl_sort sort;
        bool reverse;
        size_t first; /* the row at the top; pools and workers scroll as one list */
        size_t page;  /* rows that were drawn */
        uint64_t next_ms;
        bool colours;
        enum ctl_bars bars;
        bool over_time; /* that is all that is shown of pools */
        bool explains;  /* the keys are shown instead of the tables */
};

/* Request the status. Keep the old rows until the new ones have been compared with them. */
static void look(struct top *top)
{
        _cleanup_(words_clear) struct words request = {0};
        struct ctl_rows rows = {0};
        uint64_t now_ms = clock_now_ms();

        top->next_ms = now_ms + top->setup->interval_ms;
        if (words_add(&request, "status") < 0 || words_add(&request, "--workers") < 0 ||
            (top->setup->pool && words_add(&request, top->setup->pool) < 0))
                return;
        struct ctl_reply reply = ctl_ask(top->setup->socket_path, &request, PATIENCE_MS);
        if (reply.exit_code == CTL_EXIT_OK && ctl_rows_new(reply.document, now_ms, &top->rows, &rows) == 0)
                ctl_rows_sort(&rows, top->sort, top->reverse);
        ctl_rows_clear(&top->rows);
        top->rows = rows;
        ctl_reply_clear(&top->reply);
        top->reply = reply;
}

/* Draw a text with the sequences of ctl/style, in at most `width` columns. */
static void put_coloured(const char *line, size_t length, size_t width)
{
        const char *end = line + length;

        while (line < end && width > 0) {
                size_t plain = MIN_OF(strcspn(line, "\033"), (size_t)(end - line)), columns;
                addnstr(line, (int)ctl_bytes_of(line, plain, width, &columns));
                width -= columns;
                line += plain;
                for (int i = CTL_PLAIN; i < CTL_COLOUR_COUNT && line < end; i++) {
                        const char *sequence = ctl_colour_sequence((enum ctl_colour)i);
                        if (strncmp(line, sequence, strlen(sequence)) != 0)
                                continue;
                        attrset(i == CTL_PLAIN ? A_NORMAL : COLOR_PAIR(i));
                        line += strlen(sequence);
                }
                line += line < end && *line == '\033'; /* none of ours */
        }
}

/* Draw one line, cut at the edge of the screen. */
static void put(int *y, attr_t attributes, const char *line, size_t length)
{
        if (*y >= LINES)
                return;
        attrset(attributes);
        move(*y, 0);
        if (attributes & A_REVERSE)
                hline(' ' | A_REVERSE, COLS);
        put_coloured(line, length, (size_t)COLS);
        attrset(A_NORMAL);
        (*y)++;
}

/* Draw a table: its heading, and at most `count` of its rows from `first` on. */
static void put_table(int *y, const struct text *text, size_t first, size_t count)
{
        const char *line = text_string(text);

        for (size_t i = 0; *line != '\0'; i++) { /* 0 is the heading */
                size_t length = strcspn(line, "\n");
                if (i == 0 || (i > first && i - first <= count))
                        put(y, i == 0 ? A_REVERSE : A_NORMAL, line, length);
                line += length + (line[length] == '\n');
        }
}

static void add_row(struct ctl_table *table, const struct ctl_row *row)
{
        char text[FIGURE_MAX];

        ctl_table_number(table, row->pid);
        ctl_table_cell(table, ctl_string(row->pool, "name"));
        ctl_table_state(table,
                        row->is_template ? ctl_status_template(row->worker, text) : ctl_string(row->worker, "state"));
        ctl_table_cell(table, figure_duration(ctl_number(row->worker, "since_ms"), text));
        ctl_table_number(table, ctl_number(row->worker, "generation"));
        if (row->is_template)
                ctl_table_cell(table, "-");
        else
                ctl_table_number(table, ctl_number(row->worker, "requests"));
        snprintf(text, sizeof(text), "%.1f", row->share);
        ctl_table_cell(table, text);
        ctl_table_cell(table, figure_duration(row->cpu_ms, text));
        ctl_table_cell(table, figure_size(ctl_number(row->worker, "memory_bytes"), text));
        ctl_table_cell(table, ctl_status_exit(row->worker, text));
}

/* Make a table only of the workers that fit on the screen: there may be thousands. */
static void put_workers(struct top *top, int *y, size_t first, size_t count)
{
        static const char *const titles[] = {"PID",      "POOL", "STATE", "SINCE",  "GEN",
                                             "REQUESTS", "%CPU", "CPU",   "MEMORY", "LAST EXIT"};
        _cleanup_(ctl_table_clear) struct ctl_table table = {.style = {.colours = top->colours}};
        _cleanup_(text_clear) struct text text = {0};

        for (size_t i = 0; i < ELEMENTS(titles); i++)
                ctl_table_column(&table, titles[i], i != 1 && i != 2 && i + 1 < ELEMENTS(titles));
        for (size_t i = first; i < top->rows.count && i < first + count; i++)
                add_row(&table, &top->rows.items[i]);
        if (ctl_table_render(&table, 0, &text) == 0)
                put_table(y, &text, 0, count);
}

static void put_pools(const struct top *top, int *y, size_t first, size_t count)
{
        const struct ctl_style style = {.colours = top->colours, .bars = top->bars, .width = (size_t)COLS};
        _cleanup_(text_clear) struct text text = {0};

        if ((top->over_time ? ctl_status_pools_over_time : ctl_status_pools)(top->reply.document, style, &text) == 0)
                put_table(y, &text, first, count);
}

/* What the keys do, and what the columns are; any key leads back. */
static void put_explanation(int *y)
{
        static const char *const lines[] = {
                "Workers are sorted by",
                "  s  state     r  requests    c  CPU usage since the last look",
                "  m  memory    t  time in the present state    p  pid",
                "  R  in reverse",
                "",
                "Up, Down, Page Up, Page Down, Home, End  scroll pools and workers as one list",
                "space  look now        w  of pools only workers over time        h  this page        q  quit",
                "",
                "GEN        generation: a reload that changes how workers run begins another",
                "START      workers that are starting; RETIRE, DETACH: besides the others",
                "QUEUE      connections that wait for a worker",
                "BUSY, 10 MIN  busy workers on average, and how many they were where the bar is highest",
                "REFUSED    connections closed unserved: the pool was full, or the client not allowed",
                "TIMEOUTS   requests ended for request_timeout",
                "DIED       workers that died; LOST: requests that no handler served",
                "~MEDIAN    half of the requests took no longer; ~P99: 99 of 100",
                "~WAIT P99  how long 99 of 100 connections waited at most for a worker (TCP)",
                "LEVEL      scaling = adaptive: the highest level of demand that keeps its worker;",
                "           IDLE/GOES: for how long it has been idle, and after how long it goes",
        };

        for (size_t i = 0; i < ELEMENTS(lines); i++)
                put(y, A_NORMAL, lines[i], strlen(lines[i]));
}

/* The key that quits comes first, because a narrow screen cuts the end of the line. */
static void put_help(const struct top *top)
{
        char line[256];
        int length = snprintf(line, sizeof(line), "by %s%s | q quit, h help, arrows scroll,", ctl_sort_name(top->sort),
                              top->reverse ? ", reversed" : "");

        for (int i = 0; i < CTL_SORT_COUNT; i++)
                length += snprintf(&line[length], sizeof(line) - (size_t)length, " %c", ctl_sort_key((enum ctl_sort)i));
        snprintf(&line[length], sizeof(line) - (size_t)length, " sort, R reverse, w over time, space now");
        int y = LINES - 1;
        put(&y, A_REVERSE, line, strlen(line));
}

/* The line above the tables: how many rows are hidden. */
static void put_position(int *y, const struct ctl_scroll_view *view)
{
        char line[96] = "";

        if (view->above + view->below > 0)
                snprintf(line, sizeof(line), "%zu rows above, %zu below", view->above, view->below);
        put(y, A_NORMAL, line, strlen(line));
}

static void put_tables(struct top *top, int *y)
{
        size_t pools = json_array_size(ctl_at(top->reply.document, "pools"));
        size_t lines = LINES > *y + 2 ? (size_t)(LINES - *y - 2) : 0; /* without the position and the help */
        const struct ctl_scroll_view view = ctl_scroll_view(pools, top->rows.count, lines, top->first);

        top->first = view.above;
        top->page = MAX_OF(view.pools + view.workers, 1);
        put_position(y, &view);
        if (view.pools > 0) {
                put_pools(top, y, view.first_pool, view.pools);
                (*y)++;
        }
        if (view.has_workers)
                put_workers(top, y, view.first_worker, view.workers);
}

static void draw(struct top *top)
{
        _cleanup_(text_clear) struct text summary = {0};
        int y = 0;

        erase();
        if (top->explains)
                put_explanation(&y);
        else if (top->reply.exit_code != CTL_EXIT_OK)
                put(&y, A_BOLD, text_string(&top->reply.message), top->reply.message.length);
        else if (ctl_status_summary(top->reply.document, &summary) == 0) {
                put(&y, A_NORMAL, text_string(&summary), strcspn(text_string(&summary), "\n"));
                put_tables(top, &y);
        }
        put_help(top);
        refresh();
}

static void scroll_by(struct top *top, long rows)
{
        top->first = rows < 0 && (size_t)-rows > top->first ? 0 : top->first + (size_t)rows;
}

static void sort_by(struct top *top, int key)
{
        for (int i = 0; i < CTL_SORT_COUNT; i++)
                if (key == ctl_sort_key((enum ctl_sort)i))
                        top->sort = (enum ctl_sort)i;
}

static void handle_key(struct top *top, int key)
{
        bool explained = top->explains;

        if (key != KEY_RESIZE)
                top->explains = !explained && (key == 'h' || key == '?');
        if (explained && key != KEY_RESIZE)
                return;
        switch (key) {
        case 'R':
                top->reverse = !top->reverse;
                break;
        case ' ':
                top->next_ms = 0;
                break;
        case 'w':
                top->over_time = !top->over_time;
                break;
        case KEY_UP:
        case KEY_DOWN:
                scroll_by(top, key == KEY_UP ? -1 : 1);
                break;
        case KEY_PPAGE:
                /* Another heading and a blank line may appear above, in place of two rows. */
                scroll_by(top, top->page > 2 ? -(long)top->page + 2 : -1);
                break;
        case KEY_NPAGE:
                scroll_by(top, (long)top->page);
                break;
        case KEY_HOME:
                top->first = 0;
                break;
        case KEY_END: /* drawing limits it to the last page */
                top->first = SIZE_MAX / 2;
                break;
        case KEY_RESIZE: /* a terminal shows what it likes then, and curses would send differences alone */
                clearok(curscr, TRUE);
                break;
        default:
                sort_by(top, key);
        }
        ctl_rows_sort(&top->rows, top->sort, top->reverse);
}

/* Print the status once. */
static int print_once(struct top *top)
{
        const struct ctl_style style = {.width = ctl_style_of_stdout().width}; /* the terminal may be unknown */
        _cleanup_(text_clear) struct text text = {0};

        if (top->reply.exit_code != CTL_EXIT_OK) {
                fprintf(stderr, "preforkctl: %s\n", text_string(&top->reply.message));
                return top->reply.exit_code;
        }
        int r = ctl_status_print(top->reply.document, false, style, &text);
        if (r < 0) {
                fprintf(stderr, "preforkctl: %s\n", strerror(-r));
                return CTL_EXIT_FAILURE;
        }
        return (int)ctl_output(text_string(&text), NULL);
}

static void show(struct top *top, struct ctl_screen *screen)
{
        int key;

        for (;;) {
                draw(top);
                if (!ctl_screen_wait(screen, top->next_ms, &key) || key == 'q' || key == 'Q')
                        return;
                if (key != ERR)
                        handle_key(top, key);
                if (clock_now_ms() >= top->next_ms)
                        look(top);
        }
}

int ctl_top_run(const struct ctl_top_setup *setup)
{
        struct top top = {.setup = setup};
        struct ctl_screen screen = {0};
        int exit_code = CTL_EXIT_OK;

        look(&top);
        /* If the first request fails, end with its exit code; show later failures and try again. */
        if (top.reply.exit_code == CTL_EXIT_OK && ctl_screen_open(&screen)) {
                top.colours = screen.colours;
                top.bars = screen.utf8 ? CTL_UTF8_BARS : CTL_ASCII_BARS;
                show(&top, &screen);
                ctl_screen_close(&screen);
                exit_code = screen.ended_by > 0 ? 128 + screen.ended_by : CTL_EXIT_OK;
        } else
                exit_code = print_once(&top);
        ctl_rows_clear(&top.rows);
        ctl_reply_clear(&top.reply);
        return exit_code;
}
