#include "master/state/struct_json.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

static bool is_number(const struct field *field)
{
        return field->kind <= FIELD_UNSIGNED;
}

static json_t *encode(const struct field *field, const char *at)
{
        uint64_t wide;
        uint32_t narrow;

        if (field->kind == FIELD_BOOL)
                return json_boolean(*(const bool *)(const void *)at);
        if (field->size == sizeof(wide)) {
                memcpy(&wide, at, sizeof(wide));
                return json_integer((json_int_t)wide);
        }
        assert(field->size == sizeof(narrow));
        memcpy(&narrow, at, sizeof(narrow));
        return json_integer(field->kind == FIELD_SIGNED ? (json_int_t)(int32_t)narrow : (json_int_t)narrow);
}

/* The length without trailing zeros, which are not written. */
static size_t used_length(const struct field *field, const char *at)
{
        size_t bytes = field->count * field->size;

        while (bytes > 0 && at[bytes - 1] == 0)
                bytes--;
        return (bytes + field->size - 1) / field->size;
}

static json_t *encode_array(const struct field *field, const char *at)
{
        json_t *array = json_array();

        for (size_t i = 0, length = used_length(field, at); array && i < length; i++)
                if (json_array_append_new(array, encode(field, at + i * field->size)) != 0) {
                        json_decref(array);
                        array = NULL;
                }
        return array;
}

int struct_json_write(const struct field *fields, size_t count, const void *base, json_t *object)
{
        for (size_t i = 0; i < count; i++) {
                const char *at = (const char *)base + fields[i].offset;
                if (!is_number(&fields[i]))
                        continue;
                json_t *value = fields[i].count > 0 ? encode_array(&fields[i], at) : encode(&fields[i], at);
                if (json_object_set_new(object, fields[i].name, value) != 0)
                        return -ENOMEM;
        }
        return 0;
}

static bool decode_number(const struct field *field, json_int_t number, char *at)
{
        uint64_t wide = (uint64_t)number;
        uint32_t narrow = (uint32_t)number;

        if (field->size == sizeof(wide)) {
                memcpy(at, &wide, sizeof(wide));
                return true;
        }
        bool fits = field->kind == FIELD_SIGNED ? number >= INT32_MIN && number <= INT32_MAX
                                                : number >= 0 && number <= (json_int_t)UINT32_MAX;
        if (fits)
                memcpy(at, &narrow, sizeof(narrow));
        return fits;
}

static bool decode(const struct field *field, const json_t *value, char *at)
{
        if (field->kind != FIELD_BOOL)
                return json_is_integer(value) && decode_number(field, json_integer_value(value), at);
        if (!json_is_boolean(value))
                return false;
        *(bool *)(void *)at = json_is_true(value);
        return true;
}

static bool decode_array(const struct field *field, const json_t *array, char *at)
{
        if (!json_is_array(array))
                return false;
        for (size_t i = 0; i < field->count && i < json_array_size(array); i++)
                if (!decode(field, json_array_get(array, i), at + i * field->size))
                        return false;
        return true;
}

int struct_json_read(const struct field *fields, size_t count, const json_t *object, void *base, struct text *error)
{
        for (size_t i = 0; i < count; i++) {
                const struct field *field = &fields[i];
                const json_t *value = is_number(field) ? json_object_get(object, field->name) : NULL;
                char *at = (char *)base + field->offset;
                if (!value || (field->count > 0 ? decode_array(field, value, at) : decode(field, value, at)))
                        continue;
                text_appendf(error, "%s: expected %s%s", field->name, field->count > 0 ? "a list of " : "",
                             field->kind == FIELD_BOOL ? "true or false" : "a number that fits");
                return -EPROTO;
        }
        return 0;
}
