/* Values of options: what is accepted is written in a form that is accepted as the same value; what is refused is
 * explained. The first byte chooses the option. */
#include <errno.h>

#include "base/text.h"
#include "fuzz.h"
#include "logic/config/config.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"

static void parse(const struct option *option, const char *string, void *one, void *other)
{
        struct text error = {0}, text = {0}, again = {0};

        int r = option_value_parse(option, one, string, &error);
        if (r == 0) {
                MUST(option_value_print(option, one, &text) == 0);
                if (text.length > 0 || option->optional) {
                        MUST(option_value_parse(option, other, text_string(&text), &error) == 0);
                        MUST(option_value_equal(option, one, other));
                        MUST(option_value_print(option, other, &again) == 0);
                        MUST(strcmp(text_string(&text), text_string(&again)) == 0);
                }
        } else
                MUST(r == -EINVAL && error.length > 0);
        option_value_clear(option, one);
        option_value_clear(option, other);
        text_clear(&error);
        text_clear(&text);
        text_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct pool_config pools[2] = {0};
        struct master_config masters[2] = {0};

        if (size == 0)
                return 0;
        unsigned which = data[0] % (POOL_OPTION_COUNT + MASTER_OPTION_COUNT);
        const struct option *option =
                which < POOL_OPTION_COUNT ? &pool_options[which] : &master_options[which - POOL_OPTION_COUNT];
        if (option->not_built)
                return 0;
        char *string = fuzz_string(data + 1, size - 1);
        if (which < POOL_OPTION_COUNT)
                parse(option, string, &pools[0], &pools[1]);
        else
                parse(option, string, &masters[0], &masters[1]);
        free(string);
        return 0;
}
