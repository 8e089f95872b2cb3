/* The line splitter: whatever is fed, in whatever pieces, a line is bounded, printable and has a priority. The first
 * byte of each piece is its length. */
#include "fuzz.h"
#include "logic/protocol/line_splitter.h"

static void check(void *context, const struct line *line)
{
        size_t *emitted = context;

        MUST(line->length > 0 && line->length <= LINE_SPLITTER_MAX);
        MUST(strlen(line->bytes) == line->length);
        for (size_t i = 0; i < line->length; i++) {
                unsigned char byte = (unsigned char)line->bytes[i];
                MUST((byte >= 0x20 && byte != 0x7f) || byte == '\t');
        }
        MUST(line->priority == -1 || (line->priority >= 3 && line->priority <= 7));
        *emitted += line->length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct line_splitter splitter = {0};
        size_t emitted = 0;

        for (size_t at = 0; at < size;) {
                size_t length = data[at++] * 9U + 1;
                length = length < size - at ? length : size - at;
                char *piece = fuzz_string(data + at, length);
                line_splitter_feed(&splitter, piece, length, check, &emitted);
                MUST(splitter.length <= LINE_SPLITTER_MAX);
                free(piece);
                at += length;
        }
        line_splitter_flush(&splitter, check, &emitted);
        line_splitter_clear(&splitter);
        MUST(emitted <= size * 4); /* escapes of what is not printable */
        return 0;
}
