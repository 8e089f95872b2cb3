/* The importers: whatever the file says, what is made of it is a configuration without problems. The first byte chooses
 * the format. */
#include "fuzz.h"

#include "base/problem.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/import/import.h"

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
        const struct import_format *format = &import_formats[data[0] % import_format_count];
        const struct import_source sources[] = {{.name = format->sample, .bytes = bytes, .length = size - 1}};
        const struct import_input input = {
                .sources = sources,
                .count = 1,
                .services = {.name = "services", .bytes = services, .length = sizeof(services) - 1},
        };
        MUST(import_convert(format, &input, &text, &undecided) == 0);
        MUST(config_parse(&config, "f", text_string(&text), text.length, &problems) == 0);
        MUST(config_finish(&config, &context, &problems) == 0);
        MUST(!problem_list_refuses(&problems));
        config_clear(&config);
        problem_list_clear(&problems);
        text_clear(&text);
        free(bytes);
        return 0;
}
