/* Writes a log process to the hand-over document and reads it. The pipe goes on with what is in it; the process stays
 * the child that it is, until log_process_begin() lets the next one take its place. */
#pragma once

#include "master/log/log_process.h"
#include "master/state/state_file.h"

/* A new reference, or NULL if memory is short. */
json_t *log_state_write(const struct log_process *process, struct state_file *file);

/* `value` NULL: there was none, and there is one from log_process_begin() on. 0, -EPROTO, -ENOMEM, -EMFILE. Without
 * effect outside this process. */
int log_state_read(struct log_process_setup *setup, const char *path, struct state_file *file, const json_t *value,
                   struct log_process **ret);
