#include "logic/config/ini_line.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* What a protected byte travels as; see ini_line.h. */
static const struct {
        char plain, coded;
} codes[] = {{' ', '\001'}, {'\t', '\002'}, {';', '\003'}};

#define CODE_COUNT (sizeof(codes) / sizeof(codes[0]))

static char encode(char c)
{
        for (size_t i = 0; i < CODE_COUNT; i++)
                if (c == codes[i].plain)
                        return codes[i].coded;
        return c;
}

void ini_line_decode(char *value)
{
        for (; *value != '\0'; value++)
                for (size_t i = 0; i < CODE_COUNT; i++)
                        if (*value == codes[i].coded)
                                *value = codes[i].plain;
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

__attribute__((format(printf, 2, 3))) static int complain(struct text *complaint, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(complaint, format, arguments);
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

static int take_name(const char *at, size_t length, const char *what, struct ini_line *line, struct text *complaint)
{
        if (length > INI_NAME_MAX)
                return complain(complaint, "a %s of %zu bytes; at most %d fit", what, length, INI_NAME_MAX);
        memcpy(line->name, at, length);
        line->name[length] = '\0';
        return 0;
}

/* A value, or a line of one, on its way into line->text. */
struct value_scan {
        const char *at, *end;
        char *out;
        char *fixed; /* trailing blanks are cut down to here, not further: what is before is protected */
        char quote;  /* the quote we are in, or NUL */
};

static void copy(struct value_scan *scan, bool protect)
{
        *scan->out++ = protect ? encode(*scan->at) : *scan->at;
        scan->at++;
        if (protect)
                scan->fixed = scan->out;
}

/* At a backslash outside quotes. */
static int scan_backslash(struct value_scan *scan, struct ini_line *line, struct text *complaint)
{
        if (scan->at + 1 == scan->end) {
                line->joins_next = true;
                scan->at++;
                return 0;
        }
        if (skip_blanks(scan->at + 1, scan->end) == scan->end)
                return complain(complaint, "a backslash with blanks behind it at the end of the line; "
                                           "to continue the value the backslash must come last");
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

/* Scan from `at` to the end of the line or to a comment, into `out` with a NUL. The byte before `at` belongs to the
 * line. */
static int scan_value(const char *at, const char *end, char *out, struct ini_line *line, struct text *complaint)
{
        struct value_scan scan = {.at = at, .end = end, .out = out, .fixed = out};
        int r = 0;

        while (scan.at < end && r == 0) {
                bool after_blank = scan.out > scan.fixed ? is_blank(scan.out[-1]) : scan.at == at && is_blank(at[-1]);
                if (scan.quote || *scan.at == '\'' || *scan.at == '"')
                        scan_quoted(&scan);
                else if (*scan.at == '\\')
                        r = scan_backslash(&scan, line, complaint);
                else if (*scan.at == ';' && after_blank)
                        break;
                else if (*scan.at == '#' && after_blank)
                        r = complain(complaint, "'#' starts a comment only at the start of a line; "
                                                "use ';' behind a value, or quotes if it belongs to the value");
                else
                        copy(&scan, false);
        }
        if (r < 0)
                return r;
        if (scan.quote)
                return complain(complaint, "the quote %c is not closed on this line", scan.quote);
        bool blanks = scan.out > scan.fixed && is_blank(scan.out[-1]);
        while (scan.out > scan.fixed && is_blank(scan.out[-1]))
                scan.out--;
        /* `word \` and a line below mean two words, as in a shell; libinih would cut the blank off. */
        if (blanks && line->joins_next && scan.out > out)
                *scan.out++ = encode(' ');
        *scan.out = '\0';
        return 0;
}

static int scan_section(const char *at, const char *end, struct ini_line *line, struct text *complaint)
{
        const char *name = at + 1, *close = memchr(at, ']', (size_t)(end - at));

        if (!close)
                return complain(complaint, "no ']' behind the section's name");
        size_t length = (size_t)(close - name);
        if (length == 0)
                return complain(complaint, "the section has no name; expected [preforkd] or the name of a pool");
        if (name_length(name, close) != length)
                return complain(complaint, "\"%.*s\" is not a name; expected letters, digits, '_', '-' and '.'",
                                (int)length, name);
        at = skip_blanks(close + 1, end);
        if (at < end && (*at != ';' || at == close + 1))
                return complain(complaint, "text behind ']'; expected nothing, or a comment that starts with ' ;'");
        int r = take_name(name, length, "section name", line, complaint);
        if (r == 0)
                snprintf(line->text, sizeof(line->text), "[%s]", line->name);
        return r;
}

/* Note the word before a `=`, whatever else may be wrong with the line. */
static void peek_key(const char *at, const char *end, struct ini_line *line)
{
        size_t length = name_length(at, end);
        const char *equals = skip_blanks(at + length, end);

        if (length <= INI_NAME_MAX && equals < end && *equals == '=')
                memcpy(line->name, at, length);
}

static int scan_key(const char *at, const char *end, struct ini_line *line, struct text *complaint)
{
        size_t length = name_length(at, end);
        const char *separator = skip_blanks(at + length, end);

        if (length > 0 && separator < end && *separator == ':')
                return complain(complaint, "':' does not separate a key from its value here; expected '%.*s = ...'",
                                (int)length, at);
        if (length == 0 || separator == end || *separator != '=')
                return complain(complaint, "not a line of a configuration; "
                                           "expected 'key = value', '[section]' or a comment");
        int r = take_name(at, length, "key", line, complaint);
        if (r < 0)
                return r;
        int written = snprintf(line->text, sizeof(line->text), "%s=", line->name);
        const char *value = skip_blanks(separator + 1, end);
        return scan_value(value, end, line->text + written, line, complaint);
}

static int scan_continuation(const char *at, const char *end, struct ini_line *line, struct text *complaint)
{
        line->text[0] = ' '; /* what tells libinih that the value goes on */
        int r = scan_value(at, end, line->text + 1, line, complaint);
        if (r < 0)
                return r;
        size_t text_length = strlen(line->text);
        line->bracketed = line->text[1] == '[' && line->text[text_length - 1] == ']';
        return text_length > 1 ? 0 : complain(complaint, "nothing before the backslash");
}

/* Refuse bytes that belong into no text. Comments may be in any character set. */
static int check_bytes(const char *bytes, size_t length, bool comment, struct text *complaint)
{
        for (size_t at = 0; at < length; at++) {
                at += text_printable_length(bytes + at, length - at);
                unsigned char byte = at < length ? (unsigned char)bytes[at] : ' ';
                if (byte < 0x20 || byte == 0x7f)
                        return complain(complaint, "byte %zu is a control character (0x%02x)", at + 1, byte);
                if (at < length && !comment)
                        return complain(complaint, "byte %zu (0x%02x) is not UTF-8 text", at + 1, byte);
        }
        return 0;
}

int ini_line_scan(const char *bytes, size_t length, struct ini_line *ret, struct text *complaint)
{
        const char *end = bytes + length, *at = skip_blanks(bytes, end);

        *ret = (struct ini_line){.kind = INI_LINE_BLANK};
        if (at == end)
                return 0;
        if (*at == '#' || *at == ';')
                ret->kind = INI_LINE_COMMENT;
        else if (at > bytes)
                ret->kind = INI_LINE_CONTINUATION;
        else
                ret->kind = *at == '[' ? INI_LINE_SECTION : INI_LINE_KEY;
        if (ret->kind == INI_LINE_KEY || ret->kind == INI_LINE_CONTINUATION)
                peek_key(at, end, ret);

        int r = check_bytes(bytes, length, ret->kind == INI_LINE_COMMENT, complaint);
        if (r < 0 || ret->kind == INI_LINE_COMMENT)
                return r;
        if (length > INI_LINE_MAX)
                return complain(complaint, "a line of %zu bytes; at most %d fit (a value goes on in indented lines "
                                           "below)", length, INI_LINE_MAX);
        if (ret->kind == INI_LINE_SECTION)
                return scan_section(at, end, ret, complaint);
        return ret->kind == INI_LINE_KEY ? scan_key(at, end, ret, complaint)
                                         : scan_continuation(at, end, ret, complaint);
}
