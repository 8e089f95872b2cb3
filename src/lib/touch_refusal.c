#include "lib/touch_refusal.h"

#include "base/cleanup.h"

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
        [TOUCH_SHARED_OBJECT] = "it has a pipe, a connection or a timer open that all copies would share",
        [TOUCH_TOO_MANY] = "it has too many open files or timers",
};
_Static_assert(ELEMENTS(texts) == TOUCH_REFUSALS, "each refusal has a text");

const char *touch_refusal_text(enum touch_refusal refusal)
{
        return refusal < TOUCH_REFUSALS ? texts[refusal] : "an unknown reason";
}
