/* Converts members of a structure to members of a JSON object and back, by one table.
 *
 * Most of what a master hands over (see state_file.h) is numbers in its structures. Beside each structure stands a
 * table with a row for every member: FIELD if the member is written under a document name, which is independent of the
 * C name, so that renaming a member does not change the format; WRITTEN if a function writes it; DERIVED if it is not
 * handed over, with the reason. tests/arch fails if a member has no row. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum field_kind { FIELD_BOOL, FIELD_SIGNED, FIELD_UNSIGNED, FIELD_WRITTEN, FIELD_DERIVED };

struct field {
        const char *name; /* in the document; FIELD_DERIVED: why it is not handed over */
        enum field_kind kind;
        size_t size;   /* of one number, in bytes: 1, 4 or 8 */
        size_t offset; /* in the structure */
        size_t count;  /* 0: one number; otherwise the length of the array */
};

#define FIELD_KIND_OF(value)                                                                                           \
        _Generic((value), bool                                                                                         \
                 : FIELD_BOOL, int                                                                                     \
                 : FIELD_SIGNED, unsigned                                                                              \
                 : FIELD_UNSIGNED, unsigned long                                                                       \
                 : FIELD_UNSIGNED, unsigned long long                                                                  \
                 : FIELD_UNSIGNED)
#define FIELD_MEMBER(type, member) (((type *)NULL)->member)

/* A number, which may be in a nested structure (`FIELD(struct pool, backoff.failures, "failures")`); an array of
 * numbers. */
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

/* A member that a function beside the table writes under that name: a word, a text, a descriptor, a list. */
#define WRITTEN(type, member, document_name)                                                                           \
        {                                                                                                              \
                .name = "" document_name, .kind = FIELD_WRITTEN, .offset = offsetof(type, member)                      \
        }

/* A member that is not handed over, and why: it is created anew, follows from others, or is of no use to the next
 * program. */
#define DERIVED(type, member, why)                                                                                     \
        {                                                                                                              \
                .name = "" why, .kind = FIELD_DERIVED, .offset = offsetof(type, member)                                \
        }

/* Add the fields of the structure at `base` to `object`; WRITTEN and DERIVED rows are skipped. Numbers above 2^63 - 1
 * are written as negative ones, because JSON libraries hold signed numbers. Trailing zeros of arrays are left out. 0 or
 * -ENOMEM. */
int struct_json_write(const struct field *fields, size_t count, const void *base, json_t *object);

/* Set the fields of the structure at `base` from `object`. Fields without a member keep their value, members without a
 * field are ignored, and of an array only the items that both have are set. 0; -EPROTO: a value does not fit, which
 * `error` names; the fields before it are set already. */
int struct_json_read(const struct field *fields, size_t count, const json_t *object, void *base, struct text *error);
