#include "web/answers.h"

#include <errno.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "document/master_status.h"
#include "logic/protocol/http_accept.h"
#include "logic/status/metrics.h"
#include "web/dialects.h"
#include "web/page.h"
#include "web/page_files.h"

/* How long a client waits for the master, which answers in a millisecond unless something is wrong. */
#define PATIENCE_MS 2000

#define PLAIN "text/plain; charset=utf-8"

/* An answer of a line. */
static int say(struct web_answer *answer, unsigned code, const char *line)
{
        answer->code = code;
        answer->type = PLAIN;
        text_truncate(&answer->body);
        return text_appendf(&answer->body, "%s\n", line);
}

static int say_unavailable(struct web_answer *answer, int error)
{
        const char *why = error == -ETIMEDOUT ? "the master does not answer"
                          : error == -EPIPE   ? "the master has gone"
                                              : "the master cannot answer now";

        return say(answer, 503, why);
}

/* 0; 1: the document cannot be had, and that was said; -ENOMEM. */
static int got(int r, struct web_answer *answer)
{
        if (r == 0)
                return 0;
        r = say_unavailable(answer, r);
        return r < 0 ? r : 1;
}

/* The status as JSON and as the structure, which are the caller's; the result of got(). */
static int get_status_of(struct master_link *link, enum status_link_document which, struct web_answer *answer,
                         json_t **ret_json, struct status *ret)
{
        return got(master_status_get(link, which, PATIENCE_MS, ret_json, ret), answer);
}

static int get_status(struct master_link *link, struct web_answer *answer, json_t **ret_json, struct status *ret)
{
        return get_status_of(link, STATUS_LINK_STATUS, answer, ret_json, ret);
}

/* OpenMetrics for who asks for it by name. -1: the client takes neither. */
static int choose_format(const char *accept)
{
        bool open_named, text_named;
        unsigned open = http_accept_quality(accept, "application/openmetrics-text", "1.0.0", &open_named);
        unsigned text = http_accept_quality(accept, "text/plain", "0.0.4", &text_named);

        if (open == 0 && text == 0)
                return -1;
        return open > 0 && (text == 0 || (open_named && open >= text)) ? METRICS_OPENMETRICS : METRICS_TEXT;
}

/* The metrics of the php-fpm exporter, which are no OpenMetrics: its counters have no _total. */
static int answer_exporter(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        _cleanup_(json_decrefp) json_t *json = NULL;
        _cleanup_(status_clear) struct status status = {0};

        if (!text_equal(request->compat, "php-fpm"))
                return say(answer, 404, "there is compat=php-fpm");
        int r = get_status(link, answer, &json, &status);
        if (r != 0)
                return r < 0 ? r : 0;
        answer->type = metrics_content_type(METRICS_TEXT);
        return dialect_php_fpm_metrics(&status, &answer->body);
}

static int answer_metrics(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        _cleanup_(json_decrefp) json_t *json = NULL;
        _cleanup_(status_clear) struct status status = {0};
        int format = choose_format(request->accept);

        if (request->compat)
                return answer_exporter(request, link, answer);
        if (format < 0)
                return say(answer, 406, "there are application/openmetrics-text 1.0.0 and text/plain 0.0.4");
        int r = get_status(link, answer, &json, &status);
        if (r != 0)
                return r < 0 ? r : 0;
        answer->type = metrics_content_type((enum metrics_format)format);
        return metrics_render(&status, (enum metrics_format)format, &answer->body);
}

/* As php-fpm says it, of one pool. */
static int answer_php_fpm(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        _cleanup_(json_decrefp) json_t *json = NULL;
        _cleanup_(status_clear) struct status status = {0};

        int r = get_status(link, answer, &json, &status);
        if (r != 0)
                return r < 0 ? r : 0;
        const struct status_pool *pool = status_find_pool(&status, request->pool);
        if (!pool)
                return say(answer, 404, "there is no such pool");
        answer->type = "application/json";
        return dialect_php_fpm_json(&status, pool,
                                    json_array_get(json_object_get(json, "pools"), (size_t)(pool - status.pools)),
                                    &answer->body);
}

/* As Apache says it, of all pools or one. */
static int answer_apache(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        _cleanup_(json_decrefp) json_t *json = NULL;
        _cleanup_(status_clear) struct status status = {0};

        if (!request->is_auto)
                return say(answer, 404, "there is /server-status?auto");
        int r = get_status(link, answer, &json, &status);
        if (r != 0)
                return r < 0 ? r : 0;
        const struct status_pool *pool = request->pool ? status_find_pool(&status, request->pool) : NULL;
        if (request->pool && !pool)
                return say(answer, 404, "there is no such pool");
        answer->type = PLAIN;
        return dialect_apache(&status, pool, &answer->body);
}

static int answer_status(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        const char *bytes;
        size_t length;
        bool is_named;

        if (http_accept_quality(request->accept, "application/json", NULL, &is_named) == 0)
                return say(answer, 406, "there is application/json");
        if (request->is_json)
                return answer_php_fpm(request, link, answer);
        int r = master_link_get(link, request->is_full ? STATUS_LINK_WORKERS : STATUS_LINK_STATUS, PATIENCE_MS, &bytes,
                                &length);
        if (r < 0)
                return say_unavailable(answer, r);
        answer->type = "application/json";
        return text_append_bytes(&answer->body, bytes, length);
}

/* The master answers, so it lives. */
static int answer_livez(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        const char *bytes;
        size_t length;
        int r = master_link_get(link, STATUS_LINK_STATUS, PATIENCE_MS, &bytes, &length);

        (void)request;
        return r < 0 ? say_unavailable(answer, r) : say(answer, 200, "alive");
}

static bool is_ready(const struct status_pool *pool)
{
        return pool->state == STATUS_POOL_RUNNING || pool->state == STATUS_POOL_SATURATED;
}

/* Pools that clients should be sent to; one that is saturated has a queue for them. A removed pool that closes beside
 * others is no reason not to be ready. */
static int judge(const struct web_request *request, const struct status *status, struct web_answer *answer)
{
        bool is_running = text_equal(status->state, "running"), is_known = !request->pool;
        _cleanup_(text_clear) struct text not_ready = {0};
        int r = 0;

        for (size_t i = 0; i < status->pool_count && r == 0; i++) {
                const struct status_pool *pool = &status->pools[i];
                if (request->pool ? !text_equal(pool->name, request->pool)
                                  : is_running && pool->state == STATUS_POOL_CLOSING)
                        continue;
                is_known = true;
                if (!is_ready(pool))
                        r = text_appendf(&not_ready, "%s: %s\n", pool->name, status_pool_state_name(pool->state));
        }
        if (r == 0 && !is_known)
                return say(answer, 404, "there is no such pool");
        if (r == 0)
                r = say(answer, not_ready.length > 0 || !is_running ? 503 : 200,
                        not_ready.length > 0 ? "not ready"
                        : is_running         ? "ready"
                                             : status->state);
        return r == 0 ? text_append_bytes(&answer->body, text_string(&not_ready), not_ready.length) : r;
}

static int answer_readyz(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        _cleanup_(json_decrefp) json_t *json = NULL;
        _cleanup_(status_clear) struct status status = {0};
        int r = get_status(link, answer, &json, &status);

        if (r == 0)
                r = judge(request, &status, answer);
        return r < 0 ? r : 0;
}

/* This worker serves. */
static int answer_ping(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        (void)request, (void)link;
        return say(answer, 200, "pong");
}

static int answer_page(const struct web_request *request, struct master_link *link, struct web_answer *answer)
{
        _cleanup_(json_decrefp) json_t *json = NULL, *why = NULL;
        _cleanup_(status_clear) struct status status = {0};
        bool is_named;

        if (http_accept_quality(request->accept, "text/html", NULL, &is_named) == 0)
                return say(answer, 406, "there is text/html");
        int r = get_status_of(link, STATUS_LINK_WORKERS, answer, &json, &status);
        if (r == 0)
                r = got(master_json_get(link, STATUS_LINK_WHY, PATIENCE_MS, &why), answer);
        if (r != 0)
                return r < 0 ? r : 0;
        answer->type = "text/html; charset=utf-8";
        answer->policy = page_policy;
        return page_render(&status, json, why, &answer->body);
}

static const struct {
        const char *path;
        int (*answer)(const struct web_request *request, struct master_link *link, struct web_answer *answer);
} routes[] = {
        {"/", answer_page},
        {"/metrics", answer_metrics},
        {"/status", answer_status},
        {"/livez", answer_livez},
        {"/readyz", answer_readyz},
        {"/ping", answer_ping},
        {"/server-status", answer_apache},
};

int web_answer(const struct web_request *request, struct master_link *link, struct web_answer *ret)
{
        *ret = (struct web_answer){.code = 200};
        if (request->lacks_host)
                return say(ret, 400, "a request of HTTP/1.1 has a Host header");
        if (!text_equal(request->method, "GET") && !text_equal(request->method, "HEAD"))
                return say(ret, 405, "expected GET or HEAD");
        for (size_t i = 0; i < ELEMENTS(routes); i++)
                if (text_equal(routes[i].path, request->path))
                        return routes[i].answer(request, link, ret);
        return say(ret, 404, "there are /, /metrics, /status, /livez, /readyz and /ping");
}
