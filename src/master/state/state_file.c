#include "master/state/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/memory_file.h"

int document_new(struct document *ret)
{
        *ret = (struct document){.root = json_object()};
        return ret->root ? document_set(ret->root, "handover", json_integer(DOCUMENT_FORMAT)) : -ENOMEM;
}

json_t *document_descriptor(struct document *document, int fd)
{
        int *descriptors = realloc(document->descriptors, (document->descriptor_count + 1) * sizeof(*descriptors));

        if (!descriptors)
                return NULL;
        document->descriptors = descriptors;
        descriptors[document->descriptor_count++] = fd;
        return json_integer(fd);
}

/* JSON strings are Unicode: each byte goes as the character of its number. */
json_t *document_bytes(const char *bytes, size_t length)
{
        _cleanup_(text_clear) struct text text = {0};

        for (size_t i = 0; i < length; i++) {
                unsigned char byte = (unsigned char)bytes[i];
                const char wide[] = {(char)(0xc0 | byte >> 6), (char)(0x80 | (byte & 0x3f))};
                if ((byte < 0x80 ? text_append_bytes(&text, &bytes[i], 1) : text_append_bytes(&text, wide, 2)) < 0)
                        return NULL;
        }
        return json_stringn(text_string(&text), text.length);
}

json_t *document_string(const char *string)
{
        return document_bytes(string, strlen(string));
}

json_t *document_fields(const struct field *fields, size_t count, const void *base)
{
        json_t *object = json_object();

        return document_finish(object, object ? fields_write(fields, count, base, object) : 0);
}

int document_set(json_t *object, const char *name, json_t *value)
{
        return json_object_set_new(object, name, value) == 0 ? 0 : -ENOMEM;
}

int document_append(json_t *array, json_t *value)
{
        return json_array_append_new(array, value) == 0 ? 0 : -ENOMEM;
}

json_t *document_finish(json_t *value, int r)
{
        if (r == 0)
                return value;
        json_decref(value);
        return NULL;
}

static int set_descriptors(struct document *document)
{
        json_t *list = json_array();
        int r = document_set(document->root, "descriptors", list);

        for (size_t i = 0; i < document->descriptor_count && r == 0; i++)
                r = document_append(list, json_integer(document->descriptors[i]));
        return r;
}

int document_save(struct document *document, int *ret_fd)
{
        int r = set_descriptors(document);
        if (r < 0)
                return r;
        _cleanup_(freep) char *text = json_dumps(document->root, JSON_COMPACT);
        _cleanup_(fd_closep) int fd = -1;
        if (!text)
                return -ENOMEM;
        r = memory_file_open("preforkd:handover", &fd);
        if (r == 0)
                r = memory_file_write(fd, text, strlen(text));
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

int document_complain(struct document *document, const char *format, ...)
{
        va_list arguments;

        if (document->complaint.length > 0)
                return -EPROTO;
        va_start(arguments, format);
        text_appendv(&document->complaint, format, arguments);
        va_end(arguments);
        return -EPROTO;
}

int document_complain_of(struct document *document, const struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};

        for (size_t i = 0; i < problems->count; i++)
                if (!problems->items[i].warning) {
                        problem_format(&problems->items[i], &text);
                        return document_complain(document, "%s", text_string(&text));
                }
        return -ENOMEM; /* they refuse without an error only if there was no memory to say it */
}

static int load_descriptors(struct document *document)
{
        const json_t *list = document_array(document->root, "descriptors");
        size_t count = json_array_size(list);

        document->descriptors = calloc(count + 1, sizeof(*document->descriptors));
        if (!document->descriptors)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                json_int_t number = json_integer_value(json_array_get(list, i));
                /* Handed over is what was left open on purpose; one that is closed on execution has been mentioned before. */
                if (number <= STDERR_FILENO || number > INT_MAX || fcntl((int)number, F_GETFD) != 0 ||
                    fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
                        return document_complain(document, "descriptor %lld was not handed over", (long long)number);
                document->descriptors[document->descriptor_count++] = (int)number;
        }
        return 0;
}

static int load_root(int fd, struct document *document)
{
        const char *bytes;
        size_t length;
        json_error_t error;

        int r = memory_file_map(fd, &bytes, &length);
        if (r < 0)
                return document_complain(document, "the state that is handed over cannot be read: %s", strerror(-r));
        document->root = json_loadb(bytes, length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
        memory_file_unmap(bytes, length);
        return document->root ? 0
                              : document_complain(document, "the state that is handed over cannot be read: %s", error.text);
}

int document_load(int fd, struct document *ret)
{
        *ret = (struct document){0};
        int r = load_root(fd, ret);
        if (r < 0)
                return r;
        json_int_t format = json_integer_value(json_object_get(ret->root, "handover"));
        if (format != DOCUMENT_FORMAT)
                return document_complain(ret, "the state is handed over in format %lld, and %d is known", (long long)format,
                                         DOCUMENT_FORMAT);
        return load_descriptors(ret);
}

static const json_t *member(const json_t *object, const char *name, json_type type)
{
        const json_t *found = json_object_get(object, name);

        /* The functions of the library take NULL for an empty one. */
        return found && json_typeof(found) == type ? found : NULL;
}

const json_t *document_object(const json_t *object, const char *name)
{
        return member(object, name, JSON_OBJECT);
}

const json_t *document_array(const json_t *object, const char *name)
{
        return member(object, name, JSON_ARRAY);
}

int document_read_fields(struct document *document, const struct field *fields, size_t count, const json_t *object,
                         void *base)
{
        _cleanup_(text_clear) struct text complaint = {0};

        if (fields_read(fields, count, object, base, &complaint) == 0)
                return 0;
        return document_complain(document, "%s", text_string(&complaint));
}

int document_take_descriptor(struct document *document, const json_t *object, const char *name, int *ret_fd)
{
        const json_t *value = json_object_get(object, name);

        /* They are mostly read in the order in which they were written. */
        for (size_t i = 0; i < document->descriptor_count && json_is_integer(value); i++) {
                size_t at = (document->next_descriptor + i) % document->descriptor_count;
                if (document->descriptors[at] >= 0 && document->descriptors[at] == json_integer_value(value)) {
                        *ret_fd = TAKE_FD(document->descriptors[at]);
                        document->next_descriptor = at + 1;
                        return 0;
                }
        }
        return document_complain(document, "%s: expected a descriptor that was handed over", name);
}

int document_read_bytes(struct document *document, const json_t *object, const char *name, struct text *text)
{
        const json_t *value = json_object_get(object, name);
        const unsigned char *at = (const unsigned char *)json_string_value(value);
        size_t length = json_string_length(value);

        for (size_t i = 0; i < length; i++) {
                char byte = (char)at[i];
                if (at[i] >= 0xc4) /* a character beyond U+00FF; two bytes stand for every one from U+0080 on */
                        return document_complain(document, "%s: expected bytes", name);
                if (at[i] >= 0xc0)
                        byte = (char)((at[i] & 0x3) << 6 | (at[i + 1] & 0x3f));
                i += at[i] >= 0xc0;
                if (text_append_bytes(text, &byte, 1) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int document_read_string(struct document *document, const json_t *object, const char *name, char **ret)
{
        _cleanup_(text_clear) struct text text = {0};

        if (!json_is_string(json_object_get(object, name)))
                return document_complain(document, "%s: expected text", name);
        int r = document_read_bytes(document, object, name, &text);
        if (r < 0)
                return r;
        *ret = strdup(text_string(&text));
        return *ret ? 0 : -ENOMEM;
}

int document_read_word(struct document *document, const json_t *object, const char *name, const char *const *words,
                       size_t count, unsigned *ret)
{
        const char *value = json_string_value(json_object_get(object, name));

        for (size_t i = 0; i < count && value; i++)
                if (text_equal(words[i], value)) {
                        *ret = (unsigned)i;
                        return 0;
                }
        return document_complain(document, "%s: \"%s\" is not known", name, value ? value : "");
}

void document_forget(struct document *document)
{
        json_decref(document->root);
        free(document->descriptors);
        text_clear(&document->complaint);
        *document = (struct document){0};
}

void document_clear(struct document *document)
{
        for (size_t i = 0; i < document->descriptor_count; i++)
                fd_closep(&document->descriptors[i]);
        document_forget(document);
}
