/* What preforkd itself says to clients: bytes as they were written, with escapes, or those of a file. Pure.
 *
 * The child that reads a configuration reads the files (master/config/config_messages); the canonical form carries what
 * was in them. What must stay true: a message fits into the buffer of every new connection, so that nobody waits for
 * its client; what message_print() writes message_parse() reads, also as a word of base/words. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MESSAGE_MAX 4096

struct text;

struct message {
        char *path;  /* NULL: it was written as text */
        char *bytes; /* NULL: there is none, or the file has not been read */
        size_t length;
};

/* Read a text in quotes or without, or `@/path`. 0; -EINVAL: `error` says why, and *ret is left alone; -ENOMEM. */
int message_parse(const char *string, struct message *ret, struct text *error);

/* Append as message_parse() reads it: `@/path`, or the text. 0 or -ENOMEM. */
int message_print(const struct message *message, struct text *text);

/* The same of the bytes, if they are known; and take them, leaving `path`. Anything that is no text is left out. 0 or
 * -ENOMEM. */
int message_print_bytes(const struct message *message, struct text *text);
int message_take_bytes(struct message *message, const char *string);

/* Set the bytes, leaving `path`. 0 or -ENOMEM. */
int message_set_bytes(struct message *message, const char *bytes, size_t length);

/* The same place, and the same bytes. */
bool message_equal(const struct message *a, const struct message *b);

void message_clear(struct message *message);
