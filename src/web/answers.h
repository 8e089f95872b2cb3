/* What the status server answers to which request: paths, formats, codes. It knows no socket but the link to the
 * master, and no library of HTTP.
 *
 * Called by web/server. What a client sends is text of any kind. */
#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "document/master_link.h"

struct web_request {
        const char *method, *path;
        const char *accept; /* NULL: no such header */
        bool lacks_host;    /* of HTTP/1.1 without a Host header */
        bool is_full;       /* ?full */
        bool is_json;       /* ?json */
        bool is_auto;       /* ?auto */
        const char *compat; /* ?compat=; NULL: none */
        const char *pool;   /* ?pool=; NULL: none */
};

struct web_answer {
        unsigned code;
        const char *type;   /* Content-Type */
        const char *policy; /* Content-Security-Policy; NULL: none */
        struct text body;
};

/* Answer. The body is the caller's, to be freed by text_clear(). 0; -ENOMEM: there is no answer. */
int web_answer(const struct web_request *request, struct master_link *link, struct web_answer *ret);
