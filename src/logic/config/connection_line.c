#include "logic/config/connection_line.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/connection_record.h"
#include "base/text.h"

#define POOL_FIELD "pool"

/* What the format begins with: text, or a field. */
struct piece {
        const char *begin;
        size_t length; /* of the text, or of the name */
        size_t taken;  /* of the format */
        bool is_field;
};

/* False: a brace without its counterpart. */
static bool next_piece(const char *at, struct piece *ret)
{
        size_t plain = strcspn(at, "{}");

        if (plain > 0) {
                *ret = (struct piece){.begin = at, .length = plain, .taken = plain};
                return true;
        }
        if (at[1] == at[0]) {
                *ret = (struct piece){.begin = at, .length = 1, .taken = 2};
                return true;
        }
        size_t name = at[0] == '{' ? strcspn(at + 1, "{}") : 0;
        *ret = (struct piece){.begin = at + 1, .length = name, .taken = name + 2, .is_field = true};
        return at[0] == '{' && at[1 + name] == '}';
}

static bool is_name(const struct piece *piece, const char *name)
{
        return strncmp(piece->begin, name, piece->length) == 0 && name[piece->length] == '\0';
}

static const struct connection_field *find(const struct piece *piece)
{
        const struct connection_field *field;

        for (size_t i = 0; (field = connection_record_field(i)); i++)
                if (is_name(piece, field->name))
                        break;
        return field;
}

static int refuse_field(const struct piece *piece, struct text *error)
{
        const struct connection_field *field;
        int r = text_append(error, "there is no field {");

        if (r == 0)
                r = text_append_excerpt(error, piece->begin, piece->length);
        if (r == 0)
                r = text_append(error, "}; expected {" POOL_FIELD "}");
        for (size_t i = 0; r == 0 && (field = connection_record_field(i)); i++)
                r = text_appendf(error, "%s{%s}", connection_record_field(i + 1) ? ", " : " or ", field->name);
        return r < 0 ? r : -EINVAL;
}

int connection_line_check(const char *format, struct text *error)
{
        struct piece piece;

        if (text_printable_length(format, strlen(format)) != strlen(format)) {
                int r = text_append(error, "it has bytes that are no text; expected one line of UTF-8");
                return r < 0 ? r : -EINVAL;
        }
        for (const char *at = format; *at; at += piece.taken) {
                if (!next_piece(at, &piece)) {
                        int r = text_append(error, "a brace without its counterpart; expected {NAME}, and {{ or }} for "
                                                   "a brace itself");
                        return r < 0 ? r : -EINVAL;
                }
                if (piece.is_field && !is_name(&piece, POOL_FIELD) && !find(&piece))
                        return refuse_field(&piece, error);
        }
        return 0;
}

int connection_line_read(struct connection_line *line, const char *format, const char *pool)
{
        struct piece piece;
        size_t count = 0;

        for (const char *at = format; *at && next_piece(at, &piece); at += piece.taken)
                count++;
        line->pieces = calloc(count + 1, sizeof(*line->pieces));
        if (!line->pieces)
                return -ENOMEM;
        for (const char *at = format; line->count < count && next_piece(at, &piece); at += piece.taken) {
                const struct connection_field *field = piece.is_field ? find(&piece) : NULL;
                bool is_pool = piece.is_field && !field;
                line->pieces[line->count++] =
                        (struct connection_line_piece){.text = field     ? NULL
                                                               : is_pool ? pool
                                                                         : piece.begin,
                                                       .length = is_pool ? strlen(pool) : piece.length,
                                                       .field = field};
        }
        return 0;
}

int connection_line_append(struct text *text, const struct connection_line *line,
                           const struct connection_record *record)
{
        int r = 0;

        for (size_t i = 0; i < line->count && r == 0; i++) {
                const struct connection_line_piece *piece = &line->pieces[i];
                size_t before = text->length;
                r = piece->text ? text_append_bytes(text, piece->text, piece->length)
                                : piece->field->append(text, record);
                if (r == 0 && !piece->text && text->length == before)
                        r = text_append(text, "-");
        }
        return r;
}

void connection_line_clear(struct connection_line *line)
{
        free(line->pieces);
        *line = (struct connection_line){0};
}
