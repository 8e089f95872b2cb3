#include "preload/rollback/smaps.h"

#include <errno.h>
#include <stdio.h>

#include "lib/decimal.h"
#include "lib/sys.h"

/* FNV-1a */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_FACTOR UINT64_C(0x100000001b3)

static bool begins_with(const char *line, const char *word)
{
        while (*word && *line == *word) {
                line++;
                word++;
        }
        return !*word;
}

struct reading {
        uint64_t hash;
        bool has_lazy;
};

static void take_line(struct reading *reading, const char *line)
{
        static const char lazy[] = "LazyFree:";
        uint64_t kilobytes = 0;

        if (begins_with(line, lazy)) {
                const char *number = line + sizeof(lazy) - 1;
                reading->has_lazy = reading->has_lazy || (decimal_next(&number, &kilobytes) && kilobytes > 0);
        } else if (begins_with(line, "VmFlags:")) {
                for (; *line != '\n'; line++)
                        reading->hash = (reading->hash ^ (unsigned char)*line) * HASH_FACTOR;
        }
}

int smaps_read(int smaps_fd, struct mappings *buffer, uint64_t *ret_hash, bool *ret_has_lazy)
{
        struct reading reading = {.hash = HASH_START};
        char *text = buffer->text;
        size_t length = 0;

        if (SYS_3(__NR_lseek, smaps_fd, 0, SEEK_SET) < 0)
                return -EIO;
        for (;;) {
                long r = SYS_3(__NR_read, smaps_fd, text + length, sizeof(buffer->text) - length);
                if (r < 0)
                        return (int)r;
                if (r == 0)
                        break;
                length += (size_t)r;
                size_t start = 0;
                for (size_t i = 0; i < length; i++)
                        if (text[i] == '\n') {
                                take_line(&reading, text + start);
                                start = i + 1;
                        }
                length -= start;
                for (size_t i = 0; i < length; i++)
                        text[i] = text[start + i];
        }
        *ret_hash = reading.hash;
        if (ret_has_lazy)
                *ret_has_lazy = reading.has_lazy;
        return 0;
}
