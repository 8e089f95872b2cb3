/* The importers: whatever the file says, what is made of it is a configuration without problems, of which no key is
 * without effect, or keys of a pool. The first byte chooses the format. */
#include "fuzz.h"

#include "base/problem.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/import/import.h"

#define FIRST_LIST 0xf0

/* A pool with the keys of a list. Of hosts.allow and hosts.deny, both are the file. */
static void append_list(size_t format, const char *bytes, size_t length, struct text *text)
{
        const struct import_source sources[] = {{.name = "a", .bytes = bytes, .length = length},
                                                {.name = "b", .bytes = bytes, .length = length}};
        bool undecided;

        MUST(text_append(text, "[x]\nlisten = 127.0.0.1:1\nhandler = /bin/cat\nuser = nobody\n") == 0);
        MUST(import_list_convert(format, "x", sources, 2, text, &undecided) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char services[] = "echo 7/tcp\necho 7/udp\nssh 22/tcp\n";
        const struct config_context context = {.is_root = true};
        struct problem_list problems = {0};
        struct config config = {0};
        struct text text = {0};
        bool undecided;

        if (size < 1)
                return 0;
        char *bytes = fuzz_string(data + 1, size - 1);
        if (data[0] >= FIRST_LIST)
                append_list(data[0] % IMPORT_LIST_COUNT, bytes, size - 1, &text);
        const struct import_format *format = &import_formats[data[0] % import_format_count];
        const struct import_source sources[] = {{.name = format->sample, .bytes = bytes, .length = size - 1}};
        const struct import_input input = {
                .sources = sources,
                .count = 1,
                .services = {.name = "services", .bytes = services, .length = sizeof(services) - 1},
        };
        if (data[0] < FIRST_LIST)
                MUST(import_convert(format, &input, &text, &undecided) == 0);
        MUST(config_parse(&config, "f", text_string(&text), text.length, &problems) == 0);
        MUST(config_finish(&config, &context, &problems) == 0);
        MUST(!problem_list_refuses(&problems));
        for (size_t i = 0; i < problems.count && data[0] < FIRST_LIST; i++)
                MUST(!strstr(problems.items[i].text, ": no effect"));
        config_clear(&config);
        problem_list_clear(&problems);
        text_clear(&text);
        free(bytes);
        return 0;
}
