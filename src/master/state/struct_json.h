/* Members of a structure as members of a JSON object, both ways, by one table.
 *
 * What a master hands over to its successor (see state_file.h) is mostly numbers that stand in its structures. The
 * table of a structure stands beside it and has a row for every member: one that is written under a name of the
 * document, which is given and not C's, so that a member can be renamed without a change of the format; one that a
 * function writes; or one that is not handed over, with the reason. tests/arch fails when a member has no row. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum field_kind { FIELD_BOOL, FIELD_SIGNED, FIELD_UNSIGNED, FIELD_WRITTEN, FIELD_DERIVED };

struct field {
        const char *name; /* in the document; FIELD_DERIVED: why it is not there */
        enum field_kind kind;
        size_t size;   /* of one, in bytes: 1, 4 or 8 */
        size_t offset; /* in the structure */
        size_t count;  /* 0: one number; else an array of so many */
};

#define FIELD_KIND_OF(value)                                                                                           \
        _Generic((value), bool                                                                                         \
                 : FIELD_BOOL, int                                                                                     \
                 : FIELD_SIGNED, unsigned                                                                              \
                 : FIELD_UNSIGNED, unsigned long                                                                       \
                 : FIELD_UNSIGNED, unsigned long long                                                                  \
                 : FIELD_UNSIGNED)
#define FIELD_MEMBER(type, member) (((type *)NULL)->member)

/* A number, which may be one of a structure inside (`FIELD(struct pool, backoff.failures, "failures")`); an array. */
#define FIELD(type, member, document_name)                                                                             \
        {                                                                                                              \
                .name = "" document_name, .kind = FIELD_KIND_OF(FIELD_MEMBER(type, member)),                           \
                .size = sizeof(FIELD_MEMBER(type, member)), .offset = offsetof(type, member)                           \
        }
#define FIELD_ARRAY(type, member, document_name)                                                                       \
        {                                                                                                              \
                .name = "" document_name, .kind = FIELD_KIND_OF(FIELD_MEMBER(type, member)[0]),                        \
                .size = sizeof(FIELD_MEMBER(type, member)[0]), .offset = offsetof(type, member),                       \
                .count = sizeof(FIELD_MEMBER(type, member)) / sizeof(FIELD_MEMBER(type, member)[0])                    \
        }

/* A member that a function beside the table writes, under that name: a word, a text, a descriptor, a list. */
#define WRITTEN(type, member, document_name)                                                                           \
        {                                                                                                              \
                .name = "" document_name, .kind = FIELD_WRITTEN, .offset = offsetof(type, member)                      \
        }

/* A member that is not handed over, and why: it is made anew, follows from others, or means nothing to the next. */
#define DERIVED(type, member, why)                                                                                     \
        {                                                                                                              \
                .name = "" why, .kind = FIELD_DERIVED, .offset = offsetof(type, member)                                \
        }

/* Add the fields of the structure at `base` to `object`; WRITTEN and DERIVED rows are passed over. Numbers above 2^63 -
 * 1 are written as negative ones, which is what JSON libraries can hold; of arrays the zeros at the end are left out. 0
 * or -ENOMEM. */
int struct_json_write(const struct field *fields, size_t count, const void *base, json_t *object);

/* Set the fields of the structure at `base` to what `object` says. What it does not mention is left alone, what is not
 * in the table is passed over, of arrays as much is taken as both have. 0; -EPROTO: a value that does not fit, which
 * `error` names; what came before it is set then. */
int struct_json_read(const struct field *fields, size_t count, const json_t *object, void *base, struct text *error);
