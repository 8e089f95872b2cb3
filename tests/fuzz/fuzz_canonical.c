/* Canonical configurations, as the configuration child hands them to the master: whatever it says, the master lives. */
#include "base/problem.h"
#include "base/text.h"
#include "fuzz.h"
#include "logic/config/config.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct config_context context = {.uid = 1000, .gid = 1000};
        struct problem_list problems = {0};
        struct config *read = NULL;
        char *bytes = fuzz_string(data, size);

        if (config_from_canonical(bytes, size, &context, &read, &problems) == 0 && read) {
                struct text text = {0};
                MUST(config_print(read, true, &text) == 0);
                text_clear(&text);
                config_clear(read);
                free(read);
        }
        problem_list_clear(&problems);
        free(bytes);
        return 0;
}
