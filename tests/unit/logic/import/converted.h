/* What the tests of the importers do: a file is converted, and preforkd takes the result without a word. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/import/import.h"

static const char services[] = "# comment\necho 7/tcp\necho 7/udp\ntftp 69/udp\nssh 22/tcp secure-shell # x\nbad\n";

static inline struct import_source source(const char *name, const char *bytes)
{
        return (struct import_source){.name = name, .bytes = bytes, .length = strlen(bytes)};
}

/* preforkd takes the configuration, and has nothing to say about it. */
static inline void expect_good(const struct text *text)
{
        const struct config_context context = {.is_root = true};
        struct problem_list problems = {0};
        struct config config = {0};

        assert_int_equal(config_parse(&config, "f", text_string(text), text->length, &problems), 0);
        assert_int_equal(config_finish(&config, &context, &problems), 0);
        if (problems.count > 0)
                fail_msg("%s\n%s", problems.items[0].text, text_string(text));
        config_clear(&config);
        problem_list_clear(&problems);
}

/* The configuration, which preforkd takes. */
static inline bool convert_all(const char *format, const struct import_source *sources, size_t count, bool wrapped,
                               struct text *text)
{
        const struct import_input input = {
                .sources = sources, .count = count, .services = source("/etc/services", services), .wrapped = wrapped};
        bool undecided;

        assert_int_equal(import_convert(import_format_find(format), &input, text, &undecided), 0);
        expect_good(text);
        return undecided;
}

static inline bool convert(const char *format, const char *file, bool wrapped, struct text *text)
{
        const struct import_source sources[] = {source("/etc/x", file)};

        return convert_all(format, sources, 1, wrapped, text);
}

static inline void expect(const struct text *text, const char *line)
{
        if (!strstr(text_string(text), line))
                fail_msg("not there: %s\n%s", line, text_string(text));
}
