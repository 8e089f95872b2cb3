/* The client side of the control socket: one request, one document, and the exit code of a failure. Called by
 * ctl/preforkctl and ctl/top. */
#pragma once

#include <jansson.h>

#include "base/text.h"
#include "base/words.h"

/* Exit codes of preforkctl. */
enum ctl_exit {
        CTL_EXIT_OK = 0,
        CTL_EXIT_FAILURE = 1,
        CTL_EXIT_USAGE = 2,
        CTL_EXIT_NOT_RUNNING = 3,
        CTL_EXIT_PERMISSION = 4
};

/* More than preforkd needs to read a configuration. */
#define CTL_PATIENCE_SECONDS 30

struct ctl_reply {
        enum ctl_exit exit_code;
        json_t *document;    /* NULL: there is none */
        struct text bytes;   /* the document, unchanged */
        struct text message; /* one sentence about a failure */
};

/* Send a request to the socket at `path` and read the reply, waiting at most `seconds` in each step. Free the reply
 * with ctl_reply_clear() in any case. */
struct ctl_reply ctl_ask(const char *path, const struct words *request, unsigned seconds);

void ctl_reply_clear(struct ctl_reply *reply);
