#include "logic/import/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/words.h"

#define BLANKS " \t\r\v\f"

char *import_trim(char *string)
{
        string += strspn(string, BLANKS);
        size_t length = strlen(string);
        while (length > 0 && strchr(BLANKS, string[length - 1]))
                length--;
        string[length] = '\0';
        return string;
}

char *import_word(char **rest)
{
        char *word = *rest + strspn(*rest, BLANKS);
        char *end = word + strcspn(word, BLANKS);

        *rest = end + strspn(end, BLANKS);
        if (*end != '\0')
                *end = '\0';
        return word;
}

int import_split(const char *string, struct words *ret)
{
        _cleanup_(freep) char *copy = strdup(string);
        char *rest = copy;
        int r = copy ? 0 : -ENOMEM;

        for (const char *word; r == 0 && *(word = import_word(&rest)) != '\0';)
                r = words_add(ret, word);
        return r;
}

/* Append the next line of the file. */
static bool read_line(struct import_lines *lines)
{
        const char *start = lines->source->bytes + lines->at;
        size_t left = lines->source->length - lines->at;

        if (left == 0)
                return false;
        const char *end = memchr(start, '\n', left);
        size_t length = end ? (size_t)(end - start) : left;
        const char *nul = memchr(start, '\0', length);
        lines->at += length + (end ? 1 : 0);
        lines->next_number++;
        lines->out_of_memory = text_append_bytes(&lines->text, start, nul ? (size_t)(nul - start) : length) < 0;
        return !lines->out_of_memory;
}

static bool next_is_folded(const struct import_lines *lines)
{
        const char *start = lines->source->bytes + lines->at;

        return lines->at < lines->source->length && (*start == ' ' || *start == '\t') && lines->text.length > 0 &&
               lines->text.bytes[0] != '#';
}

char *import_lines_next(struct import_lines *lines, const char *marks)
{
        for (;;) {
                lines->number = lines->next_number + 1;
                text_truncate(&lines->text);
                if (!read_line(lines))
                        return NULL;
                while (lines->joins && lines->text.length > 0 && lines->text.bytes[lines->text.length - 1] == '\\') {
                        lines->text.bytes[lines->text.length - 1] = ' ';
                        if (!read_line(lines))
                                break;
                }
                while (lines->folds && next_is_folded(lines))
                        if (text_append(&lines->text, " ") < 0 || !read_line(lines))
                                break;
                if (lines->out_of_memory)
                        return NULL;
                char *line = lines->text.bytes ? import_trim(lines->text.bytes) : NULL;
                if (line && line[0] != '\0' && !strchr(marks, line[0]))
                        return line;
        }
}

void import_lines_clear(struct import_lines *lines)
{
        text_clear(&lines->text);
}

/* True if the line of services(5), `name port/protocol alias…`, is about the service. */
static bool is_service(char *line, const char *name, const char *protocol, unsigned *ret_port)
{
        line[strcspn(line, "#")] = '\0';
        char *rest = line;
        const char *word = import_word(&rest);
        char *port = import_word(&rest), *slash = strchr(port, '/');
        bool found = text_equal(word, name);
        uint64_t number;

        if (!slash)
                return false;
        *slash = '\0';
        while (!found && *rest != '\0')
                found = text_equal(import_word(&rest), name);
        if (!found || !text_equal(slash + 1, protocol) || number_parse(port, &number) < 0 || number > 65535)
                return false;
        *ret_port = (unsigned)number;
        return true;
}

unsigned import_port(const struct import_source *services, const char *name, const char *protocol)
{
        struct import_lines lines = {.source = services};
        uint64_t number;
        unsigned port = 0;

        if (number_parse(name, &number) == 0)
                return number <= 65535 ? (unsigned)number : 0;
        for (char *line; port == 0 && (line = import_lines_next(&lines, "#"));)
                if (!is_service(line, name, protocol, &port))
                        port = 0;
        import_lines_clear(&lines);
        return port;
}
