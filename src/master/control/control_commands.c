#include "master/control/control_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/config/print.h"
#include "master/control/control_client.h"
#include "master/control/control_documents.h"
#include "master/pool/pool.h"
#include "master/pool/pool_orders.h"
#include "master/pool/pool_table.h"
#include "master/reload/effective_config.h"
#include "master/status/reply_json.h"
#include "master/status/json_value.h"
#include "master/status/status_json.h"

/* A request that is being carried out. */
struct control_order {
        const struct control_host *host;
        struct control_client *client;
        const struct control_request *request;
        struct pool *pool; /* the named pool, if the command needs a pool that serves */
        char by[48];       /* "control, user 0", for logs */
};

static void refuse_pool(const struct control_order *order)
{
        control_client_refuse(order->client, "unknown-pool", "there is no pool \"%.64s\"", order->request->pool);
}

/* True for root and preforkd's own user, not for members of control_group. */
static bool has_our_privileges(const struct control_order *order)
{
        return order->client->uid == 0 || order->client->uid == geteuid();
}

/* The beginning of a reply about one pool. */
static json_t *about_pool(const struct control_order *order)
{
        json_t *reply = status_json_ok(order->request->command);

        if (json_object_set_new(reply, "pool", json_value_text(order->pool->name)) == 0 &&
            json_object_set_new(reply, "generation", json_integer((json_int_t)order->pool->generation)) == 0)
                return reply;
        json_decref(reply);
        return NULL;
}

/* With a pool in the request, `found` says whether there is one of that name. */
static void answer_document(const struct control_order *order, json_t *document, size_t found)
{
        if (document && order->request->pool && found == 0) {
                json_decref(document);
                refuse_pool(order);
        } else
                control_client_answer(order->client, document);
}

static void do_status(const struct control_order *order)
{
        unsigned detail = order->request->flag ? STATUS_WORKERS : 0;
        const struct status_of_daemon about = order->host->describe(order->host->context);
        size_t found = 0;
        json_t *reply = control_document_status(&about, order->host->pools, order->request->pool, detail, &found);

        answer_document(order, reply, found);
}

static void do_why(const struct control_order *order)
{
        size_t found = 0;
        json_t *reply = control_document_why(order->host->pools, order->request->pool, &found);

        answer_document(order, reply, found);
}

/* control_outcome answers when the reload has ended. */
static void do_reload(const struct control_order *order)
{
        bool dry_run = order->request->flag;
        const struct control_host *host = order->host;

        if (!dry_run)
                log_notice("reloading (%s)", order->by);
        control_client_wait(order->client, dry_run ? CONTROL_WAIT_DRY_RUN : CONTROL_WAIT_RELOAD,
                            host->last_load(host->context));
        (dry_run ? host->dry_run : host->reload)(host->context);
}

static void do_reopen_logs(const struct control_order *order)
{
        const struct control_host *host = order->host;

        log_info("opening the log file anew (%s)", order->by);
        uint64_t number = host->reopen_logs(host->context);
        if (number > 0) {
                control_client_wait(order->client, CONTROL_WAIT_REOPEN, number - 1);
                return;
        }
        json_t *reply = status_json_ok(CONTROL_REOPEN_LOGS);
        if (json_object_set_new(reply, "log_file", json_null()) != 0) {
                json_decref(reply);
                reply = NULL;
        }
        control_client_answer(order->client, reply);
}

static void do_restart(const struct control_order *order)
{
        pool_order_restart(order->pool, order->by);
        control_client_answer(order->client, about_pool(order));
}

static void do_pause(const struct control_order *order)
{
        pool_order_pause(order->pool, order->by);
        control_client_answer(order->client, about_pool(order));
}

static void do_resume(const struct control_order *order)
{
        pool_order_resume(order->pool, order->by);
        control_client_answer(order->client, about_pool(order));
}

/* The pools that a command changes which may name none: all that serve. Reply with their names. */
static void order_pools(const struct control_order *order, void (*command)(struct pool *pool, const char *by))
{
        const struct pool_table *pools = order->host->pools;
        json_t *reply = status_json_ok(order->request->command), *names = json_array();
        int r = json_object_set_new(reply, "pools", names);
        size_t found = 0;

        for (size_t i = 0; i < pools->count; i++) {
                struct pool *pool = pools->items[i];
                if (pool->mode != POOL_OPEN || (order->request->pool && !text_equal(pool->name, order->request->pool)))
                        continue;
                found++;
                command(pool, order->by);
                r = r < 0 ? r : json_array_append_new(names, json_value_text(pool->name));
        }
        if (r == 0 && (found > 0 || !order->request->pool)) {
                control_client_answer(order->client, reply);
                return;
        }
        json_decref(reply);
        if (r < 0)
                control_client_answer(order->client, NULL);
        else
                refuse_pool(order);
}

static void do_drain(const struct control_order *order)
{
        order_pools(order, pool_order_drain);
}

static void do_undrain(const struct control_order *order)
{
        order_pools(order, pool_order_undrain);
}

static void answer_problems(const struct control_order *order, const char *message, const struct problem_list *problems)
{
        json_t *reply = status_json_error("refused", message);

        if (json_object_set_new(reply, "problems", reply_json_problems(problems)) != 0) {
                json_decref(reply);
                reply = NULL;
        }
        control_client_answer(order->client, reply);
}

static void do_scale(const struct control_order *order)
{
        const struct control_request *request = order->request;
        const struct control_host *host = order->host;
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        int r = host->scale(host->context, order->pool, request->settings, request->setting_count, order->by,
                            &problems);
        if (r == -ENOMEM)
                control_client_answer(order->client, NULL);
        else if (r < 0 || problem_list_refuses(&problems))
                answer_problems(order, "the limits stay as they are", &problems);
        else {
                const struct scale_limits limits = pool_scale_limits(order->pool);
                json_t *reply = about_pool(order);
                if (json_object_set_new(reply, "limits", status_json_limits(&limits)) != 0) {
                        json_decref(reply);
                        reply = NULL;
                }
                control_client_answer(order->client, reply);
        }
}

static void do_kill_worker(const struct control_order *order)
{
        int pid = (int)order->request->worker;
        const struct pool *pool = pool_order_kill_worker(order->host->pools, order->request->worker, order->by);

        if (!pool)
                control_client_refuse(order->client, "unknown-worker", "%d is not a worker of this preforkd", pid);
        else {
                json_t *reply = status_json_ok(CONTROL_KILL_WORKER);
                if (json_object_set_new(reply, "pid", json_integer(pid)) != 0 ||
                    json_object_set_new(reply, "pool", json_value_text(pool->name)) != 0) {
                        json_decref(reply);
                        reply = NULL;
                }
                control_client_answer(order->client, reply);
        }
}

/* Answer first: a stop may leave no time to answer afterwards. */
static void do_stop(const struct control_order *order)
{
        const struct control_host *host = order->host;
        bool now = order->request->flag;

        control_client_answer(order->client, status_json_ok(CONTROL_STOP));
        host->stop(host->context, now, order->by);
}

static void do_upgrade(const struct control_order *order)
{
        const char *path = order->request->path;
        const struct control_host *host = order->host;

        /* Whoever may name the program gets our privileges, so members of control_group may not. */
        if (path && !has_our_privileges(order))
                control_client_refuse(order->client, "permission",
                                      "only root and preforkd's own user may name a program");
        else if (path && path[0] != '/')
                control_client_refuse(order->client, "usage", "upgrade: '%.64s' is not an absolute path", path);
        else if (host->is_upgrading(host->context))
                control_client_refuse(order->client, "busy", "an upgrade is under way already");
        else {
                control_client_wait(order->client, CONTROL_WAIT_UPGRADE, 0);
                host->upgrade(host->context, path, order->by);
        }
}

static void do_config(const struct control_order *order)
{
        const struct control_host *host = order->host;
        _cleanup_(effective_config_clear) struct config config = {0};
        _cleanup_(text_clear) struct text text = {0};
        json_t *reply = NULL;

        const struct config *configured = host->config(host->context);

        if (effective_config(configured, host->pools, &config) == 0 &&
            config_print_overlaid(&config, configured, !has_our_privileges(order), &text) == 0) {
                reply = status_json_ok(CONTROL_CONFIG);
                if (json_object_set_new(reply, "config", json_string(text_string(&text))) != 0) {
                        json_decref(reply);
                        reply = NULL;
                }
        }
        control_client_answer(order->client, reply);
}

static void do_version(const struct control_order *order)
{
        const struct control_host *host = order->host;
        json_t *reply = status_json_ok(CONTROL_VERSION);

        if (json_object_set_new(reply, "version", json_string(PREFORKD_VERSION)) != 0 ||
            json_object_set_new(reply, "pid", json_integer(host->describe(host->context).pid)) != 0) {
                json_decref(reply);
                reply = NULL;
        }
        control_client_answer(order->client, reply);
}

static const struct {
        void (*execute)(const struct control_order *order);
        bool needs_pool; /* a pool that serves */
        bool while_stopping;
} commands[] = {
        [CONTROL_STATUS] = {do_status, .while_stopping = true},
        [CONTROL_WHY] = {do_why, .while_stopping = true},
        [CONTROL_RELOAD] = {do_reload},
        [CONTROL_REOPEN_LOGS] = {do_reopen_logs, .while_stopping = true},
        [CONTROL_RESTART] = {do_restart, .needs_pool = true},
        [CONTROL_SCALE] = {do_scale, .needs_pool = true},
        [CONTROL_PAUSE] = {do_pause, .needs_pool = true},
        [CONTROL_RESUME] = {do_resume, .needs_pool = true},
        [CONTROL_DRAIN] = {do_drain},
        [CONTROL_UNDRAIN] = {do_undrain},
        [CONTROL_KILL_WORKER] = {do_kill_worker, .while_stopping = true},
        [CONTROL_STOP] = {do_stop, .while_stopping = true},
        [CONTROL_UPGRADE] = {do_upgrade},
        [CONTROL_CONFIG] = {do_config, .while_stopping = true},
        [CONTROL_VERSION] = {do_version, .while_stopping = true},
};

void control_execute(void *context, struct control_client *client, size_t length)
{
        const struct control_host *host = context;
        _cleanup_(control_request_clear) struct control_request request = {0};
        _cleanup_(text_clear) struct text error = {0};
        struct control_order order = {.host = host, .client = client, .request = &request};

        int r = control_request_parse(client->request, length, &request, &error);
        if (r == -EINVAL) {
                control_client_refuse(client, "usage", "%s", text_string(&error));
                return;
        }
        if (r < 0) {
                control_client_answer(client, NULL);
                return;
        }
        snprintf(order.by, sizeof(order.by), "control, user %u", (unsigned)client->uid);
        order.pool = commands[request.command].needs_pool ? pool_table_find(host->pools, request.pool) : NULL;
        if (host->is_stopping(host->context) && !commands[request.command].while_stopping)
                control_client_refuse(client, "stopping", "preforkd is stopping");
        else if (commands[request.command].needs_pool && !order.pool)
                refuse_pool(&order);
        else
                commands[request.command].execute(&order);
}
