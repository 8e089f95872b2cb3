/* The hand-over document: the form in which a master leaves its state to the program that takes its place in the same
 * process (see upgrade/handover). A JSON object in a memfd; descriptors are in it as their numbers.
 *
 * Every module writes and reads its own part (state_part.h), with the functions here. Writing: functions return a new
 * reference, or NULL for a lack of memory, and `descriptors` collects what must stay open across exec(2). Reading: what
 * is wrong is put into `error`, once; what is not mentioned is left as it is, and what is not known is passed over, so
 * that an older program can take over from a newer one. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/problem.h"
#include "base/text.h"
#include "master/state/struct_json.h"

/* Raised when an older program could misunderstand what it knows; what is new goes into members of new names. */
#define STATE_FILE_FORMAT 1

struct state_file {
        json_t *root;
        int *descriptors; /* those the document mentions; reading: -1 in place of one that was taken over */
        size_t descriptor_count;
        size_t next_descriptor; /* reading: where the next one is looked for first */
        struct text error;
        struct problem_list *problems; /* reading: where a part may leave warnings; borrowed */
};

/* Begin an empty one. 0 or -ENOMEM. */
int state_file_new(struct state_file *ret);

/* A descriptor that is to survive. */
json_t *state_file_descriptor(struct state_file *file, int fd);

/* Any bytes as a string, of which state_file_read_bytes() makes the same again. */
json_t *state_file_bytes(const char *bytes, size_t length);
json_t *state_file_string(const char *string);

/* A new object with these fields of the structure at `base`. */
json_t *state_file_fields(const struct field *fields, size_t count, const void *base);

/* Add a member; `value` is taken over and may be NULL (out of memory). 0 or -ENOMEM. */
int state_file_set(json_t *object, const char *name, json_t *value);
int state_file_append(json_t *array, json_t *value);

/* What has been made: the object or array if all went well (`r` is 0), else NULL, and it is gone. */
json_t *state_file_finish(json_t *value, int r);

/* Write it into a new memfd (O_CLOEXEC, owned by the caller). 0 or -errno. */
int state_file_save(struct state_file *file, int *ret_fd);

/* Read it from `fd`, from the start. Every descriptor it mentions is made close-on-exec. 0; -EPROTO with an error: it
 * is no document, or one of a format we do not know; -ENOMEM, -errno. */
int state_file_load(int fd, struct state_file *ret);

/* Put `what` into the error unless there is one already. Returns -EPROTO. */
int state_file_fail(struct state_file *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with the first of the errors. */
int state_file_fail_with(struct state_file *file, const struct problem_list *problems);

/* The member of that name, an object or an array; an empty one (borrowed, too) if there is none. */
const json_t *state_file_object(const json_t *object, const char *name);
const json_t *state_file_array(const json_t *object, const char *name);

/* Read fields. 0 or -EPROTO. */
int state_file_read_fields(struct state_file *file, const struct field *fields, size_t count, const json_t *object,
                           void *base);

/* Take the descriptor that `object` names over: it is the caller's from here on. 0; -EPROTO: it is missing, was not
 * handed over, or was taken already. */
int state_file_take_descriptor(struct state_file *file, const json_t *object, const char *name, int *ret_fd);

/* Append the bytes of a string that state_file_bytes() made; none if the member is missing. 0, -EPROTO or -ENOMEM. */
int state_file_read_bytes(struct state_file *file, const json_t *object, const char *name, struct text *text);

/* The same of a string itself; `name` is for the error. */
int state_file_read_value(struct state_file *file, const json_t *value, const char *name, struct text *text);

/* The same as a string of its own, for the caller to free; a missing one is refused. NUL ends it early. */
int state_file_read_string(struct state_file *file, const json_t *object, const char *name, char **ret);

/* Read one of `words`, and store its index. 0 or -EPROTO. */
int state_file_read_word(struct state_file *file, const json_t *object, const char *name, const char *const *words,
                         size_t count, unsigned *ret);

/* Close the descriptors that nobody has taken over, and free everything. */
void state_file_clear(struct state_file *file);

/* Free everything and leave the descriptors alone: of a document that was written. */
void state_file_forget(struct state_file *file);
