#include "logic/config/connection_line.h"

#include <errno.h>
#include <stdbool.h>

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

static int append_field(struct text *text, const struct piece *piece, const char *pool,
                        const struct connection_record *record)
{
        const struct connection_field *field = find(piece);
        size_t before = text->length;

        int r = field ? field->append(text, record) : text_append(text, pool);
        return r < 0 || text->length > before ? r : text_append(text, "-");
}

int connection_line_append(struct text *text, const char *format, const char *pool,
                           const struct connection_record *record)
{
        struct piece piece;
        int r = 0;

        for (const char *at = format; *at && r == 0 && next_piece(at, &piece); at += piece.taken)
                r = piece.is_field ? append_field(text, &piece, pool, record)
                                   : text_append_bytes(text, piece.begin, piece.length);
        return r;
}
