/* Configurations: what is accepted is written in canonical form, with and without places, and read as the same;
 * problems are printable. The first byte says who reads. */
#include "base/problem.h"
#include "base/text.h"
#include "fuzz.h"
#include "logic/config/config.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"

static void check_problems(const struct problem_list *problems)
{
        for (size_t i = 0; i < problems->count; i++) {
                struct text text = {0};
                MUST(problem_format(&problems->items[i], &text) == 0);
                MUST(text.length > 0 && text_printable_length(text_string(&text), text.length) == text.length);
                text_clear(&text);
        }
}

static void check_canonical(const struct config *config, const struct config_context *context)
{
        struct text text = {0}, again = {0};
        struct problem_list problems = {0};
        struct config *read = NULL;

        MUST(config_print(config, true, &text) == 0);
        MUST(config_from_canonical(text_string(&text), text.length, context, &read, &problems) == 0 && read);
        MUST(config_print(read, true, &again) == 0);
        MUST(strcmp(text_string(&text), text_string(&again)) == 0);
        config_clear(read);
        free(read);
        problem_list_clear(&problems);
        text_clear(&text);
        text_clear(&again);
}

/* As -T prints it, for a file of its own. */
static void check_dump(const struct config *config, const struct config_context *context)
{
        struct text text = {0}, again = {0};
        struct problem_list problems = {0};
        struct config read = {0};

        MUST(config_print(config, false, &text) == 0);
        MUST(config_parse(&read, "x.conf", text_string(&text), text.length, &problems) == 0);
        MUST(config_finish(&read, context, &problems) == 0);
        MUST(!problem_list_refuses(&problems));
        MUST(config_print(&read, false, &again) == 0);
        MUST(strcmp(text_string(&text), text_string(&again)) == 0);
        config_clear(&read);
        problem_list_clear(&problems);
        text_clear(&text);
        text_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct problem_list problems = {0};
        struct config config = {0};

        if (size == 0)
                return 0;
        const struct config_context context = {
                .is_root = data[0] & 1, .uid = data[0] & 1 ? 0 : 1000, .gid = data[0] & 1 ? 0 : 1000};
        char *bytes = fuzz_string(data + 1, size - 1);
        int r = config_parse(&config, "f.conf", bytes, size - 1, &problems);
        if (r == 0 && (data[0] & 2)) /* the same again: everything is set twice */
                r = config_parse(&config, "g.conf", bytes, size - 1, &problems);
        if (r == 0)
                r = config_finish(&config, &context, &problems);
        MUST(r == 0);
        check_problems(&problems);
        if (!problem_list_refuses(&problems)) {
                check_canonical(&config, &context);
                check_dump(&config, &context);
        }
        config_clear(&config);
        problem_list_clear(&problems);
        free(bytes);
        return 0;
}
