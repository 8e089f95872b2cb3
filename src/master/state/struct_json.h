/* Members of a structure as members of a JSON object, both ways, by one table.
 *
 * What a master hands over to its successor (master/handover) is mostly numbers that stand in its structures; a table
 * names each of them once. The name of a member is its name in the document, so that renaming one is a change of the
 * format: the old name goes on being written and read for as long as going back to an older program is to work. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum field_kind { FIELD_BOOL, FIELD_SIGNED, FIELD_UNSIGNED };

struct field {
        const char *name;
        enum field_kind kind;
        size_t size;   /* of one, in bytes: 1, 4 or 8 */
        size_t offset; /* in the structure */
        size_t count;  /* 0: one number; else an array of so many */
};

#define FIELD_KIND_OF(value)                                                                                           \
        _Generic((value), bool: FIELD_BOOL, int: FIELD_SIGNED, unsigned: FIELD_UNSIGNED, unsigned long: FIELD_UNSIGNED, \
                 unsigned long long: FIELD_UNSIGNED)
#define FIELD_MEMBER(type, member) (((type *)NULL)->member)

/* A member, which may be one of a structure inside (`FIELD(struct pool, backoff.failures)`), or an array. */
#define FIELD(type, member)                                                                                            \
        {.name = #member, .kind = FIELD_KIND_OF(FIELD_MEMBER(type, member)), .size = sizeof(FIELD_MEMBER(type, member)), \
         .offset = offsetof(type, member)}
#define FIELD_ARRAY(type, member)                                                                                      \
        {.name = #member, .kind = FIELD_KIND_OF(FIELD_MEMBER(type, member)[0]),                                        \
         .size = sizeof(FIELD_MEMBER(type, member)[0]), .offset = offsetof(type, member),                              \
         .count = sizeof(FIELD_MEMBER(type, member)) / sizeof(FIELD_MEMBER(type, member)[0])}

/* Add the fields of the structure at `base` to `object`. Numbers above 2^63 - 1 are written as negative ones, which is what
 * JSON libraries can hold; of arrays the zeros at the end are left out. 0 or -ENOMEM. */
int struct_json_write(const struct field *fields, size_t count, const void *base, json_t *object);

/* Set the fields of the structure at `base` to what `object` says. What it does not mention is left alone, what is not in
 * the table is passed over, of arrays as much is taken as both have. 0; -EPROTO: a value that does not fit, which
 * `error` names; what came before it is set then. */
int struct_json_read(const struct field *fields, size_t count, const json_t *object, void *base, struct text *error);
