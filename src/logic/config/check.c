/* The rules of a whole configuration, and config_finish(), which completes one: defaults, fitting, rules. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/config_options.h"
#include "logic/config/datagram_rules.h"
#include "logic/config/parse.h"
#include "logic/config/rules.h"
#include "logic/config/schema.h"
#include "logic/config/peer_variables.h"
#include "logic/config/variables.h"

const char *rules_label(const struct rules *rules, enum pool_option option, char label[static OPTION_LABEL_MAX])
{
        bool dashes = rules->context->from_command_line;

        snprintf(label, OPTION_LABEL_MAX, "%s%s", dashes ? "--" : "", pool_options[option].name);
        for (char *at = label; dashes && *at != '\0'; at++)
                if (*at == '_')
                        *at = '-';
        return label;
}

static void report(const struct rules *rules, bool warning, const struct pool_config *pool, enum pool_option option,
                   const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));

static void report(const struct rules *rules, bool warning, const struct pool_config *pool, enum pool_option option,
                   const char *format, va_list arguments)
{
        _cleanup_(text_clear) struct text text = {0};
        char label[OPTION_LABEL_MAX];
        const struct origin *place = pool->origins[option].line > 0 ? &pool->origins[option] : &pool->section;

        if (text_appendv(&text, format, arguments) < 0) {
                rules->problems->out_of_memory = true;
                return;
        }
        const char *name = place->of_defaults ? pool->name : NULL;
        (warning ? problem_warn : problem_add)(rules->problems, place->file, place->line, "%s: %s%s%s%s",
                                               rules_label(rules, option, label), text_string(&text),
                                               name ? " (pool \"" : "", name ? name : "", name ? "\")" : "");
}

void rules_refuse(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                  const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        report(rules, false, pool, option, format, arguments);
        va_end(arguments);
}

void rules_warn(const struct rules *rules, const struct pool_config *pool, enum pool_option option, const char *format,
                ...)
{
        va_list arguments;

        va_start(arguments, format);
        report(rules, true, pool, option, format, arguments);
        va_end(arguments);
}

void rules_refuse_order(const struct rules *rules, const struct pool_config *pool, enum pool_option lesser,
                        enum pool_option greater, const char *lesser_text, const char *greater_text)
{
        const struct origin *other = &pool->origins[greater];
        char label[OPTION_LABEL_MAX];

        rules_label(rules, greater, label);
        if (other->file)
                rules_refuse(rules, pool, lesser, "%s is more than %s, which is %s at %s:%u", lesser_text, label,
                             greater_text, other->file, other->line);
        else
                rules_refuse(rules, pool, lesser, "%s is more than %s, which is %s", lesser_text, label, greater_text);
}

static void check_required(const struct rules *rules, const struct pool_config *pool)
{
        const struct origin *section = &pool->section;

        if (pool->listen.count == 0 && !pool->origins[POOL_LISTEN].refused) {
                if (rules->context->from_command_line)
                        problem_add(rules->problems, NULL, 0,
                                    "--listen is missing: no address to accept connections on");
                else
                        problem_add(rules->problems, section->file, section->line,
                                    "pool \"%s\" has no listen: no address to accept connections on", pool->name);
        }
        if (pool->handler.count == 0 && !pool->origins[POOL_HANDLER].refused) {
                if (rules->context->from_command_line)
                        problem_add(rules->problems, NULL, 0,
                                    "no handler: expected a program and its arguments after --");
                else
                        problem_add(rules->problems, section->file, section->line,
                                    "pool \"%s\" has no handler: no program to serve connections", pool->name);
        }
}

static void check_own_id(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                         const struct account *account, uint32_t own)
{
        if (rules_is_set(pool, option) && account->resolved && account->id != own)
                rules_refuse(rules, pool, option,
                             "only root can run workers as %" PRIu32 "; expected preforkd's own id, %" PRIu32
                             ", or no such key",
                             account->id, own);
}

static void check_accounts(const struct rules *rules, const struct pool_config *pool)
{
        const struct config_context *context = rules->context;
        bool has_user = pool->user.name || pool->user.resolved || pool->origins[POOL_USER].refused;

        if (context->is_root && !has_user && context->from_command_line)
                problem_add(rules->problems, NULL, 0,
                            "--user is missing, and preforkd runs as root; give --user=root to run workers as root");
        else if (context->is_root && !has_user)
                problem_add(rules->problems, pool->section.file, pool->section.line,
                            "pool \"%s\" has no user, and preforkd runs as root; write user = root to run its workers "
                            "as root",
                            pool->name);
        if (context->is_root)
                return;
        check_own_id(rules, pool, POOL_USER, &pool->user, context->uid);
        check_own_id(rules, pool, POOL_GROUP, &pool->group, context->gid);
        if (rules_is_set(pool, POOL_SUPPLEMENTARY_GROUPS) && pool->supplementary_groups.count > 0)
                rules_refuse(rules, pool, POOL_SUPPLEMENTARY_GROUPS, "only root can set the groups of workers");
}

static void check_process_limit(const struct rules *rules, const struct pool_config *pool)
{
        if (pool_config_process_limit(pool) >= POOL_SLOTS)
                rules_refuse(rules, pool, POOL_MAX_WORKERS,
                             "%" PRIu64 " workers, with those that reload_surge (%" PRIu64 "%%), max_recycling and "
                             "max_detached_workers add, are too many; expected at most %d in all",
                             pool->max_workers, pool->reload_surge_percent, POOL_SLOTS - 1);
}

/* max_workers counts threads, and workers have threads_per_worker each. */
static void check_threads(const struct rules *rules, const struct pool_config *pool)
{
        uint64_t threads = pool->threads_per_worker, most = pool->max_workers;

        if (threads <= 1)
                return;
        if (threads > most)
                rules_refuse(rules, pool, POOL_THREADS_PER_WORKER,
                             "max_workers, which counts threads, is %" PRIu64 "; expected at most that", most);
        else if (most % threads != 0 && rules_is_set(pool, POOL_MAX_WORKERS))
                rules_warn(rules, pool, POOL_MAX_WORKERS,
                           "%" PRIu64 " is no multiple of threads_per_worker (%" PRIu64
                           "); there will be at most %" PRIu64,
                           most, threads, most - most % threads);
}

void config_check_limits(const struct rules *rules, struct pool_config *pool)
{
        config_fit(rules, pool);
        config_check_wait(rules, pool);
        check_threads(rules, pool);
        check_process_limit(rules, pool);
        config_check_rates(rules, pool);
}

/* Settings that have no effect: harmless, but probably not what the user meant. */
static void warn_unused(const struct rules *rules, const struct pool_config *pool)
{
        static const struct {
                enum pool_option option;
                const char *why;
        } unused[] = {
                {POOL_SOCKET_USER, "no UNIX socket with a path"},
                {POOL_SOCKET_GROUP, "no UNIX socket with a path"},
                {POOL_SOCKET_MODE, "no UNIX socket with a path"},
                {POOL_IPV6_ONLY, "no IPv6 address"},
                {POOL_FREE_BIND, "no TCP address"},
                {POOL_BIND_TO_DEVICE, "no address of TCP or UDP that it opens itself"},
                {POOL_TCP_NODELAY, "no TCP address"},
                {POOL_TCP_KEEPALIVE, "no TCP address"},
                {POOL_DEFER_ACCEPT, "no TCP address"},
                {POOL_BACKLOG, "nothing but addresses for datagrams"},
        };
        static const enum pool_option of_scaling[] = {POOL_SPARE_TIMEOUT, POOL_GROWTH_PRESSURE_LIMIT};

        for (size_t i = 0; i < ELEMENTS(unused) && pool->listen.count > 0; i++)
                if (rules_is_set(pool, unused[i].option) && !pool_config_uses(pool, unused[i].option))
                        rules_warn(rules, pool, unused[i].option, "no effect: the pool listens on %s", unused[i].why);
        for (size_t i = 0; i < ELEMENTS(of_scaling); i++)
                if (rules_is_set(pool, of_scaling[i]) && !pool_config_uses(pool, of_scaling[i]))
                        rules_warn(rules, pool, of_scaling[i], "no effect: scaling is static");
        if (rules_is_set(pool, POOL_REQUEST_SLOWLOG_TIMEOUT) && pool->request_timeout_ms > 0 &&
            pool->request_slowlog_timeout_ms >= pool->request_timeout_ms)
                rules_warn(rules, pool, POOL_REQUEST_SLOWLOG_TIMEOUT,
                           "no effect: request_timeout ends a request before; expected a shorter time");
}

static void check_retirement(const struct rules *rules, const struct pool_config *pool)
{
        enum retire_signal how = pool_config_retire_signal(pool);
        bool is_signal = pool_config_retire_number(pool) > 0;

        if (rules_is_set(pool, POOL_RETIRE_SIGNAL) && !pool_config_uses(pool, POOL_RETIRE_SIGNAL))
                rules_warn(rules, pool, POOL_RETIRE_SIGNAL, "no effect: with accounting = api the program ends itself");
        else if (pool->accounting == ACCOUNTING_NONE && !is_signal)
                rules_refuse(rules, pool, POOL_RETIRE_SIGNAL, "needs accounting = preload; expected a signal");
        else if (pool->accounting == ACCOUNTING_PRELOAD && is_signal && how != RETIRE_TERM)
                rules_refuse(rules, pool, POOL_RETIRE_SIGNAL,
                             "with accounting = preload; expected TERM, return or exit");
}

/* What rests on knowing when a worker is busy. */
static void warn_unknown(const struct rules *rules, const struct pool_config *pool)
{
        static const enum pool_option options[] = {
                POOL_MAX_CONNECTIONS_PER_SOURCE, POOL_SOURCE_PREFIX,  POOL_MAX_REQUESTS,
                POOL_MAX_WORKER_MEMORY,          POOL_MAX_WORKER_AGE, POOL_DETACH_AFTER,
                POOL_REQUEST_SLOWLOG_TIMEOUT};

        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (rules_is_set(pool, options[i]))
                        rules_warn(rules, pool, options[i],
                                   "no effect: with accounting = none nobody knows when the handler is busy");
}

/* What a program that accepts itself needs, and what only such a program uses. */
static void check_listener(const struct rules *rules, const struct pool_config *pool)
{
        static const enum pool_option of_listeners[] = {POOL_LISTEN_FD, POOL_ACCOUNTING, POOL_RETIRE_SIGNAL};

        if (pool->handler_type != HANDLER_LISTENER) {
                for (size_t i = 0; i < ELEMENTS(of_listeners); i++)
                        if (rules_is_set(pool, of_listeners[i]))
                                rules_warn(rules, pool, of_listeners[i],
                                           "no effect: only a handler of the type listener accepts itself");
                return;
        }
        check_retirement(rules, pool);
        if (pool->accounting == ACCOUNTING_NONE)
                warn_unknown(rules, pool);
        if (pool->listen_fd == LISTEN_FD_ZERO && pool->listen.count > 1)
                rules_refuse(rules, pool, POOL_LISTEN_FD,
                             "0 is one descriptor, and the pool listens on %zu addresses; expected one address, or 3",
                             pool->listen.count);
        if (pool->stderr_mode == STDERR_SOCKET)
                rules_refuse(rules, pool, POOL_STDERR,
                             "a handler of the type listener has no connection when it starts; expected log, inherit "
                             "or null");
}

/* As the kernel takes the names of interfaces. */
static void check_device(const struct rules *rules, const struct pool_config *pool)
{
        const char *name = pool->bind_to_device;
        const size_t most = 15;

        if (!name)
                return;
        if (strlen(name) > most || strpbrk(name, "/: \t") || text_equal(name, ".") || text_equal(name, ".."))
                rules_refuse(rules, pool, POOL_BIND_TO_DEVICE,
                             "not the name of a network interface; expected at most %zu bytes, without blanks, / and :",
                             most);
}

/* Variables that preforkd sets for each connection cannot be set here. */
static void check_environment(const struct rules *rules, const struct pool_config *pool)
{
        for (size_t i = 0; i < pool->environment.count; i++)
                if (peer_variables_contain(pool->environment.list[i]))
                        rules_refuse(rules, pool, POOL_ENVIRONMENT,
                                     "%.*s is set by preforkd for every connection; expected another name",
                                     (int)strcspn(pool->environment.list[i], "="), pool->environment.list[i]);
        for (size_t i = 0; i < pool->pass_environment.count; i++) {
                const char *name = pool->pass_environment.list[i];
                if (peer_variables_contain(name))
                        rules_refuse(rules, pool, POOL_PASS_ENVIRONMENT,
                                     "%s is set by preforkd for every connection; expected another name", name);
                else if (variables_are_withheld(name))
                        rules_refuse(rules, pool, POOL_PASS_ENVIRONMENT,
                                     "%s is for preforkd alone, and no handler gets it", name);
        }
        if (pool->pass_environment.count > 0 && !pool->clear_environment)
                rules_warn(rules, pool, POOL_PASS_ENVIRONMENT,
                           "no effect: with clear_environment = no handlers get all variables");
}

/* Two addresses at which not both can be listened: one of this pool, and an earlier one. */
static void refuse_clash(const struct rules *rules, const struct pool_config *pool, const struct listen_address *item,
                         const struct pool_config *other, const struct listen_address *other_item)
{
        const struct origin *place = &other->origins[POOL_LISTEN];
        bool equal = listen_address_equal(item, other_item);

        if (pool == other && equal)
                rules_refuse(rules, pool, POOL_LISTEN, "%s is listed twice", item->text);
        else if (pool == other)
                rules_refuse(rules, pool, POOL_LISTEN, "%s and %s exclude each other: one includes the other",
                             other_item->text, item->text);
        else if (equal)
                rules_refuse(rules, pool, POOL_LISTEN, "%s already belongs to pool \"%s\" (%s:%u)", item->text,
                             other->name, place->file ? place->file : "-", place->line);
        else
                rules_refuse(rules, pool, POOL_LISTEN, "%s excludes %s of pool \"%s\" (%s:%u): one includes the other",
                             item->text, other_item->text, other->name, place->file ? place->file : "-", place->line);
}

static bool clashes(const struct pool_config *pool, const struct listen_address *item, const struct pool_config *other,
                    const struct listen_address *other_item)
{
        if (listen_address_socket_name(item) || listen_address_socket_name(other_item)) /* only their units know */
                return listen_address_equal(item, other_item);
        return address_clashes(&item->address, pool->ipv6_only, &other_item->address, other->ipv6_only);
}

/* Refuse the address if it clashes with one of an earlier pool, or of an earlier place in this list. */
static void check_address(const struct rules *rules, const struct config *config, size_t pool_index, size_t index)
{
        const struct pool_config *pool = config->pools[pool_index];
        const struct listen_address *item = &pool->listen.items[index];

        if (address_lacks_interface(&item->address))
                rules_refuse(
                        rules, pool, POOL_LISTEN,
                        "%s is a link-local address, which needs its interface; expected [ADDRESS%%INTERFACE]:PORT",
                        item->text);
        for (size_t p = 0; p <= pool_index; p++) {
                const struct pool_config *other = config->pools[p];
                size_t count = p < pool_index ? other->listen.count : index;
                for (size_t i = 0; i < count; i++)
                        if (clashes(pool, item, other, &other->listen.items[i])) {
                                refuse_clash(rules, pool, item, other, &other->listen.items[i]);
                                return;
                        }
        }
}

/* The control socket needs a path that a socket can have and that no pool listens on. */
static void check_control(const struct rules *rules, const struct config *config)
{
        const struct master_config *master = &config->master;
        const struct origin *place = &master->origins[MASTER_CONTROL], *group = &master->origins[MASTER_CONTROL_GROUP];
        struct address address;

        if (!master->control) {
                if (master->control_group.name)
                        problem_warn(rules->problems, group->file, group->line,
                                     "control_group: no effect: there is no control socket");
                return;
        }
        if (address_parse(master->control, &address) < 0) {
                problem_add(rules->problems, place->file, place->line,
                            "control: not a path that a socket can have; expected at most %zu bytes",
                            sizeof(address.un.sun_path) - 1);
                return;
        }
        for (size_t p = 0; p < config->pool_count; p++)
                for (size_t i = 0; i < config->pools[p]->listen.count; i++)
                        if (address_equal(&config->pools[p]->listen.items[i].address, &address))
                                rules_refuse(rules, config->pools[p], POOL_LISTEN, "%s is the control socket",
                                             master->control);
}

int config_finish(struct config *config, const struct config_context *context, struct problem_list *problems)
{
        const struct rules rules = {.context = context, .problems = problems};
        int r = config_set_defaults(config);

        if (r < 0)
                return r;
        for (size_t p = 0; p < config->pool_count; p++) {
                struct pool_config *pool = config->pools[p];
                check_required(&rules, pool);
                check_accounts(&rules, pool);
                check_device(&rules, pool);
                check_environment(&rules, pool);
                datagram_rules_derive(pool);
                datagram_rules_check(&rules, pool);
                check_listener(&rules, pool);
                config_check_limits(&rules, pool);
                warn_unused(&rules, pool);
                config_check_handler(&rules, pool);
                config_check_connections(&rules, pool);
                r = config_check_access(&rules, pool);
                if (r < 0)
                        return r;
                config_check_answers(&rules, pool);
                for (size_t i = 0; i < pool->listen.count; i++)
                        check_address(&rules, config, p, i);
        }
        check_control(&rules, config);
        config_check_agents(&rules, config);
        config_check_total(&rules, config);
        return 0;
}
