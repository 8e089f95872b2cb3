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
#include "base/secret.h"
#include "os/memory_file.h"

int state_file_new(struct state_file *ret)
{
        *ret = (struct state_file){.root = json_object()};
        return ret->root ? state_file_set(ret->root, "handover", json_integer(STATE_FILE_FORMAT)) : -ENOMEM;
}

bool state_file_keep(struct state_file *file, int fd)
{
        int *descriptors = realloc(file->descriptors, (file->descriptor_count + 1) * sizeof(*descriptors));

        if (!descriptors)
                return false;
        file->descriptors = descriptors;
        descriptors[file->descriptor_count++] = fd;
        return true;
}

json_t *state_file_descriptor(struct state_file *file, int fd)
{
        return state_file_keep(file, fd) ? json_integer(fd) : NULL;
}

/* JSON strings are Unicode: each byte becomes the character of that code (Latin-1). */
json_t *state_file_bytes(const char *bytes, size_t length)
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

json_t *state_file_string(const char *string)
{
        return state_file_bytes(string, strlen(string));
}

json_t *state_file_fields(const struct field *fields, size_t count, const void *base)
{
        json_t *object = json_object();

        return state_file_finish(object, object ? struct_json_write(fields, count, base, object) : 0);
}

int state_file_set(json_t *object, const char *name, json_t *value)
{
        return json_object_set_new(object, name, value) == 0 ? 0 : -ENOMEM;
}

int state_file_append(json_t *array, json_t *value)
{
        return json_array_append_new(array, value) == 0 ? 0 : -ENOMEM;
}

json_t *state_file_finish(json_t *value, int r)
{
        if (r == 0)
                return value;
        json_decref(value);
        return NULL;
}

static int set_descriptors(struct state_file *file)
{
        json_t *list = json_array();
        int r = state_file_set(file->root, "descriptors", list);

        for (size_t i = 0; i < file->descriptor_count && r == 0; i++)
                r = state_file_append(list, json_integer(file->descriptors[i]));
        return r;
}

int state_file_save(struct state_file *file, int *ret_fd)
{
        int r = set_descriptors(file);
        if (r < 0)
                return r;
        _cleanup_(wiped_freep) char *text = json_dumps(file->root, JSON_COMPACT);
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

int state_file_fail(struct state_file *file, const char *format, ...)
{
        va_list arguments;

        if (file->error.length > 0)
                return -EPROTO;
        va_start(arguments, format);
        text_appendv(&file->error, format, arguments);
        va_end(arguments);
        return -EPROTO;
}

int state_file_fail_with(struct state_file *file, const struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};

        for (size_t i = 0; i < problems->count; i++)
                if (!problems->items[i].warning) {
                        problem_format(&problems->items[i], &text);
                        return state_file_fail(file, "%s", text_string(&text));
                }
        return -ENOMEM; /* a list that refuses without an error had no memory to record one */
}

static int load_descriptors(struct state_file *file)
{
        const json_t *list = state_file_array(file->root, "descriptors");
        size_t count = json_array_size(list);

        file->descriptors = calloc(count + 1, sizeof(*file->descriptors));
        file->numbers = calloc(count + 1, sizeof(*file->numbers));
        file->copies = calloc(count + 1, sizeof(*file->copies));
        if (!file->descriptors || !file->numbers || !file->copies)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                json_int_t number = json_integer_value(json_array_get(list, i));
                /* Only a descriptor that survives exec(2) was handed over. If it is close-on-exec, it was listed
                 * before. */
                if (number <= STDERR_FILENO || number > INT_MAX || fcntl((int)number, F_GETFD) != 0 ||
                    fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
                        return state_file_fail(file, "descriptor %lld was not handed over", (long long)number);
                file->numbers[file->descriptor_count] = (int)number;
                file->copies[file->descriptor_count] = -1;
                file->descriptors[file->descriptor_count++] = (int)number;
        }
        /* When all are known: a copy must not get the number of one that was not handed over. */
        for (size_t i = 0; i < count; i++)
                file->copies[i] = fcntl(file->numbers[i], F_DUPFD_CLOEXEC, 0);
        return 0;
}

static int load_root(int fd, struct state_file *file)
{
        const char *bytes;
        size_t length;
        json_error_t error;

        int r = memory_file_map(fd, &bytes, &length);
        if (r < 0)
                return state_file_fail(file, "the state that is handed over cannot be read: %s", strerror(-r));
        file->root = json_loadb(bytes, length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
        memory_file_unmap(bytes, length);
        return file->root ? 0 : state_file_fail(file, "the state that is handed over cannot be read: %s", error.text);
}

int state_file_load(int fd, struct state_file *ret)
{
        *ret = (struct state_file){0};
        int r = load_root(fd, ret);
        if (r < 0)
                return r;
        json_int_t format = json_integer_value(json_object_get(ret->root, "handover"));
        if (format != STATE_FILE_FORMAT)
                return state_file_fail(ret, "the state handed over has format %lld; this program reads %d",
                                       (long long)format, STATE_FILE_FORMAT);
        return load_descriptors(ret);
}

static const json_t *member(const json_t *object, const char *name, json_type type)
{
        const json_t *found = json_object_get(object, name);

        /* jansson's functions treat NULL as empty. */
        return found && json_typeof(found) == type ? found : NULL;
}

const json_t *state_file_object(const json_t *object, const char *name)
{
        return member(object, name, JSON_OBJECT);
}

const json_t *state_file_array(const json_t *object, const char *name)
{
        return member(object, name, JSON_ARRAY);
}

int state_file_read_fields(struct state_file *file, const struct field *fields, size_t count, const json_t *object,
                           void *base)
{
        _cleanup_(text_clear) struct text error = {0};

        if (struct_json_read(fields, count, object, base, &error) == 0)
                return 0;
        return state_file_fail(file, "%s", text_string(&error));
}

int state_file_take_descriptor(struct state_file *file, const json_t *object, const char *name, int *ret_fd)
{
        const json_t *value = json_object_get(object, name);

        /* Descriptors are mostly read in the order in which they were written. */
        for (size_t i = 0; i < file->descriptor_count && json_is_integer(value); i++) {
                size_t at = (file->next_descriptor + i) % file->descriptor_count;
                if (file->descriptors[at] >= 0 && file->descriptors[at] == json_integer_value(value)) {
                        *ret_fd = TAKE_FD(file->descriptors[at]);
                        file->next_descriptor = at + 1;
                        return 0;
                }
        }
        return state_file_fail(file, "%s: expected a descriptor that was handed over", name);
}

int state_file_read_value(struct state_file *file, const json_t *value, const char *name, struct text *text)
{
        const unsigned char *at = (const unsigned char *)json_string_value(value);
        size_t length = json_string_length(value);

        for (size_t i = 0; i < length; i++) {
                char byte = (char)at[i];
                if (at[i] >= 0xc4) /* beyond U+00FF; UTF-8 uses two bytes from U+0080 on */
                        return state_file_fail(file, "%s: expected bytes", name);
                if (at[i] >= 0xc0)
                        byte = (char)((at[i] & 0x3) << 6 | (at[i + 1] & 0x3f));
                i += at[i] >= 0xc0;
                if (text_append_bytes(text, &byte, 1) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int state_file_read_bytes(struct state_file *file, const json_t *object, const char *name, struct text *text)
{
        return state_file_read_value(file, json_object_get(object, name), name, text);
}

int state_file_read_string(struct state_file *file, const json_t *object, const char *name, char **ret)
{
        _cleanup_(text_clear) struct text text = {0};

        if (!json_is_string(json_object_get(object, name)))
                return state_file_fail(file, "%s: expected text", name);
        int r = state_file_read_bytes(file, object, name, &text);
        if (r < 0)
                return r;
        *ret = strdup(text_string(&text));
        return *ret ? 0 : -ENOMEM;
}

int state_file_read_word(struct state_file *file, const json_t *object, const char *name, const char *const *words,
                         size_t count, unsigned *ret)
{
        const char *value = json_string_value(json_object_get(object, name));

        for (size_t i = 0; i < count && value; i++)
                if (text_equal(words[i], value)) {
                        *ret = (unsigned)i;
                        return 0;
                }
        return state_file_fail(file, "%s: \"%s\" is not known", name, value ? value : "");
}

void state_file_restore(const struct state_file *file)
{
        for (size_t i = 0; i < file->descriptor_count; i++)
                if (file->copies[i] < 0 || dup2(file->copies[i], file->numbers[i]) < 0)
                        fcntl(file->numbers[i], F_SETFD, 0);
}

void state_file_forget(struct state_file *file)
{
        for (size_t i = 0; file->copies && i < file->descriptor_count; i++)
                fd_closep(&file->copies[i]);
        json_decref(file->root);
        free(file->descriptors);
        free(file->numbers);
        free(file->copies);
        text_clear(&file->error);
        *file = (struct state_file){0};
}

void state_file_clear(struct state_file *file)
{
        for (size_t i = 0; i < file->descriptor_count; i++)
                fd_closep(&file->descriptors[i]);
        state_file_forget(file);
}
