#include "logic/config/ini_line.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "logic/config/foreign.h"

/* The bytes that libinih acts upon, and what they are coded as; see ini_line.h. */
static const struct {
        char plain, coded;
} codes[] = {{' ', '\001'}, {'\t', '\002'}, {';', '\003'}, {'#', '\004'}};

static char encode(char c)
{
        for (size_t i = 0; i < ELEMENTS(codes); i++)
                if (c == codes[i].plain)
                        return codes[i].coded;
        return c;
}

void ini_line_decode(char *bytes, size_t length)
{
        for (size_t at = 0; at < length; at++)
                for (size_t i = 0; i < ELEMENTS(codes); i++)
                        if (bytes[at] == codes[i].coded)
                                bytes[at] = codes[i].plain;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at, const char *end)
{
        while (at < end && is_blank(*at))
                at++;
        return at;
}

__attribute__((format(printf, 2, 3))) static int refuse(struct text *error, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(error, format, arguments);
        va_end(arguments);
        return r < 0 ? r : -EINVAL;
}

/* Letters, digits, `_`, `-` and `.`: what names of sections and keys are made of. */
static size_t name_length(const char *at, const char *end)
{
        const char *start = at;

        while (at < end && (isalnum((unsigned char)*at) || *at == '_' || *at == '-' || *at == '.'))
                at++;
        return (size_t)(at - start);
}

/* The scan of a value, or of one line of it. */
struct value_scan {
        const char *start, *at, *end; /* what is scanned; the byte before `start` belongs to the line */
        struct text *value;
        size_t fixed; /* trailing blanks are cut down to this length of `value`, not further: quotes protect the rest */
        char quote;   /* the quote we are in, or NUL */
        int result;   /* the first error of text_append_bytes() */
};

static void copy(struct value_scan *scan, bool protect)
{
        char coded = encode(*scan->at);
        int r = text_append_bytes(scan->value, &coded, 1);

        if (r < 0)
                scan->result = r;
        scan->at++;
        if (protect)
                scan->fixed = scan->value->length;
}

/* True if the byte before the current one is a blank that nothing protects. */
static bool is_after_blank(const struct value_scan *scan)
{
        return is_blank(scan->at[-1]) && (scan->value->length > scan->fixed || scan->at == scan->start);
}

/* At a backslash outside quotes. */
static int scan_backslash(struct value_scan *scan, struct ini_line *line, struct text *error)
{
        if (scan->at + 1 == scan->end) {
                line->joins_next = true;
                scan->at++;
                return 0;
        }
        if (skip_blanks(scan->at + 1, scan->end) == scan->end)
                return refuse(error, "blanks follow the backslash at the end of the line; "
                                     "to continue the value, the backslash must be the last character");
        copy(scan, false);
        copy(scan, true);
        return 0;
}

/* One step inside quotes, or over the quote that opens or closes them. */
static void scan_quoted(struct value_scan *scan)
{
        char c = *scan->at, next = scan->at + 1 < scan->end ? scan->at[1] : '\0';

        if (scan->quote == '\0') {
                scan->quote = c;
                copy(scan, false);
        } else if (c == scan->quote) {
                scan->quote = '\0';
                copy(scan, false);
        } else {
                if (scan->quote == '"' && c == '\\' && (next == '"' || next == '\\'))
                        copy(scan, false);
                copy(scan, true);
        }
}

/* Cut trailing blanks off. Before a backslash one is kept: `a \` and `b` on the next line are two words, as in a shell.
 */
static void trim(struct value_scan *scan, const struct ini_line *line)
{
        struct text *value = scan->value;
        size_t length = value->length;

        while (length > scan->fixed &&
               (value->bytes[length - 1] == encode(' ') || value->bytes[length - 1] == encode('\t')))
                length--;
        if (length < value->length && length > 0 && line->joins_next)
                value->bytes[length++] = encode(' ');
        text_cut(value, length);
}

/* Scan from `at` to the end of the line or to a comment, into line->value. The byte before `at` belongs to the line. */
static int scan_value(const char *at, const char *end, struct ini_line *line, struct text *error)
{
        struct value_scan scan = {.start = at, .at = at, .end = end, .value = &line->value};
        int r = 0;

        while (scan.at < end && r == 0) {
                if (scan.quote || *scan.at == '\'' || *scan.at == '"')
                        scan_quoted(&scan);
                else if (*scan.at == '\\')
                        r = scan_backslash(&scan, line, error);
                else if (*scan.at == ';' && is_after_blank(&scan))
                        break;
                else if (*scan.at == '#' && is_after_blank(&scan))
                        r = refuse(error, "'#' starts a comment only at the start of a line; "
                                          "use ';' after a value, or quotes if it belongs to the value");
                else
                        copy(&scan, false);
        }
        if (r < 0 || scan.result < 0)
                return r < 0 ? r : scan.result;
        if (scan.quote)
                return refuse(error, "the quote %c is not closed on this line", scan.quote);
        trim(&scan, line);
        return 0;
}

/* Refuse the line because of a word in it. Returns -EINVAL or -ENOMEM. */
static int refuse_word(struct text *error, const char *before, const char *word, size_t length, const char *after)
{
        int r = text_append(error, before);

        if (r == 0)
                r = text_append_excerpt(error, word, length);
        if (r == 0)
                r = text_append(error, after);
        return r < 0 ? r : -EINVAL;
}

static int scan_section(const char *at, const char *end, struct ini_line *line, struct text *error)
{
        const char *name = at + 1, *close = memchr(at, ']', (size_t)(end - at));

        if (!close)
                return refuse(error, "no ']' after the section name");
        size_t length = (size_t)(close - name);
        if (length == 0)
                return refuse(error, "the section has no name; expected [preforkd] or the name of a pool");
        if (name_length(name, close) != length)
                return refuse_word(error, "\"", name, length,
                                   "\" is not a name; expected letters, digits, '_', '-' and '.'");
        at = skip_blanks(close + 1, end);
        if (at < end && (*at != ';' || at == close + 1))
                return refuse(error, "text after ']'; expected the end of the line, or ' ;' and a comment");
        return text_append_bytes(&line->name, name, length);
}

/* Note the word before a `=`, even if the line is refused for another reason. 0 or -ENOMEM. */
static int peek_key(const char *at, const char *end, struct ini_line *line)
{
        size_t length = name_length(at, end);
        const char *equals = skip_blanks(at + length, end);

        return equals < end && *equals == '=' ? text_append_bytes(&line->name, at, length) : 0;
}

/* `MaxRequestWorkers 150`: a line of another program. 0: no word of theirs. */
static int refuse_foreign(const char *at, size_t length, struct text *error)
{
        _cleanup_(text_clear) struct text word = {0};
        int r = text_append_bytes(&word, at, length);
        const struct foreign_word *foreign = r == 0 && length > 1 ? foreign_find(text_string(&word)) : NULL;

        if (foreign)
                r = foreign_describe(foreign, false, error);
        if (r == 0 && foreign)
                r = text_append(error, "; lines are 'key = value'");
        return r < 0 ? r : foreign ? -EINVAL : 0;
}

static int scan_key(const char *at, const char *end, struct ini_line *line, struct text *error)
{
        size_t length = name_length(at, end);
        const char *separator = skip_blanks(at + length, end);

        if (length > 0 && separator < end && *separator == ':')
                return refuse_word(error, "':' does not separate a key from its value here; expected '", at, length,
                                   " = ...'");
        if (length > 0 && (separator == end || *separator != '=')) {
                int r = refuse_foreign(at, length, error);
                if (r < 0)
                        return r;
        }
        if (length == 0 || separator == end || *separator != '=')
                return refuse(error, "not a configuration line; "
                                     "expected 'key = value', '[section]' or a comment");
        return scan_value(skip_blanks(separator + 1, end), end, line, error);
}

static int scan_continuation(const char *at, const char *end, struct ini_line *line, struct text *error)
{
        const struct text *value = &line->value;

        int r = scan_value(at, end, line, error);
        if (r < 0)
                return r;
        if (value->length == 0)
                return refuse(error, "no value before the backslash");
        line->bracketed = value->bytes[0] == '[' && value->bytes[value->length - 1] == ']';
        return 0;
}

/* Refuse control characters and what is not UTF-8. Comments may be in any character set. */
static int check_bytes(const char *bytes, size_t length, bool comment, struct text *error)
{
        for (size_t at = 0; at < length; at++) {
                at += text_printable_length(bytes + at, length - at);
                unsigned char byte = at < length ? (unsigned char)bytes[at] : ' ';
                if (byte < 0x20 || byte == 0x7f)
                        return refuse(error, "byte %zu is a control character (0x%02x)", at + 1, byte);
                if (at < length && !comment)
                        return refuse(error, "byte %zu (0x%02x) is not UTF-8 text", at + 1, byte);
        }
        return 0;
}

/* Of an indented line: is it a key or a section, and not a part of the value above? */
static bool looks_like_own(const char *at, const char *end)
{
        size_t length = name_length(at, end);
        const char *equals = skip_blanks(at + length, end);

        return *at == '[' || (length > 0 && equals < end && *equals == '=');
}

int ini_line_scan(const char *bytes, size_t length, size_t depth, struct ini_line *line, struct text *error)
{
        const char *end = bytes + length, *at = skip_blanks(bytes, end);
        int r = 0;

        text_truncate(&line->name);
        text_truncate(&line->value);
        *line = (struct ini_line){
                .kind = INI_LINE_BLANK, .depth = (size_t)(at - bytes), .name = line->name, .value = line->value};
        if (at == end)
                return 0;
        if (*at == '#' || *at == ';')
                line->kind = INI_LINE_COMMENT;
        else if (at > bytes && (line->depth > depth || !looks_like_own(at, end)))
                line->kind = INI_LINE_CONTINUATION;
        else
                line->kind = *at == '[' ? INI_LINE_SECTION : INI_LINE_KEY;
        if (line->kind == INI_LINE_KEY || line->kind == INI_LINE_CONTINUATION)
                r = peek_key(at, end, line);
        if (r == 0)
                r = check_bytes(bytes, length, line->kind == INI_LINE_COMMENT, error);
        if (r < 0 || line->kind == INI_LINE_COMMENT)
                return r;
        if (line->kind == INI_LINE_SECTION)
                return scan_section(at, end, line, error);
        return line->kind == INI_LINE_KEY ? scan_key(at, end, line, error) : scan_continuation(at, end, line, error);
}

void ini_line_clear(struct ini_line *line)
{
        text_clear(&line->name);
        text_clear(&line->value);
}
