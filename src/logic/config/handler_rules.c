/* The rules of `handler`, and of options that depend on who the handler is, for each handler_type. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/builtins.h"
#include "logic/config/rules.h"

/* A worker that serves itself has its own descriptors, those of its listeners, and those of its handler. */
#define OPEN_FILES_MIN 64

static const char *handler_name(const struct pool_config *pool)
{
        const char *slash = strrchr(pool->handler.list[0], '/');

        return slash ? slash + 1 : pool->handler.list[0];
}

bool pool_config_needs_privileges(const struct pool_config *pool)
{
        static const char *const helpers[] = {
                "sendmail",    "sudo",       "su",          "doas",        "pkexec",  "newgrp",   "sg",
                "unix_chkpwd", "passwd",     "chsh",        "chfn",        "crontab", "at",       "mount",
                "umount",      "fusermount", "fusermount3", "exim",        "exim4",   "postdrop", "postqueue",
                "qmail-queue", "dma",        "procmail",    "ssh-keysign",
        };

        for (size_t i = 0; i < ELEMENTS(helpers); i++)
                if (text_equal(handler_name(pool), helpers[i]))
                        return true;
        return false;
}

/* They fail as handlers with no_new_privileges. Of others, master/config looks at the file. */
static void warn_privileges(const struct rules *rules, const struct pool_config *pool)
{
        if (pool->no_new_privileges && pool_config_needs_privileges(pool))
                rules_warn(rules, pool, POOL_HANDLER,
                           "%s needs privileges that no_new_privileges = yes "
                           "withholds; set it to no if the handler fails",
                           handler_name(pool));
}

/* A connection; with several listeners a set and what ends the wait there; copies of the listeners for datagrams. */
static uint64_t fds_of_thread(const struct pool_config *pool)
{
        uint64_t count = pool->listen.count > 1 ? 3 : 1;

        for (size_t i = 0; i < pool->listen.count; i++)
                count += pool->listen.items[i].address.datagram;
        return count;
}

/* What can be set for a process that serves one connection, but not for a worker that serves many. */
static void check_in_process(const struct rules *rules, const struct pool_config *pool)
{
        const struct limit_value *open_files = &pool->limits[LIMIT_NOFILE];

        if (pool->stderr_mode == STDERR_SOCKET)
                rules_refuse(
                        rules, pool, POOL_STDERR,
                        "the handler is in the worker, whose stderr is no client's; expected log, inherit or null");
        if (pool->limits[LIMIT_CPU].set)
                rules_refuse(rules, pool, POOL_LIMIT_CPU,
                             "it would end a worker that has served many connections; use request_timeout instead, or "
                             "max_requests");
        uint64_t threads = pool->threads_per_worker > 1 ? pool->threads_per_worker * fds_of_thread(pool) : 0;
        uint64_t least = OPEN_FILES_MIN + pool->listen.count + threads;
        if (open_files->set && open_files->soft < least)
                rules_refuse(
                        rules, pool, POOL_LIMIT_NOFILE,
                        "the handler is in the worker, which has open files of its own; expected at least %" PRIu64,
                        least);
}

static void check_module(const struct rules *rules, const struct pool_config *pool)
{
        if (pool->handler.list[0][0] != '/')
                rules_refuse(rules, pool, POOL_HANDLER,
                             "expected the absolute path of a module (handler_type = module), and its arguments");
        check_in_process(rules, pool);
}

/* Where `redirect` leads. */
static void check_target(const struct rules *rules, const struct pool_config *pool, const char *text)
{
        struct address target;

        if (address_parse(text, &target) < 0 || text[0] == '*' || target.datagram) {
                rules_refuse(rules, pool, POOL_HANDLER,
                             "\"%s\" is no target of redirect; expected ADDRESS:PORT (numbers, or localhost), "
                             "[IPV6-ADDRESS]:PORT, /PATH or @NAME",
                             text);
                return;
        }
        if (address_lacks_interface(&target))
                rules_refuse(
                        rules, pool, POOL_HANDLER,
                        "%s is a link-local address, which needs its interface; expected [ADDRESS%%INTERFACE]:PORT",
                        text);
        for (size_t i = 0; i < pool->listen.count; i++)
                if (!listen_address_socket_name(&pool->listen.items[i]) &&
                    address_equal(&pool->listen.items[i].address, &target))
                        rules_refuse(rules, pool, POOL_HANDLER, "redirect to %s, where the pool itself listens", text);
}

static void check_builtin(const struct rules *rules, const struct pool_config *pool)
{
        const struct builtin_name *builtin = builtin_name_find(pool->handler.list[0]);
        size_t arguments = pool->handler.count - 1;

        if (!builtin) {
                _cleanup_(text_clear) struct text names = {0};
                for (size_t i = 0; i < builtin_names_count; i++)
                        if (text_appendf(&names, "%s%s", i == 0 ? "" : ", ", builtin_names[i].name) < 0)
                                rules->problems->out_of_memory = true;
                rules_refuse(rules, pool, POOL_HANDLER, "there is no builtin \"%s\"; expected one of %s",
                             pool->handler.list[0], text_string(&names));
        } else if (!builtin->argument && arguments > 0)
                rules_refuse(rules, pool, POOL_HANDLER, "the builtin \"%s\" takes no arguments", builtin->name);
        else if (builtin->argument && arguments != 1)
                rules_refuse(rules, pool, POOL_HANDLER, "expected %s %s", builtin->name, builtin->argument);
        else if (builtin->argument && !builtin->names_pool) /* pools are checked when all are known */
                check_target(rules, pool, pool->handler.list[1]);
        if (builtin && pool_config_asks_master(pool) && pool->threads_per_worker > 1)
                rules_refuse(rules, pool, POOL_THREADS_PER_WORKER,
                             "a worker of the builtin \"%s\" asks the master one thing at a time; expected 1",
                             builtin->name);
        check_in_process(rules, pool);
}

/* What shares its memory with the worker must have no more rights than it, and nothing may give it any. */
static void check_copy(const struct rules *rules, const struct pool_config *pool)
{
        if (rules_is_set(pool, POOL_COPY) && !pool_config_uses(pool, POOL_COPY))
                rules_warn(rules, pool, POOL_COPY,
                           "no effect: only a handler that is loaded once is copied, see start_method");
        else if (rules_is_set(pool, POOL_ROLLBACK_CHECK) && !pool_config_uses(pool, POOL_ROLLBACK_CHECK))
                rules_warn(rules, pool, POOL_ROLLBACK_CHECK, "no effect without copy = rollback");
        if (rules_is_set(pool, POOL_FAST_EXIT) && !pool_config_uses(pool, POOL_FAST_EXIT))
                rules_warn(rules, pool, POOL_FAST_EXIT,
                           "no effect: only a handler that is loaded once, see start_method");
        if (!pool_config_uses(pool, POOL_COPY) || pool->copy != COPY_ROLLBACK)
                return;
        if (pool_config_is_root(pool))
                rules_refuse(rules, pool, POOL_COPY, "rollback is not for user = root; expected fork");
        if (!pool->no_new_privileges)
                rules_refuse(rules, pool, POOL_COPY, "rollback needs no_new_privileges = yes; expected fork");
}

/* A worker that a client has got into its hands would hand itself on. */
static void check_snapshot_after(const struct rules *rules, const struct pool_config *pool)
{
        if (rules_is_set(pool, POOL_SNAPSHOT_AFTER) && !pool_config_uses(pool, POOL_SNAPSHOT_AFTER))
                rules_warn(rules, pool, POOL_SNAPSHOT_AFTER,
                           "no effect: only with handler_type = listener and start_method = snapshot");
        if (!pool_config_uses(pool, POOL_SNAPSHOT_AFTER) || pool->snapshot_after == 0)
                return;
        if (pool_config_is_root(pool))
                rules_refuse(rules, pool, POOL_SNAPSHOT_AFTER,
                             "a used worker is no template for user = root; expected 0");
        if (pool->max_requests > 0 && pool->snapshot_after >= pool->max_requests)
                rules_refuse(rules, pool, POOL_SNAPSHOT_AFTER,
                             "no worker gets so far with max_requests = %" PRIu64 "; expected fewer",
                             pool->max_requests);
}

static void check_argv0(const struct rules *rules, const struct pool_config *pool)
{
        if (rules_is_set(pool, POOL_ARGV0) && !pool_config_uses(pool, POOL_ARGV0))
                rules_warn(rules, pool, POOL_ARGV0, "no effect: the handler is no program");
}

static void check_start_method(const struct rules *rules, const struct pool_config *pool)
{
        if (rules_is_set(pool, POOL_START_METHOD) && !pool_config_uses(pool, POOL_START_METHOD))
                rules_warn(rules, pool, POOL_START_METHOD, "no effect: the handler is no program");
        else if (pool->start_method == START_FORKSERVER && pool->handler_type == HANDLER_LISTENER)
                rules_refuse(rules, pool, POOL_START_METHOD,
                             "a handler that accepts itself has no connections of which it could be given a copy; "
                             "expected snapshot or exec");
        else if (pool_config_has_template(pool) && pool->handler_type == HANDLER_LISTENER &&
                 pool->accounting != ACCOUNTING_PRELOAD)
                rules_refuse(rules, pool, POOL_START_METHOD,
                             "snapshot needs accounting = preload, which sees the handler's first wait for a "
                             "connection; expected that, or exec");
        if (pool_config_has_template(pool) && pool->listen.count > POOL_COPIED_LISTEN_MAX)
                rules_refuse(rules, pool, POOL_START_METHOD,
                             "a handler is copied for at most %d addresses; expected exec", POOL_COPIED_LISTEN_MAX);
}

void config_check_handler(const struct rules *rules, const struct pool_config *pool)
{
        static void (*const checks[HANDLER_TYPE_COUNT])(const struct rules *rules, const struct pool_config *pool) = {
                [HANDLER_INETD] = warn_privileges,
                [HANDLER_LISTENER] = warn_privileges,
                [HANDLER_MODULE] = check_module,
                [HANDLER_BUILTIN] = check_builtin,
        };

        if (pool->handler.count > 0 && checks[pool->handler_type])
                checks[pool->handler_type](rules, pool);
        if (pool->threads_per_worker > 1 && pool->handler_type != HANDLER_MODULE &&
            pool->handler_type != HANDLER_BUILTIN)
                rules_refuse(
                        rules, pool, POOL_THREADS_PER_WORKER,
                        "only what is loaded into a worker can be served by threads; expected 1, or handler_type = "
                        "module or builtin");
        check_argv0(rules, pool);
        check_copy(rules, pool);
        check_start_method(rules, pool);
        check_snapshot_after(rules, pool);
}
