/* The page, of documents that nobody wrote for it: what comes from outside must stay text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "document/status_document.h"
#include "web/html.h"
#include "web/page.h"
#include "web/page_files.h"
#include "web/page_workers.h"

#define EVIL "<img src=x onerror='alert(1)'>&\\\"</script>"
#define SAFE "&#60;img src=x onerror=&#39;alert(1)&#39;&#62;&#38;&#34;&#60;/script&#62;"

static void render(const char *status_text, const char *why_text, struct text *text)
{
        _cleanup_(status_clear) struct status status = {0};
        json_t *document = json_loads(status_text, 0, NULL), *why = json_loads(why_text, 0, NULL);

        assert_non_null(document);
        assert_non_null(why);
        assert_int_equal(status_document_read(document, &status), 0);
        assert_int_equal(page_render(&status, document, why, text), 0);
        json_decref(document);
        json_decref(why);
}

static unsigned count_of(const char *text, const char *what)
{
        unsigned count = 0;

        for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
                count++;
        return count;
}

static void test_text_from_outside(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        render("{\"master\": {\"version\": \"" EVIL "\", \"state\": \"" EVIL "\", \"log\": {\"error\": \"" EVIL "\"}},"
               "\"pools\": [{\"name\": \"" EVIL
               "\", \"state\": \"not listening\", \"listeners\": [{\"address\": \"" EVIL "\", \"error\": \"" EVIL
               "\"}], \"workers\": [{\"pid\": 3, \"state\": \"" EVIL "\"}]}]}",
               "{\"pools\": [{\"name\": \"" EVIL "\", \"decisions\": [{\"time\": \"" EVIL "\", \"text\": \"" EVIL
               "\"}]}]}",
               &text);
        const char *page = text_string(&text);
        assert_null(strstr(page, "<img"));
        /* Version, state and title, log; problem, name, card; identifiers of
         * problem, card and its name, twice there; address and error, twice; worker; decision. */
        assert_int_equal(count_of(page, SAFE), 4 + 3 + 4 + 4 + 3 + 2);
        assert_int_equal(count_of(page, "</script>"), 1);
}

/* The policy knows style and script by their hashes, so they must come unchanged and once. */
static void test_style_and_script(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        render("{\"master\": {}, \"pools\": []}", "{}", &text);
        const char *page = text_string(&text);
        assert_int_equal(count_of(page, page_style), 1);
        assert_int_equal(count_of(page, page_script), 1);
        assert_int_equal(count_of(page, "<style") + count_of(page, "<script"), 2);
        assert_int_equal(count_of(page, " style="), 0);
        assert_true(text_starts_with(page_policy, "default-src 'none'; "));
        assert_null(strstr(page_policy, "unsafe"));
        assert_non_null(strstr(page, "No problems"));
}

static void test_what_is_bad_comes_first(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        render("{\"master\": {}, \"pools\": [{\"name\": \"well\", \"state\": \"running\"}, {\"name\": \"calm\", "
               "\"state\": \"paused\"}, {\"name\": \"full\", \"state\": \"saturated\"}, {\"name\": \"sick\", "
               "\"state\": "
               "\"backing off\", \"backoff\": {\"failures\": 3, \"next_start_ms\": 4000}}, {\"name\": \"fine\", "
               "\"state\": \"running\"}]}",
               "{}", &text);
        const char *at = text_string(&text);
        static const char *const expected[] = {
                "#pool-sick\">sick</a> is <b>backing off</b>: workers fail to start; 3 in a row, next attempt in 4.0s",
                "href=\"#pool-full\">full",
                "href=\"#pool-calm\">calm",
                "data-pool=\"sick\"",
                "data-pool=\"full\"",
                "data-pool=\"calm\"",
                "data-pool=\"well\"",
                "data-pool=\"fine\""};
        assert_null(strstr(at, "No problems"));
        for (size_t i = 0; i < ELEMENTS(expected); i++) {
                at = strstr(at, expected[i]);
                assert_non_null(at);
        }
}

#define POOL_WITH(history)                                                                                             \
        "{\"master\": {}, \"pools\": [{\"name\": \"www\", \"state\": \"running\", \"history\": " history "}]}"

static void check_history(const char *status, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        render(status, "{}", &text);
        const char *found = strstr(text_string(&text), "<div class=\"history\">");
        if (!expected)
                assert_null(found);
        else {
                assert_non_null(found);
                size_t length = (size_t)(strstr(found, "</div>") - found);
                assert_int_equal(length, strlen(expected));
                assert_memory_equal(found, expected, length);
        }
}

static void test_workers_over_time(void **state)
{
        (void)state;
        /* Two were idle for a minute, then one of them was busy and one more started. */
        check_history(POOL_WITH("{\"age_ms\": [60000, 0], \"for_ms\": [60000, 60000], \"busy\": [0, 1], "
                                "\"idle\": [2, 1.2], \"starting\": [0, 0.8]}"),
                      "<div class=\"history\"><svg viewBox=\"0 0 300 50\" preserveAspectRatio=\"none\" role=\"img\" "
                      "aria-label=\"Workers of www over the last 2 min: 2 to 3\">"
                      "<path class=\"busy\" d=\"M0 50V50H150V34H300V50H0Z\"/>"
                      "<path class=\"idle\" d=\"M0 50V18H150V14.8H300V34H150V50H0Z\"/>"
                      "<path class=\"starting\" d=\"M0 50V18H150V2H300V14.8H150V18H0Z\"/></svg>"
                      "<p><span>2 min ago</span><span>2 to 3 workers</span><span>now</span></p>");
        /* What is older than ten minutes is not in the picture, and half of what reaches into it. */
        check_history(POOL_WITH("{\"age_ms\": [600000, 300000, 0], \"for_ms\": [60000, 600000, 300000], "
                                "\"busy\": [9, 1, 1], \"idle\": [0, 0, 0]}"),
                      "<div class=\"history\"><svg viewBox=\"0 0 300 50\" preserveAspectRatio=\"none\" role=\"img\" "
                      "aria-label=\"Workers of www over the last 10 min: 1\">"
                      "<path class=\"busy\" d=\"M0 50V2H300V50H0Z\"/></svg>"
                      "<p><span>10 min ago</span><span>1 worker</span><span>now</span></p>");
        check_history(POOL_WITH("{}"), NULL);
        check_history(POOL_WITH("{\"age_ms\": [1e300], \"for_ms\": [1e300], \"busy\": [1e300]}"), NULL);
        check_history(POOL_WITH("{\"age_ms\": [0], \"for_ms\": [0]}"),
                      "<div class=\"history\"><svg viewBox=\"0 0 300 50\" preserveAspectRatio=\"none\" role=\"img\" "
                      "aria-label=\"Workers of www over the last 0 s: 0\"></svg>"
                      "<p><span>0 s ago</span><span>0 workers</span><span>now</span></p>");
}

static void test_very_many_workers(void **state)
{
        _cleanup_(text_clear) struct text text = {0};
        struct html html = {.text = &text};
        json_t *workers = json_array(),
               *pools = json_pack("[{s:s, s:o, s:i}]", "name", "www", "workers", workers, "workers_left_out", 5);

        (void)state;
        for (int i = 0; i < PAGE_WORKERS_MAX + 7; i++)
                json_array_append_new(workers, json_pack("{s:i, s:s}", "pid", i, "state", "idle"));
        page_workers_put(&html, pools);
        assert_int_equal(html.r, 0);
        assert_int_equal(count_of(text_string(&text), "<th scope=\"row\">www"), PAGE_WORKERS_MAX);
        assert_non_null(strstr(text_string(&text), ">12 more are in the JSON."));
        json_decref(pools);
}

static void test_an_adaptive_pool(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        render("{\"master\": {\"machine\": {\"memory_bytes\": 8589934592, \"cpus\": 2}}, \"pools\": [{\"name\": "
               "\"www\", "
               "\"limits\": {\"scaling\": \"adaptive\"}, \"adaptive\": {\"level\": 3, \"off_delay_ms\": 10240}, "
               "\"starts\": {\"cpu_us\": 19700, \"duration_us\": 1000, \"worker_bytes\": 8388608, \"worth_ms\": "
               "10240}}, "
               "{\"name\": \"old\", \"limits\": {\"scaling\": \"dynamic\"}}]}",
               "{\"pools\": []}", &text);
        assert_int_equal(count_of(text_string(&text), "Adaptive: "), 1);
        assert_non_null(strstr(text_string(&text),
                               "Adaptive: level 3 is busy, and keeps its worker for 10s after that; a start is worth "
                               "10s of an idle worker (20.0ms / 2 processors x 8.0G / 8.0M); no spare ones"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_adaptive_pool),  cmocka_unit_test(test_text_from_outside),
                cmocka_unit_test(test_style_and_script),  cmocka_unit_test(test_what_is_bad_comes_first),
                cmocka_unit_test(test_workers_over_time), cmocka_unit_test(test_very_many_workers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
