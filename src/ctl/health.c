#include "ctl/health.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "document/status_document.h"

static bool serves_nobody(const struct status_pool *pool)
{
        const struct status_counts *counts = &pool->counts;

        return pool->state == STATUS_POOL_NOT_LISTENING || pool->state == STATUS_POOL_CLOSING ||
               (pool->state == STATUS_POOL_BACKING_OFF &&
                counts->idle + counts->busy + counts->unwatched + counts->detached == 0);
}

/* A pool that a reload has removed is nobody's business while it closes, unless somebody asks for it by its name, and
 * there is no other of that name. */
static bool is_counted(const struct status *status, size_t index, bool named)
{
        return status->pools[index].state != STATUS_POOL_CLOSING || (named && !status_pool_is_shadowed(status, index));
}

/* Append one line: "healthy: 2 pools", or "unhealthy: " and why. True if it is healthy. */
static bool judge(const struct status *status, bool named, struct text *text)
{
        bool is_healthy = true;
        size_t count = 0;

        if (text_equal(status->state, "starting") || text_equal(status->state, "stopping")) {
                text_appendf(text, "unhealthy: preforkd is %s\n", status->state);
                return false;
        }
        for (size_t i = 0; i < status->pool_count; i++) {
                const struct status_pool *pool = &status->pools[i];
                bool counts = is_counted(status, i, named);
                count += counts;
                if (!counts || !serves_nobody(pool))
                        continue;
                text_appendf(text, "%s%s: %s", is_healthy ? "unhealthy: pool " : ", pool ", pool->name,
                             status_pool_state_name(pool->state));
                is_healthy = false;
        }
        if (is_healthy)
                text_appendf(text, "healthy: %zu pool%s", count, count == 1 ? "" : "s");
        text_append(text, "\n");
        return is_healthy;
}

/* The same about the reply to `status`. */
static bool judge_reply(const struct ctl_reply *reply, bool named, struct text *text)
{
        _cleanup_(status_clear) struct status status = {0};

        if (reply->exit_code != CTL_EXIT_OK) {
                text_appendf(text, "unhealthy: %s\n", text_string(&reply->message));
                return false;
        }
        int r = status_document_read(reply->document, &status);
        if (r == 0)
                return judge(&status, named, text);
        text_appendf(text, "unhealthy: %s\n", strerror(-r));
        return false;
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
        bool is_healthy = judge_reply(&reply, pool != NULL, &text);
        ctl_reply_clear(&reply);
        enum ctl_exit printed = ctl_output(text_string(&text), NULL);
        return is_healthy ? printed : CTL_EXIT_FAILURE;
}
