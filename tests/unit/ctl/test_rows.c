/* The rows of `top`: their order, and CPU usage between two documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/rows.h"

static json_t *worker(int pid, const char *state, int requests, int cpu_ms)
{
        return json_pack("{s:i, s:s, s:i, s:i, s:i, s:i}", "pid", pid, "state", state, "requests", requests, "cpu_ms",
                         cpu_ms, "memory_bytes", 1000 - pid, "since_ms", pid * 10);
}

static json_t *document(int cpu_ms_of_30)
{
        return json_pack("{s:[{s:s, s:[o, o]}, {s:s, s:[o]}, {s:s}]}", "pools", "name", "a", "workers",
                         worker(30, "idle", 5, cpu_ms_of_30), worker(10, "busy", 5, 100), "name", "b", "workers",
                         worker(20, "detached", 9, 200), "name", "c");
}

static void check_order(struct ctl_rows *rows, enum ctl_sort by, bool reverse, uint64_t first, uint64_t second,
                        uint64_t third)
{
        ctl_rows_sort(rows, by, reverse);
        assert_int_equal(rows->items[0].pid, first);
        assert_int_equal(rows->items[1].pid, second);
        assert_int_equal(rows->items[2].pid, third);
}

static void test_order(void **state)
{
        json_t *json = document(0);
        struct ctl_rows rows;

        (void)state;
        assert_int_equal(ctl_rows_new(json, 1000, NULL, &rows), 0);
        assert_int_equal(rows.count, 3);
        check_order(&rows, CTL_SORT_PID, false, 10, 20, 30);
        check_order(&rows, CTL_SORT_PID, true, 30, 20, 10);
        check_order(&rows, CTL_SORT_STATE, false, 10, 20, 30);
        check_order(&rows, CTL_SORT_REQUESTS, false, 20, 10, 30); /* equal ones by pid */
        check_order(&rows, CTL_SORT_REQUESTS, true, 10, 30, 20);
        check_order(&rows, CTL_SORT_MEMORY, false, 10, 20, 30);
        check_order(&rows, CTL_SORT_SINCE, false, 30, 20, 10);
        ctl_rows_clear(&rows);
        json_decref(json);
}

/* Templates are rows among them, by what they have: no requests, and no state of a worker. */
static void test_templates(void **state)
{
        json_t *json = json_pack("{s:[{s:[{s:i, s:s, s:i, s:i, s:i}], s:[o, o]}]}", "pools", "templates", "pid", 15,
                                 "state", "ready", "cpu_ms", 7, "memory_bytes", 5000, "since_ms", 1, "workers",
                                 worker(20, "busy", 5, 0), worker(10, "idle", 5, 0));
        struct ctl_rows rows;

        (void)state;
        assert_int_equal(ctl_rows_new(json, 1000, NULL, &rows), 0);
        assert_int_equal(rows.count, 3);
        check_order(&rows, CTL_SORT_PID, false, 10, 15, 20);
        check_order(&rows, CTL_SORT_MEMORY, false, 15, 10, 20);
        check_order(&rows, CTL_SORT_REQUESTS, false, 10, 20, 15);
        check_order(&rows, CTL_SORT_STATE, false, 20, 10, 15);
        assert_true(rows.items[2].is_template);
        assert_int_equal(rows.items[2].cpu_ms, 7);
        assert_false(rows.items[0].is_template || rows.items[1].is_template);
        ctl_rows_clear(&rows);
        json_decref(json);
}

static void test_shares(void **state)
{
        json_t *one = document(50), *other = document(550), *back = document(0);
        struct ctl_rows before, rows, after;

        (void)state;
        assert_int_equal(ctl_rows_new(one, 1000, NULL, &before), 0);
        ctl_rows_sort(&before, CTL_SORT_REQUESTS, true);
        assert_int_equal(ctl_rows_new(other, 2000, &before, &rows), 0);
        check_order(&rows, CTL_SORT_CPU, false, 30, 10, 20);
        assert_true(rows.items[0].share > 49.9 && rows.items[0].share < 50.1);
        assert_true(rows.items[1].share == 0);
        assert_int_equal(ctl_rows_new(back, 2000, &rows, &after), 0); /* no time has passed, and a pid is reused */
        assert_true(after.items[0].share == 0);
        ctl_rows_clear(&before);
        ctl_rows_clear(&rows);
        ctl_rows_clear(&after);
        json_decref(one);
        json_decref(other);
        json_decref(back);
}

static void test_keys(void **state)
{
        char keys[CTL_SORT_COUNT + 1] = "";

        (void)state;
        for (int i = 0; i < CTL_SORT_COUNT; i++) {
                assert_null(strchr(keys, ctl_sort_key((enum ctl_sort)i)));
                keys[i] = ctl_sort_key((enum ctl_sort)i);
                assert_true(strlen(ctl_sort_name((enum ctl_sort)i)) > 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_templates),
                                           cmocka_unit_test(test_shares), cmocka_unit_test(test_keys)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
