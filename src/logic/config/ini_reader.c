#include "logic/config/ini_reader.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/problem.h"
#include "base/text.h"
#include "logic/config/ini_line.h"

/* Bytes of a name that libinih gets: its buffers hold no more. Our own scan has the whole name. */
#define NAME_GIVEN_MAX 49
/* The head of a key's line (`NAME=`), one byte of its value, a newline and a NUL. */
#define BUFFER_MIN (NAME_GIVEN_MAX + 4)

/* What an indented line would continue. */
enum open_value { OPEN_NONE, OPEN_VALUE, OPEN_REFUSED };

struct reader {
        const struct ini_events *events;
        struct problem_list *problems;
        bool line_directives;
        const char *cursor, *end;
        int result; /* the first -ENOMEM; ends the reading */

        struct text file; /* the name for problems; empty: none */
        unsigned line;    /* of `current` */
        struct ini_line current;
        bool in_section;
        size_t given;  /* bytes of current.value that libinih has got */
        bool expected; /* libinih must call on_pair() for the line it got last */
        bool misread;  /* … and did not */

        enum open_value open;
        size_t depth; /* blanks before the key of the open value: what is indented by more continues it */
        bool joined;  /* the value's last line ended in a backslash */
        struct text key, value;
        unsigned key_line;
        struct text label; /* the key as problems show it: not whole if it is very long */
};

static const char *file_name(const struct reader *reader)
{
        return reader->file.length > 0 ? text_string(&reader->file) : NULL;
}

static void note(struct reader *reader, int r)
{
        if (r < 0 && reader->result == 0)
                reader->result = r;
}

static void report_value(struct reader *reader, const char *value)
{
        const struct ini_place place = {.file = file_name(reader), .line = reader->key_line};

        if (reader->result == 0)
                note(reader, reader->events->value(reader->events->context, text_string(&reader->key), value, place));
}

/* Refuse the open value: the part that was read must not be taken for the whole. */
static void refuse_value(struct reader *reader)
{
        if (reader->open == OPEN_VALUE)
                report_value(reader, NULL);
        reader->open = OPEN_REFUSED;
}

/* The value is complete. */
static void finish_value(struct reader *reader)
{
        if (reader->open == OPEN_VALUE && reader->joined) {
                problem_add(reader->problems, file_name(reader), reader->key_line,
                            "%s: the last line ends in a backslash, but no indented line follows",
                            text_string(&reader->label));
                refuse_value(reader);
        }
        if (reader->open == OPEN_VALUE)
                report_value(reader, text_string(&reader->value));
        reader->open = OPEN_NONE;
}

/* The key of the current line begins a value. */
static void take_key(struct reader *reader)
{
        const struct text *name = &reader->current.name;

        text_truncate(&reader->key);
        text_truncate(&reader->label);
        note(reader, text_append_bytes(&reader->key, text_string(name), name->length));
        note(reader, text_append_excerpt(&reader->label, text_string(name), name->length));
        reader->key_line = reader->line;
        reader->depth = reader->current.depth;
}

/* By how much the next line may be indented and still be a key. */
static size_t depth_of_open(const struct reader *reader)
{
        if (reader->open == OPEN_NONE)
                return SIZE_MAX;
        return reader->open == OPEN_VALUE && reader->joined ? 0 : reader->depth;
}

/* libinih found a pair: the piece of the open value that it was given last. */
static int on_pair(void *context, const char *section, const char *name, const char *value)
{
        struct reader *reader = context;
        size_t before = reader->value.length;
        (void)section; /* they may be cut; our own scan has them whole */
        (void)name;

        int r = text_append(&reader->value, value);
        note(reader, r);
        if (r == 0 && reader->value.length > before)
                ini_line_decode(reader->value.bytes + before, reader->value.length - before);
        reader->expected = false;
        return 1;
}

/* `#line N "FILE"`; anything else that starts with #line is a comment like others. */
static void take_directive(struct reader *reader, const char *at, const char *end)
{
        static const char start[] = "#line ";
        _cleanup_(text_clear) struct text digits = {0}, file = {0};
        uint64_t line;
        int r = 0;

        if ((size_t)(end - at) < strlen(start) || strncmp(at, start, strlen(start)) != 0 || end[-1] != '"')
                return;
        const char *quote = memchr(at, '"', (size_t)(end - at));
        at += strlen(start);
        if (quote == end - 1 || quote - at < 2)
                return;
        r = text_append_bytes(&digits, at, (size_t)(quote - at - 1));
        for (at = quote + 1; at < end - 1 && r == 0; at++) {
                bool escaped = *at == '\\' && at + 1 < end - 1;
                at += escaped;
                r = text_append_bytes(&file, escaped && *at == 'n' ? "\n" : at, 1);
        }
        note(reader, r);
        if (r < 0 || number_parse(text_string(&digits), &line) < 0 || line > INT32_MAX)
                return;
        finish_value(reader);
        text_clear(&reader->file);
        reader->file = file;
        file = (struct text){0};
        reader->line = (unsigned)line - 1; /* the next line counts up */
}

/* True if the continuation may go to libinih. */
static bool accept_continuation(struct reader *reader)
{
        const struct ini_line *line = &reader->current;

        if (reader->open == OPEN_REFUSED)
                return false;
        if (reader->open == OPEN_NONE)
                problem_add(reader->problems, file_name(reader), reader->line,
                            "an indented line, but no value directly above that it could continue");
        else if (line->name.length > 0 && reader->events->is_key(text_string(&line->name)))
                problem_add(reader->problems, file_name(reader), reader->line,
                            "this indented line continues %s, but looks like the key %s; "
                            "remove the indentation, or put the word in quotes",
                            text_string(&reader->label), text_string(&line->name));
        else if (line->bracketed)
                problem_add(reader->problems, file_name(reader), reader->line,
                            "this indented line continues %s, but looks like a section; "
                            "remove the indentation, or put it in quotes",
                            text_string(&reader->label));
        else
                return true;
        refuse_value(reader);
        return false;
}

/* The key of a refused line: the caller learns that it was set. */
static void skip_key(struct reader *reader)
{
        finish_value(reader);
        if (reader->current.name.length > 0 && reader->in_section) {
                take_key(reader);
                report_value(reader, NULL);
        }
        reader->open = OPEN_REFUSED;
}

/* The current line was refused, or cannot stand here. */
static void skip_line(struct reader *reader)
{
        switch (reader->current.kind) {
        case INI_LINE_SECTION:
                /* The keys below are in a section whose name is not known; they are not "before any section". */
                finish_value(reader);
                reader->in_section = true;
                note(reader, reader->events->section(reader->events->context, "",
                                                     (struct ini_place){file_name(reader), reader->line}));
                break;
        case INI_LINE_KEY:
                skip_key(reader);
                break;
        case INI_LINE_CONTINUATION:
                refuse_value(reader);
                break;
        default:
                break;
        }
}

static void open_value(struct reader *reader)
{
        finish_value(reader);
        take_key(reader);
        text_truncate(&reader->value);
        reader->open = OPEN_VALUE;
        reader->joined = reader->current.joins_next;
}

static void continue_value(struct reader *reader)
{
        if (!reader->joined && reader->value.length > 0)
                note(reader, text_append(&reader->value, " "));
        reader->joined = reader->current.joins_next;
}

/* True if the current line, which was scanned without an error, may go to libinih. */
static bool accept_line(struct reader *reader)
{
        switch (reader->current.kind) {
        case INI_LINE_SECTION:
                finish_value(reader);
                reader->in_section = true;
                note(reader, reader->events->section(reader->events->context, text_string(&reader->current.name),
                                                     (struct ini_place){file_name(reader), reader->line}));
                return true;
        case INI_LINE_KEY:
                if (!reader->in_section) {
                        take_key(reader);
                        problem_add(reader->problems, file_name(reader), reader->line,
                                    "%s: no section above; expected [preforkd] or [POOL] first",
                                    text_string(&reader->label));
                        skip_key(reader);
                        return false;
                }
                open_value(reader);
                return true;
        case INI_LINE_CONTINUATION:
                if (!accept_continuation(reader))
                        return false;
                continue_value(reader);
                return true;
        case INI_LINE_BLANK:
                finish_value(reader);
                return false;
        default:
                return false;
        }
}

/* Take the next line of the text. True if it is for libinih, and then in reader->current. */
static bool take_line(struct reader *reader)
{
        _cleanup_(text_clear) struct text error = {0};
        const char *at = reader->cursor, *newline = memchr(at, '\n', (size_t)(reader->end - at));
        const char *end = newline ? newline : reader->end;

        reader->cursor = newline ? newline + 1 : reader->end;
        reader->line++;
        if (newline && end > at && end[-1] == '\r')
                end--; /* a file with CR LF line ends */
        int r = ini_line_scan(at, (size_t)(end - at), depth_of_open(reader), &reader->current, &error);
        if (r == -EINVAL) {
                problem_add(reader->problems, file_name(reader), reader->line, "%s", text_string(&error));
                skip_line(reader);
        }
        if (r == -ENOMEM)
                note(reader, r);
        if (r < 0)
                return false;
        if (reader->line_directives && reader->current.kind == INI_LINE_COMMENT)
                take_directive(reader, at, end);
        return accept_line(reader);
}

/* Write a line for libinih: as much of the current line as fits and has not been given yet. Later pieces are indented,
 * so that libinih takes them as continuations of the same value. */
static void give(struct reader *reader, bool first, char *buffer, size_t size)
{
        const struct ini_line *line = &reader->current;
        const char *name = text_string(&line->name);
        int head;

        if (line->kind == INI_LINE_SECTION)
                head = snprintf(buffer, size, "[%.*s]", NAME_GIVEN_MAX, name);
        else if (line->kind == INI_LINE_KEY && first)
                head = snprintf(buffer, size, "%.*s=", NAME_GIVEN_MAX, name);
        else
                head = snprintf(buffer, size, " ");
        char *at = buffer + head;
        size_t piece = MIN_OF(line->value.length - reader->given, size - (size_t)head - strlen("\n") - 1);
        if (piece > 0)
                memcpy(at, line->value.bytes + reader->given, piece);
        memcpy(at + piece, "\n", sizeof("\n"));
        reader->given += piece;
        reader->expected = line->kind != INI_LINE_SECTION;
}

/* The reader function of libinih: gives it lines one by one, so that the line number is known. The buffer (200 bytes in
 * distributions) may be smaller than the line. */
static char *next_line(char *buffer, int size, void *stream)
{
        struct reader *reader = stream;
        bool found = reader->given < reader->current.value.length, first = !found;

        reader->misread |= reader->expected || size < BUFFER_MIN;
        while (!found && reader->result == 0 && reader->cursor < reader->end) {
                found = take_line(reader);
                reader->given = found ? 0 : reader->current.value.length;
        }
        if (!found || reader->result < 0 || reader->misread) {
                finish_value(reader);
                explicit_bzero(buffer, (size_t)size); /* libinih's, which had the values */
                return NULL;
        }
        give(reader, first, buffer, (size_t)size);
        return buffer;
}

static void reader_clear(struct reader *reader)
{
        ini_line_clear(&reader->current);
        text_clear(&reader->file);
        text_clear(&reader->key);
        text_clear(&reader->value);
        text_clear(&reader->label);
}

int ini_read(const struct ini_events *events, const char *file, const char *bytes, size_t length, bool line_directives,
             struct problem_list *problems)
{
        static const char byte_order_mark[] = "\xef\xbb\xbf";
        _cleanup_(reader_clear) struct reader reader = {.events = events,
                                                        .problems = problems,
                                                        .line_directives = line_directives,
                                                        .cursor = bytes,
                                                        .end = bytes + length};
        size_t mark = strlen(byte_order_mark);

        if (length >= mark && memcmp(bytes, byte_order_mark, mark) == 0)
                reader.cursor += mark;
        int r = file ? text_append(&reader.file, file) : 0;
        if (r < 0)
                return r;
        r = ini_parse_stream(next_line, &reader, on_pair, &reader);
        if (reader.result < 0)
                return reader.result;
        if (r == -2)
                return -ENOMEM;
        if (r != 0 || reader.misread) /* half a file must not be taken for the whole */
                problem_add(problems, file, 0, "libinih does not read this file as preforkd does; please report this");
        return 0;
}
