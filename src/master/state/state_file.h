/* The hand-over document: the form in which a master hands its state over to the program that replaces it in the same
 * process (see upgrade/handover). A JSON object in a memfd; descriptors are stored as their numbers.
 *
 * Every module writes and reads its own part (state_part.h) with the functions here. Writing: functions return a new
 * reference, or NULL if memory is short; `descriptors` collects what must stay open across exec(2). Reading: the first
 * error is put into `error`; a missing member leaves the value as it is, and an unknown member is ignored, so that an
 * older program can take over from a newer one. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"
#include "base/text.h"
#include "master/state/struct_json.h"

/* Raised only if an older program would misread a member it knows. New data goes into members with new names. */
#define STATE_FILE_FORMAT 1

struct state_file {
        json_t *root;
        int *descriptors; /* those listed in the document; reading: -1 once taken over */
        size_t descriptor_count;
        int *numbers;           /* reading: all those listed … */
        int *copies;            /* … and a copy of each for state_file_restore(); -1: there was no room for one */
        size_t next_descriptor; /* reading: the index at which the next search starts */
        struct text error;
        struct problem_list *problems; /* reading: a part may add warnings; borrowed */
};

/* Begin an empty document for writing. 0 or -ENOMEM. */
int state_file_new(struct state_file *ret);

/* Keep a descriptor open across exec(2). False: out of memory. */
bool state_file_keep(struct state_file *file, int fd);

/* A descriptor as a value; it is added to `descriptors` and stays open across exec(2). */
json_t *state_file_descriptor(struct state_file *file, int fd);

/* Any bytes as a JSON string, which state_file_read_bytes() decodes. */
json_t *state_file_bytes(const char *bytes, size_t length);
json_t *state_file_string(const char *string);

/* A new object with these fields of the structure at `base`. */
json_t *state_file_fields(const struct field *fields, size_t count, const void *base);

/* Add a member, or append an item. `value` is owned by the document from then on; NULL means out of memory. 0 or
 * -ENOMEM. */
int state_file_set(json_t *object, const char *name, json_t *value);
int state_file_append(json_t *array, json_t *value);

/* Return `value` if `r` is 0; otherwise release it and return NULL. */
json_t *state_file_finish(json_t *value, int r);

/* Write the document into a new memfd (O_CLOEXEC, owned by the caller). 0 or -errno. */
int state_file_save(struct state_file *file, int *ret_fd);

/* Read a document from the start of `fd`. Every descriptor it lists is made close-on-exec. 0; -EPROTO with an error: it
 * is not a document, or of an unknown format; -ENOMEM, -errno. */
int state_file_load(int fd, struct state_file *ret);

/* Set the error unless one is set already. Returns -EPROTO. */
int state_file_fail(struct state_file *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with the first error of `problems`. -EPROTO or -ENOMEM. */
int state_file_fail_with(struct state_file *file, const struct problem_list *problems);

/* The member of that name if it is an object, or an array; otherwise NULL, which the readers treat as empty.
 * Borrowed. */
const json_t *state_file_object(const json_t *object, const char *name);
const json_t *state_file_array(const json_t *object, const char *name);

/* Read the fields of the structure at `base`. 0 or -EPROTO. */
int state_file_read_fields(struct state_file *file, const struct field *fields, size_t count, const json_t *object,
                           void *base);

/* Take over the descriptor in member `name`: the caller owns it. 0; -EPROTO: it is missing, was not handed over, or was
 * taken over already. */
int state_file_take_descriptor(struct state_file *file, const json_t *object, const char *name, int *ret_fd);

/* Append the bytes of a string made by state_file_bytes(); nothing if the member is missing. 0, -EPROTO or -ENOMEM. */
int state_file_read_bytes(struct state_file *file, const json_t *object, const char *name, struct text *text);

/* The same for a string value; `name` is for the error. */
int state_file_read_value(struct state_file *file, const json_t *value, const char *name, struct text *text);

/* Read it as a new string, owned by the caller; it ends at the first NUL. A missing member is -EPROTO. */
int state_file_read_string(struct state_file *file, const json_t *object, const char *name, char **ret);

/* Read a string that must be one of `words`, and store its index. 0 or -EPROTO. */
int state_file_read_word(struct state_file *file, const json_t *object, const char *name, const char *const *words,
                         size_t count, unsigned *ret);

/* Undo all that was done to the descriptors of a document that was read: each is open under its number, and stays open
 * across exec(2). Who has taken them over must not be touched again. */
void state_file_restore(const struct state_file *file);

/* Close the descriptors that were not taken over, and free everything. */
void state_file_clear(struct state_file *file);

/* Free everything and leave the descriptors open: for a document that was written. */
void state_file_forget(struct state_file *file);
