#include "logic/config/environment_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/config/peer_variables.h"
#include "logic/config/variables.h"

struct reader {
        const char *at, *end;
        unsigned line;
        const char *file;
        struct problem_list *problems;
};

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r';
}

static char peek(const struct reader *reader)
{
        return reader->at < reader->end ? *reader->at : '\n';
}

static char take(struct reader *reader)
{
        char c = peek(reader);

        if (reader->at < reader->end)
                reader->at++;
        reader->line += c == '\n';
        return c;
}

static void skip_line(struct reader *reader)
{
        while (reader->at < reader->end && take(reader) != '\n')
                ;
}

static void skip_blanks(struct reader *reader)
{
        while (reader->at < reader->end && is_blank(*reader->at))
                reader->at++;
}

/* After a backslash. In double quotes it is for some bytes only, and else stands for itself. A line that ends in one
 * goes on in the next. */
static int take_escaped(struct reader *reader, bool in_quotes, struct text *value)
{
        if (reader->at == reader->end)
                return 0;
        char c = take(reader);
        int r = 0;

        if (c == '\n')
                return 0;
        if (in_quotes && !strchr("\"\\$`", c))
                r = text_append(value, "\\");
        return r == 0 ? text_append_bytes(value, &c, 1) : r;
}

/* A quoted piece of a value; its first quote has been taken. 0; -EINVAL: it does not end; -ENOMEM. */
static int take_quoted(struct reader *reader, char quote, struct text *value)
{
        int r = 0;

        while (r == 0) {
                if (reader->at == reader->end)
                        return -EINVAL;
                char c = take(reader);
                if (c == quote)
                        return 0;
                r = c == '\\' && quote == '"' ? take_escaped(reader, true, value) : text_append_bytes(value, &c, 1);
        }
        return r;
}

/* The rest of a value, up to the end of its line; blanks at its end do not count. */
static int take_plain(struct reader *reader, struct text *value)
{
        size_t length = value->length; /* without blanks at the end */
        int r = 0;

        while (r == 0 && reader->at < reader->end && peek(reader) != '\n') {
                char c = take(reader);
                r = c == '\\' ? take_escaped(reader, false, value) : text_append_bytes(value, &c, 1);
                if (!is_blank(c))
                        length = value->length;
        }
        if (r == 0 && value->bytes)
                text_cut(value, length);
        return r;
}

/* Quoted pieces, and then the rest of the line. */
static int take_value(struct reader *reader, struct text *value)
{
        int r = 0;

        for (;;) {
                skip_blanks(reader);
                char c = peek(reader);
                if (r < 0 || c == '\n')
                        return r;
                if (c != '"' && c != '\'')
                        return take_plain(reader, value);
                take(reader);
                r = take_quoted(reader, c, value);
        }
}

/* What is wrong with the variable; NULL: nothing. */
static const char *find_fault(const char *variable, size_t length)
{
        if (peer_variables_contain(variable))
                return "is set by preforkd for every connection; expected another name";
        if (memchr(variable, '\n', length))
                return "has a value of several lines; expected one line";
        if (text_printable_length(variable, length) < length)
                return "has a value with control characters, or that is not UTF-8 text";
        return NULL;
}

/* `NAME=`, into the text. 0; -EINVAL: there is none; -ENOMEM. */
static int take_name(struct reader *reader, struct text *variable)
{
        size_t length = 0;

        while (reader->at + length < reader->end && reader->at[length] != '=' && reader->at[length] != '\n')
                length++;
        bool has_value = reader->at + length < reader->end && reader->at[length] == '=';
        int r = text_append_bytes(variable, reader->at, length);
        while (r == 0 && variable->length > 0 && is_blank(variable->bytes[variable->length - 1]))
                text_cut(variable, variable->length - 1);
        if (r < 0)
                return r;
        if (!has_value || variable->length == 0 || variables_name_length(text_string(variable)) != variable->length)
                return -EINVAL;
        reader->at += length + 1;
        return text_append(variable, "=");
}

static int take_variable(struct reader *reader, struct words *ret)
{
        _cleanup_(text_clear) struct text variable = {0};
        unsigned line = reader->line;

        int r = take_name(reader, &variable);
        if (r == -EINVAL) {
                problem_add(reader->problems, reader->file, line,
                            "no variable; expected NAME=VALUE, or # and a comment");
                skip_line(reader);
                return 0;
        }
        int name_length = (int)variable.length - 1;
        if (r == 0)
                r = take_value(reader, &variable);
        const char *fault = r == -EINVAL ? "has a quote that is not closed"
                            : r == 0     ? find_fault(text_string(&variable), variable.length)
                                         : NULL;
        if (fault) {
                problem_add(reader->problems, reader->file, line, "%.*s %s", name_length, text_string(&variable),
                            fault);
                return 0;
        }
        return r < 0 ? r : words_add(ret, text_string(&variable));
}

int environment_file_parse(const char *file, const char *bytes, size_t length, struct words *ret,
                           struct problem_list *problems)
{
        struct reader reader = {.at = bytes, .end = bytes + length, .line = 1, .file = file, .problems = problems};
        int r = 0;

        while (r == 0 && reader.at < reader.end) {
                char c = peek(&reader);
                if (is_blank(c) || c == '\n')
                        take(&reader);
                else if (c == '#' || c == ';')
                        skip_line(&reader);
                else
                        r = take_variable(&reader, ret);
        }
        return r;
}
