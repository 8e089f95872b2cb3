/* Shared by the tests of the configuration: text in, problems out as one string. Include after cmocka.h. */
#pragma once

#include <string.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/text.h"
#include "logic/config/config.h"
#include "logic/config/parse.h"

/* An ordinary user's master: no rule about accounts applies to a file without them. */
static const struct config_context own_user = {.uid = 1000, .gid = 1000};

/* Every problem on a line of its own; warnings start with "warning: ". */
static inline void problems_to_text(const struct problem_list *problems, struct text *text)
{
        text_truncate(text);
        for (size_t i = 0; i < problems->count; i++) {
                assert_int_equal(text_append(text, i > 0 ? "\n" : ""), 0);
                assert_int_equal(text_append(text, problems->items[i].warning ? "warning: " : ""), 0);
                assert_int_equal(problem_format(&problems->items[i], text), 0);
        }
}

static inline void assert_problems(const struct problem_list *problems, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        problems_to_text(problems, &text);
        assert_string_equal(text_string(&text), expected);
        assert_false(problems->out_of_memory);
}

/* Parse and finish a configuration that must be valid. */
static inline void load_good(struct config *config, const char *file, const char *string)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse(config, file, string, strlen(string), &problems), 0);
        assert_int_equal(config_finish(config, &own_user, &problems), 0);
        assert_problems(&problems, "");
}
