#include "lib/touch_refusal.h"

#include "base/cleanup.h"
#include "lib/line.h"

#define FD_SHIFT 8
_Static_assert(TOUCH_REFUSALS <= 1 << FD_SHIFT, "a refusal and a descriptor are apart");

static const char *const texts[] = {
        [TOUCH_FINE] = "it can be copied",
        [TOUCH_THREADS] = "it has threads",
        [TOUCH_CHILDREN] = "it has children that it has not waited for",
        [TOUCH_USED_BY_CHILD] = "a child has used the connection",
        [TOUCH_FILTER] = "it has installed a filter of system calls, or Landlock rules",
        [TOUCH_RINGS] = "it uses asynchronous I/O",
        [TOUCH_LOCKS] = "it holds locks on files",
        [TOUCH_TEMPORARY_FILE] = "it writes to a file that has no name",
        [TOUCH_CLOSED_FILE] = "it has a file open that cannot be opened again",
        [TOUCH_SHARED_OBJECT] = "it has something open that all copies would share",
        [TOUCH_TOO_MANY] = "it has too many open files or timers",
        [TOUCH_PIPE] = "it has a pipe open that all copies would share",
        [TOUCH_CONNECTION] = "it has a connection open that all copies would share",
        [TOUCH_LISTENER] = "it has a listener of its own open, which all copies would share",
        [TOUCH_TIMER] = "it has a timer open that all copies would share",
};
_Static_assert(ELEMENTS(texts) == TOUCH_REFUSALS, "each refusal has a text");

uint32_t touch_refusal_pack(enum touch_refusal refusal, int fd)
{
        return (uint32_t)refusal | (fd > 0 ? (uint32_t)fd << FD_SHIFT : 0);
}

enum touch_refusal touch_refusal_unpack(uint32_t packed)
{
        return (enum touch_refusal)(packed & ((1U << FD_SHIFT) - 1));
}

const char *touch_refusal_describe(uint32_t packed, char buffer[static TOUCH_REFUSAL_BYTES])
{
        enum touch_refusal refusal = touch_refusal_unpack(packed);
        struct line line = line_begin(buffer, TOUCH_REFUSAL_BYTES);

        line_add(&line, refusal < TOUCH_REFUSALS ? texts[refusal] : "an unknown reason");
        if (packed >> FD_SHIFT > 0) {
                line_add(&line, ": descriptor ");
                line_add_number(&line, packed >> FD_SHIFT);
        }
        return buffer;
}
