/* The kernel's pressure files and its list of control groups: whatever is in them is a reading within its range or an
 * error, and a path within the text. */
#include <errno.h>

#include "fuzz.h"
#include "os/pressure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = fuzz_string(data, size);
        struct pressure_reading reading = {.recent = PRESSURE_ALL + 1};
        const char *group = NULL;

        int r = pressure_parse(text, &reading);
        MUST(r == 0 || r == -EINVAL || r == -ERANGE);
        MUST(r == 0 ? reading.recent <= PRESSURE_ALL : reading.recent == PRESSURE_ALL + 1);
        if (r == 0)
                MUST(strncmp(text, "some ", 5) == 0 && strstr(text, " avg10=") && strstr(text, " total="));
        size_t length = pressure_find_group(text, &group);
        if (length > 0)
                MUST(group >= text + 3 && group + length < text + size && *group == '/' && group[length] == '\n' &&
                     !memchr(group, '\n', length));
        free(text);
        return 0;
}
