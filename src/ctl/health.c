#include "ctl/health.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/format.h"
#include "ctl/output.h"

static bool serves_nobody(const json_t *pool)
{
        const char *state = ctl_string(pool, "state");
        uint64_t able = ctl_number(pool, "counts.idle") + ctl_number(pool, "counts.busy") +
                        ctl_number(pool, "counts.unwatched") + ctl_number(pool, "counts.detached");

        return text_equal(state, "not listening") || (text_equal(state, "backing off") && able == 0);
}

bool ctl_health_judge(const json_t *document, struct text *text)
{
        const json_t *pools = ctl_at(document, "pools"), *pool;
        size_t index, count = json_array_size(pools), start = text->length;
        bool is_healthy = true;
        int r = 0;

        if (text_equal(ctl_string(document, "master.state"), "starting")) {
                text_append(text, "unhealthy: preforkd is starting\n");
                return false;
        }
        json_array_foreach (pools, index, pool) {
                if (!serves_nobody(pool) || r < 0)
                        continue;
                r = text_appendf(text, "%s%s: %s", is_healthy ? "unhealthy: pool " : ", pool ",
                                 ctl_string(pool, "name"), ctl_string(pool, "state"));
                is_healthy = false;
        }
        if (is_healthy) {
                text->length = start;
                text_appendf(text, "healthy: %zu pool%s", count, count == 1 ? "" : "s");
        }
        text_append(text, "\n");
        return is_healthy;
}

enum ctl_exit ctl_health_run(const char *socket_path, const char *pool, unsigned patience_ms)
{
        _cleanup_(words_clear) struct words request = {0};
        _cleanup_(text_clear) struct text text = {0};

        int r = words_add(&request, "status");
        if (r == 0 && pool)
                r = words_add(&request, pool);
        if (r < 0) {
                fprintf(stderr, "preforkctl: %s\n", strerror(-r));
                return CTL_EXIT_FAILURE;
        }
        struct ctl_reply reply = ctl_ask(socket_path, &request, patience_ms);
        bool is_healthy = false;
        if (reply.exit_code == CTL_EXIT_OK)
                is_healthy = ctl_health_judge(reply.document, &text);
        else
                text_appendf(&text, "unhealthy: %s\n", text_string(&reply.message));
        ctl_reply_clear(&reply);
        enum ctl_exit printed = ctl_output(text_string(&text), NULL);
        return is_healthy ? printed : CTL_EXIT_FAILURE;
}
