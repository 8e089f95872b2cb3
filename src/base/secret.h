/* Memory for what must not be found in other processes: the values of `environment`, and texts that contain them.
 *
 * A forked child has a copy of its parent's memory, and a worker may be taken over by whoever talks to it. So what
 * lasts is kept in a secret: a mapping of its own that children do not get, unless it is shared with the next of them.
 * What is on its way (a text that is parsed or printed, a document) is on the heap, is wiped before it is freed, and is
 * freed before the next worker is forked: struct text, struct words and JSON do so always, because whoever uses them
 * need not know what they contain. */
#pragma once

#include <stddef.h>

/* Make a secret of so many bytes, all zero, which only this process has: neither a child nor a core dump gets it. NULL:
 * out of memory. */
void *secret_new(size_t size);

/* Wipe and free it. NULL is fine. */
void secret_free(void *secret);
void secret_freep(void *secret);

/* Children that are forked from here on get the secret, until secret_unshare(). 0 or -errno; NULL is fine. */
int secret_share(const void *secret);
void secret_unshare(const void *secret);

/* As free(3) and realloc(3), for memory of malloc(3), but nothing is left in what is given back. errno is kept. */
void wiped_free(void *memory);
void wiped_freep(void *memory);
void *wiped_realloc(void *memory, size_t size);
