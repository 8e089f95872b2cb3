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
        CTL_EXIT_NOT_RUNNING = 3, /* or it does not answer */
        CTL_EXIT_PERMISSION = 4
};

/* How long a reply is waited for. Before a reload or an upgrade preforkd itself may take ten seconds to read the
 * configuration, or to ask the next program. */
#define CTL_PATIENCE_MS 10000
#define CTL_PATIENCE_RELOAD_MS 20000

struct ctl_reply {
        enum ctl_exit exit_code;
        json_t *document;    /* NULL: there is none */
        struct text bytes;   /* the document, unchanged */
        struct text message; /* one sentence about a failure */
};

/* Send a request to the socket at `path` and read the reply, waiting at most `patience_ms` in all. Free the reply with
 * ctl_reply_clear() in any case. */
struct ctl_reply ctl_ask(const char *path, const struct words *request, unsigned patience_ms);

void ctl_reply_clear(struct ctl_reply *reply);
