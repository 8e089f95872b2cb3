/* preforkctl's side of the control socket: one question, one document, and what a failure means to the exit code. */
#pragma once

#include <jansson.h>

#include "base/text.h"
#include "base/words.h"

/* Exit codes of preforkctl. */
enum ctl_exit { CTL_EXIT_OK = 0, CTL_EXIT_FAILURE = 1, CTL_EXIT_USAGE = 2, CTL_EXIT_NOT_RUNNING = 3,
                CTL_EXIT_PERMISSION = 4 };

/* Longer than preforkd takes to read a configuration. */
#define CTL_PATIENCE_SECONDS 30

struct ctl_reply {
        enum ctl_exit exit_code;
        json_t *document;   /* NULL: there is none */
        struct text bytes;  /* the document as it came */
        struct text message; /* of a failure: one sentence */
};

/* Ask the daemon behind the socket at `path`. Waits for at most `seconds` for each step. The reply is ended by
 * ctl_reply_clear(), whatever came of it. */
struct ctl_reply ctl_ask(const char *path, const struct words *request, unsigned seconds);

void ctl_reply_clear(struct ctl_reply *reply);
