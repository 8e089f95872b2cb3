/* The log façade: what reaches the sink. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

struct memory {
        int count;
        int priority;
        struct log_fields fields;
        char message[4000];
};

static void remember(void *context, const struct log_record *record)
{
        struct memory *memory = context;

        memory->count++;
        memory->priority = record->priority;
        memory->fields = record->fields;
        snprintf(memory->message, sizeof(memory->message), "%s", record->message);
        errno = EBADF; /* what a sink does to errno is nobody's business */
}

static void test_without_sink_nothing_happens(void **state)
{
        (void)state;
        log_set_sink(NULL, LOG_DEBUG);
        assert_false(log_wants(LOG_EMERG));
        log_error("nobody hears %s", "this");
}

static void test_record_reaches_the_sink(void **state)
{
        (void)state;
        struct memory memory = {0};
        const struct log_sink sink = {.write = remember, .context = &memory};
        const struct log_fields fields = {.pool = "www", .worker_pid = 42, .reason = "recycled"};

        log_set_sink(&sink, LOG_INFO);
        log_emit(LOG_NOTICE, &fields, "served %d", 7);
        assert_int_equal(memory.count, 1);
        assert_int_equal(memory.priority, LOG_NOTICE);
        assert_string_equal(memory.message, "served 7");
        assert_string_equal(memory.fields.pool, "www");
        assert_int_equal(memory.fields.worker_pid, 42);
        log_warning("plain");
        assert_int_equal(memory.priority, LOG_WARNING);
        assert_null(memory.fields.pool);
        log_set_sink(NULL, LOG_INFO);
        log_error("gone");
        assert_int_equal(memory.count, 2);
}

static void test_level_holds_back(void **state)
{
        (void)state;
        struct memory memory = {0};
        const struct log_sink sink = {.write = remember, .context = &memory};

        log_set_sink(&sink, LOG_INFO);
        assert_true(log_wants(LOG_INFO));
        assert_false(log_wants(LOG_DEBUG));
        log_debug("too much");
        assert_int_equal(memory.count, 0);
        log_set_sink(NULL, LOG_INFO);
}

static void test_errno_is_kept(void **state)
{
        (void)state;
        struct memory memory = {0};
        const struct log_sink sink = {.write = remember, .context = &memory};

        log_set_sink(&sink, LOG_INFO);
        errno = ENOENT;
        log_error("%m"); /* and can be shown */
        assert_int_equal(errno, ENOENT);
        assert_string_equal(memory.message, "No such file or directory");
        log_set_sink(NULL, LOG_INFO);
}

static void test_long_messages_are_cut(void **state)
{
        (void)state;
        struct memory memory = {0};
        const struct log_sink sink = {.write = remember, .context = &memory};

        log_set_sink(&sink, LOG_INFO);
        log_error("%5000s", "x");
        assert_int_equal(strlen(memory.message), 3000);
        log_set_sink(NULL, LOG_INFO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_sink_nothing_happens),
                cmocka_unit_test(test_record_reaches_the_sink),
                cmocka_unit_test(test_level_holds_back),
                cmocka_unit_test(test_errno_is_kept),
                cmocka_unit_test(test_long_messages_are_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
