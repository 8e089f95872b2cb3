#include "ctl/metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "document/status_document.h"
#include "logic/status/metrics.h"

static const char usage[] = "preforkctl: expected: metrics [POOL] [--openmetrics]\nTry \"preforkctl help\".\n";

/* The request `status [POOL]`. 0; 1: wrong arguments; -ENOMEM. */
static int parse(const struct words *words, struct words *request, enum metrics_format *format)
{
        int r = words_add(request, "status");

        for (size_t i = 1; i < words->count && r == 0; i++) {
                if (text_equal(words->list[i], "--openmetrics"))
                        *format = METRICS_OPENMETRICS;
                else if (words->list[i][0] == '-' || request->count > 1)
                        return 1;
                else
                        r = words_add(request, words->list[i]);
        }
        return r;
}

static int render(const json_t *document, enum metrics_format format, struct text *text)
{
        _cleanup_(status_clear) struct status status = {0};
        int r = status_document_read(document, &status);

        return r == 0 ? metrics_render(&status, format, text) : r;
}

static int print(const struct ctl_reply *reply, enum metrics_format format)
{
        _cleanup_(text_clear) struct text text = {0};

        if (reply->exit_code != CTL_EXIT_OK) {
                fprintf(stderr, "preforkctl: %s\n", text_string(&reply->message));
                return (int)reply->exit_code;
        }
        int r = render(reply->document, format, &text);
        if (r == 0)
                return (int)ctl_output(text_string(&text), NULL);
        fprintf(stderr, "preforkctl: %s\n", strerror(-r));
        return CTL_EXIT_FAILURE;
}

int ctl_metrics_run(const char *socket_path, const struct words *words, unsigned patience_ms)
{
        enum metrics_format format = METRICS_TEXT;
        _cleanup_(words_clear) struct words request = {0};

        int r = parse(words, &request, &format);
        if (r != 0) {
                fputs(r > 0 ? usage : "preforkctl: out of memory\n", stderr);
                return r > 0 ? CTL_EXIT_USAGE : CTL_EXIT_FAILURE;
        }
        struct ctl_reply reply = ctl_ask(socket_path, &request, patience_ms);
        int exit_code = print(&reply, format);
        ctl_reply_clear(&reply);
        return exit_code;
}
