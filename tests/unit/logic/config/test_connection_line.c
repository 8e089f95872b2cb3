/* The line of connection_log: what a format may be, and what a record says, whatever is in it. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/connection_record.h"
#include "base/text.h"
#include "logic/config/connection_line.h"

static void check(const char *format, int expected, const char *problem)
{
        _cleanup_(text_clear) struct text error = {0};

        assert_int_equal(connection_line_check(format, &error), expected);
        assert_int_equal(strncmp(text_string(&error), problem, strlen(problem)), 0);
}

static void test_formats(void **state)
{
        static const char brace[] = "a brace without its counterpart";

        (void)state;
        check("", 0, "");
        check(CONNECTION_LINE_DEFAULT, 0, "");
        check("{{{client}}} {{}} %s }}", 0, "");
        check("{", -EINVAL, brace);
        check("}", -EINVAL, brace);
        check("{client", -EINVAL, brace);
        check("a{client{pool}}", -EINVAL, brace);
        check("{}", -EINVAL, "there is no field {}; expected {pool}, {listener}, ");
        check("{Client}", -EINVAL, "there is no field {Client}; expected {pool}, ");
        check("{clien}", -EINVAL, "there is no field {clien}; ");
        check("one\ntwo", -EINVAL, "it has bytes that are no text");
        check("\xff", -EINVAL, "it has bytes that are no text");
}

static void append(struct text *text, const char *format, const struct connection_record *record)
{
        _cleanup_(connection_line_clear) struct connection_line line = {0};

        assert_int_equal(connection_line_read(&line, format, "www"), 0);
        assert_int_equal(connection_line_append(text, &line, record), 0);
}

static void write_line(const char *format, const struct connection_record *record, const char *expected)
{
        _cleanup_(text_clear) struct text line = {0};

        append(&line, format, record);
        assert_string_equal(text_string(&line), expected);
}

static struct connection_record whole(void)
{
        struct connection_record record = {.has = CONNECTION_HAS_WAIT | CONNECTION_HAS_TCP | CONNECTION_HAS_STATUS |
                                                  CONNECTION_HAS_CPU | CONNECTION_HAS_PROXY,
                                           .end = CONNECTION_SERVED,
                                           .worker = 47,
                                           .pid = 48,
                                           .status = 7 << 8,
                                           .rtt_us = 900,
                                           .wait_us = 5999,
                                           .duration_us = 1234567,
                                           .cpu_us = 99,
                                           .bytes_in = 1,
                                           .bytes_out = UINT64_MAX,
                                           .client.in6.sin6_family = AF_INET6,
                                           .proxy.in.sin_family = AF_INET,
                                           .local.in.sin_family = AF_INET,
                                           .local.length = sizeof(struct sockaddr_in)};

        record.client.in6.sin6_addr = in6addr_loopback;
        record.client.in6.sin6_port = htons(4711);
        record.proxy.in.sin_addr.s_addr = record.local.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        record.proxy.in.sin_port = htons(80);
        record.local.in.sin_port = htons(81);
        return record;
}

static void test_records(void **state)
{
        struct connection_record record = whole();

        (void)state;
        write_line(CONNECTION_LINE_DEFAULT, &record,
                   "connection pool=www listener=127.0.0.1:81 client=::1 client_port=4711 proxy=127.0.0.1 pid=48 "
                   "wait_ms=5 duration_ms=1234 bytes_in=1 bytes_out=18446744073709551615 rtt_us=900 status=7 signal=- "
                   "cpu_us=99 reason=served");
        write_line("{{{worker}}} {proxy_port} {duration_us}", &record, "{47} 80 1234567");
        record.status = SIGKILL;
        record.end = CONNECTION_KILLED;
        write_line("{status} {signal} {reason}", &record, "- 9 killed");
        record = (struct connection_record){.has = CONNECTION_HAS_USER, .uid = 1000, .end = CONNECTION_FULL};
        record.local.un = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "/run/x"};
        record.local.length = offsetof(struct sockaddr_un, sun_path) + 7;
        write_line(CONNECTION_LINE_DEFAULT, &record,
                   "connection pool=www listener=/run/x client=uid:1000 client_port=- proxy=- pid=- wait_ms=- "
                   "duration_ms=0 bytes_in=- bytes_out=- rtt_us=- status=- signal=- cpu_us=- reason=full");
}

/* A worker that somebody has got into their hands may write anything. */
static void test_garbage(void **state)
{
        struct connection_record record;

        (void)state;
        for (unsigned byte = 0; byte < 256; byte++) {
                _cleanup_(text_clear) struct text line = {0};
                memset(&record, (int)byte, sizeof(record));
                record.local.any.sa_family = byte % 2 ? AF_UNIX : AF_INET6;
                record.client.any.sa_family = byte % 3 ? AF_INET : AF_UNSPEC;
                append(&line, CONNECTION_LINE_DEFAULT, &record);
        }
        write_line("{client} {proxy} {listener} {worker} {reason}", &(struct connection_record){.end = UINT32_MAX},
                   "- - - - ?");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_formats),
                cmocka_unit_test(test_records),
                cmocka_unit_test(test_garbage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
