/* The pool's gate in the process of a program: the memory that describes it, and what is done about a refusal. As
 * worker/admission, without libc.
 *
 * Called by preload/template and preload/service_wait for copies of a stopped program, and by preload/accounting for
 * programs that accept themselves. */
#pragma once

#include <stddef.h>

#include "lib/gate.h"

/* Map the memory of a gate. It stays, and so does the descriptor. 0 with *ret and how many bytes it has; -EPROTO: it is
 * not whole; -errno of mmap(2). */
int admission_map(int fd, struct gate *ret, size_t *ret_bytes);

/* Log a refusal, as often as that is due, and end its connection. */
void admission_refuse(const struct gate *gate, struct request_desk *desk, const struct gate_refusal *refusal,
                      struct lingering *lingering);
