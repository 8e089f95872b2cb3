#include "logic/protocol/line_splitter.h"

#include <string.h>

#include "base/cleanup.h"

#define PRIORITY_MOST_URGENT 3 /* an error */

static bool is_control(unsigned char byte)
{
        return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

/* U+0080..U+009F in UTF-8: terminals may interpret them like ESC sequences. */
static bool is_c1_control(unsigned char byte, unsigned char next)
{
        return byte == 0xc2 && next >= 0x80 && next <= 0x9f;
}

static void make_harmless(char *bytes, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                unsigned char byte = (unsigned char)bytes[i];
                if (is_control(byte))
                        bytes[i] = '?';
                else if (i + 1 < length && is_c1_control(byte, (unsigned char)bytes[i + 1]))
                        bytes[i] = bytes[i + 1] = '?';
        }
}

/* Emit the `length` bytes in `bytes`, which has room for a NUL and is altered. */
static void emit_line(char *bytes, size_t length, bool cut, line_function *emit, void *context)
{
        struct line line = {.priority = -1, .bytes = bytes, .length = length, .cut = cut};

        if (length >= 3 && bytes[0] == '<' && bytes[1] >= '0' && bytes[1] <= '7' && bytes[2] == '>') {
                line.priority = MAX_OF(bytes[1] - '0', PRIORITY_MOST_URGENT);
                line.bytes += 3;
                line.length -= 3;
        }
        if (!cut && line.length > 0 && bytes[length - 1] == '\r')
                line.length--;
        if (line.length == 0)
                return;
        char *text = bytes + (line.bytes - bytes);
        make_harmless(text, line.length);
        text[line.length] = '\0';
        emit(context, &line);
}

static void forget_pending(struct line_splitter *splitter)
{
        free(TAKE_PTR(splitter->pending));
        splitter->length = 0;
}

/* Keep a piece that fits. False if there is no memory for it. */
static bool keep(struct line_splitter *splitter, const char *bytes, size_t length)
{
        if (!splitter->pending)
                splitter->pending = malloc(LINE_SPLITTER_MAX);
        if (!splitter->pending)
                return false;
        memcpy(splitter->pending + splitter->length, bytes, length);
        splitter->length += length;
        return true;
}

/* Emit what is pending and the piece that follows it, as far as it fits. Lines that came in one piece are emitted here
 * without being kept. */
static void finish(struct line_splitter *splitter, const char *bytes, size_t length, bool ended, line_function *emit,
                   void *context)
{
        char line[LINE_SPLITTER_MAX + 1];
        size_t fitting = MIN_OF(length, LINE_SPLITTER_MAX - splitter->length), total = splitter->length + fitting;

        if (splitter->length > 0)
                memcpy(line, splitter->pending, splitter->length);
        if (fitting > 0)
                memcpy(line + splitter->length, bytes, fitting);
        forget_pending(splitter);
        splitter->swallowing = !ended;
        splitter->swallowed_bytes += length - fitting;
        emit_line(line, total, !ended || length > fitting, emit, context);
}

/* Take a piece of one line; `ended`: a newline follows it. */
static void take(struct line_splitter *splitter, const char *bytes, size_t length, bool ended, line_function *emit,
                 void *context)
{
        if (splitter->swallowing) {
                splitter->swallowed_bytes += length;
                splitter->swallowing = !ended;
                return;
        }
        if (!ended && (length <= LINE_SPLITTER_MAX - splitter->length) && keep(splitter, bytes, length))
                return;
        finish(splitter, bytes, length, ended, emit, context);
}

void line_splitter_feed(struct line_splitter *splitter, const char *bytes, size_t length, line_function *emit,
                        void *context)
{
        while (length > 0) {
                const char *newline = memchr(bytes, '\n', length);
                size_t piece = newline ? (size_t)(newline - bytes) : length;
                size_t taken = piece + (newline ? 1 : 0);

                take(splitter, bytes, piece, newline != NULL, emit, context);
                bytes += taken;
                length -= taken;
        }
}

void line_splitter_flush(struct line_splitter *splitter, line_function *emit, void *context)
{
        if (splitter->length > 0)
                finish(splitter, NULL, 0, true, emit, context);
        splitter->swallowing = false;
}

void line_splitter_clear(struct line_splitter *splitter)
{
        forget_pending(splitter);
        splitter->swallowing = false;
}
