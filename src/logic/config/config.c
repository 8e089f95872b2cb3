#include "logic/config/config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/builtins.h"

int limit_resource(enum limit limit)
{
        static const int resources[LIMIT_COUNT] = {
                [LIMIT_NOFILE] = RLIMIT_NOFILE, [LIMIT_AS] = RLIMIT_AS,       [LIMIT_CORE] = RLIMIT_CORE,
                [LIMIT_CPU] = RLIMIT_CPU,       [LIMIT_NPROC] = RLIMIT_NPROC, [LIMIT_DATA] = RLIMIT_DATA,
                [LIMIT_STACK] = RLIMIT_STACK,   [LIMIT_FSIZE] = RLIMIT_FSIZE};

        return resources[limit];
}

const char *listen_address_socket_name(const struct listen_address *listen)
{
        return listen->address.any.sa_family == AF_UNSPEC ? listen->text + strlen(LISTEN_SYSTEMD_PREFIX) : NULL;
}

bool listen_address_equal(const struct listen_address *a, const struct listen_address *b)
{
        bool is_named = a->address.any.sa_family == AF_UNSPEC || b->address.any.sa_family == AF_UNSPEC;

        return is_named ? text_equal(a->text, b->text) : address_equal(&a->address, &b->address);
}

bool log_target_equal(const struct log_target *a, const struct log_target *b)
{
        return a->kind == b->kind && (a->kind != LOG_TARGET_FILE || text_equal(a->path, b->path));
}

struct pool_config *config_find_pool(const struct config *config, const char *name)
{
        for (size_t i = 0; i < config->pool_count; i++)
                if (text_equal(config->pools[i]->name, name))
                        return config->pools[i];
        return NULL;
}

struct pool_config *config_add_pool(struct config *config, const char *name, struct origin section)
{
        _cleanup_(freep) struct pool_config *pool = calloc(1, sizeof(*pool));
        _cleanup_(freep) char *name_copy = strdup(name);
        struct pool_config **pools = realloc(config->pools, (config->pool_count + 1) * sizeof(struct pool_config *));

        if (pools)
                config->pools = pools;
        if (!pool || !name_copy || !pools)
                return NULL;
        pool->name = TAKE_PTR(name_copy);
        pool->section = section;
        return config->pools[config->pool_count++] = TAKE_PTR(pool);
}

struct pool_config *config_make_defaults(struct config *config, struct origin section)
{
        _cleanup_(freep) struct pool_config *defaults = config->defaults ? NULL : calloc(1, sizeof(*defaults));

        if (config->defaults)
                return config->defaults;
        if (!defaults)
                return NULL;
        defaults->name = strdup(CONFIG_DEFAULTS_SECTION);
        defaults->section = section;
        return defaults->name ? config->defaults = TAKE_PTR(defaults) : NULL;
}

struct pool_config *config_take_pool(struct config *config, const char *name)
{
        for (size_t i = 0; i < config->pool_count; i++) {
                struct pool_config *pool = config->pools[i];
                if (!text_equal(pool->name, name))
                        continue;
                memmove(&config->pools[i], &config->pools[i + 1],
                        (--config->pool_count - i) * sizeof(struct pool_config *));
                /* Lines stay: they say which values were set when the pool is printed and parsed again. */
                pool->section.file = NULL;
                for (int option = 0; option < POOL_OPTION_COUNT; option++)
                        pool->origins[option].file = NULL;
                return pool;
        }
        return NULL;
}

const char *config_intern_file(struct config *config, const char *file)
{
        for (size_t i = 0; i < config->file_count; i++)
                if (text_equal(config->files[i], file))
                        return config->files[i];

        char *copy = strdup(file);
        char **files = copy ? realloc(config->files, (config->file_count + 1) * sizeof(*files)) : NULL;
        if (!files) {
                free(copy);
                return NULL;
        }
        config->files = files;
        return config->files[config->file_count++] = copy;
}

/* Has the option a meaning for a listener at this address? A systemd: socket may be anything but UNIX. */
static bool concerns(enum pool_option option, const struct address *address)
{
        bool is_unix = address->any.sa_family == AF_UNIX;

        switch (option) {
        case POOL_SOCKET_USER:
        case POOL_SOCKET_GROUP:
        case POOL_SOCKET_MODE: /* an abstract socket has no file that could have an owner */
                return is_unix && address->un.sun_path[0] != '\0';
        case POOL_BACKLOG:
        case POOL_FULL_RESPONSE:
        case POOL_BANNER:
                return !address->datagram;
        case POOL_IPV6_ONLY:
                return address->any.sa_family == AF_INET6;
        case POOL_FREE_BIND:
                return !is_unix;
        case POOL_BIND_TO_DEVICE: /* a socket of the service manager keeps what its unit says */
                return !is_unix && address->any.sa_family != AF_UNSPEC;
        default: /* those of TCP, and queue_timeout */
                return !is_unix && !address->datagram;
        }
}

static bool has_listener(const struct pool_config *pool, enum pool_option option)
{
        for (size_t i = 0; i < pool->listen.count; i++)
                if (concerns(option, &pool->listen.items[i].address))
                        return true;
        return false;
}

enum retire_signal pool_config_retire_signal(const struct pool_config *pool)
{
        if (pool->retire_signal != RETIRE_AUTO)
                return (enum retire_signal)pool->retire_signal;
        return pool->accounting == ACCOUNTING_PRELOAD && pool->listen_fd == LISTEN_FD_ZERO ? RETIRE_RETURN
                                                                                           : RETIRE_TERM;
}

enum start_method pool_config_start_method(const struct pool_config *pool)
{
        return (enum start_method)(pool->start_method == START_AUTO ? pool->choice.start_method : pool->start_method);
}

enum copy pool_config_copy(const struct pool_config *pool)
{
        return (enum copy)(pool->copy == COPY_AUTO ? pool->choice.copy : pool->copy);
}

bool pool_config_is_root(const struct pool_config *pool)
{
        return pool->user.name && pool->user.id == 0;
}

bool pool_config_is_copied(const struct pool_config *pool)
{
        return pool->handler_type == HANDLER_INETD && pool_config_start_method(pool) != START_EXEC;
}

bool pool_config_has_template(const struct pool_config *pool)
{
        return pool_config_is_copied(pool) ||
               (pool->handler_type == HANDLER_LISTENER && pool_config_start_method(pool) == START_SNAPSHOT);
}

bool pool_config_keeps_handler(const struct pool_config *pool)
{
        return pool_config_is_copied(pool) || pool->handler_type == HANDLER_LISTENER ||
               pool->handler_type == HANDLER_MODULE;
}

bool pool_config_is_unwatched(const struct pool_config *pool)
{
        return pool->handler_type == HANDLER_LISTENER && pool->accounting == ACCOUNTING_NONE;
}

bool pool_config_is_guarded(const struct pool_config *pool)
{
        return pool->handler_type != HANDLER_LISTENER || pool->accounting == ACCOUNTING_PRELOAD;
}

bool pool_config_is_status(const struct pool_config *pool)
{
        return pool->handler_type == HANDLER_BUILTIN && pool->handler.count > 0 &&
               text_equal(pool->handler.list[0], BUILTIN_STATUS);
}

const char *pool_config_agent_pool(const struct pool_config *pool)
{
        bool is_agent = pool->handler_type == HANDLER_BUILTIN && pool->handler.count == 2 &&
                        text_equal(pool->handler.list[0], BUILTIN_AGENT);

        return is_agent ? pool->handler.list[1] : NULL;
}

bool pool_config_asks_master(const struct pool_config *pool)
{
        return pool_config_is_status(pool) || pool_config_agent_pool(pool);
}

bool pool_config_is_wait(const struct pool_config *pool)
{
        return pool_config_is_unwatched(pool) && pool->listen_fd == LISTEN_FD_ZERO && pool->scaling == SCALING_ONDEMAND;
}

int pool_config_retire_number(const struct pool_config *pool)
{
        static const int numbers[] = {
                [RETIRE_TERM] = SIGTERM, [RETIRE_QUIT] = SIGQUIT, [RETIRE_INT] = SIGINT,
                [RETIRE_HUP] = SIGHUP,   [RETIRE_USR1] = SIGUSR1, [RETIRE_USR2] = SIGUSR2,
        };

        return numbers[pool_config_retire_signal(pool)];
}

/* Of a program that accepts itself, connections are not seen, or (libprefork) only when it accepts them. */
static bool can_answer(const struct pool_config *pool, enum pool_option option)
{
        if (pool_config_is_guarded(pool))
                return true;
        return option == POOL_QUEUE_TIMEOUT ? !pool_config_is_unwatched(pool)
                                            : option == POOL_FULL_RESPONSE && pool->when_full == FULL_REFUSE;
}

bool pool_config_uses(const struct pool_config *pool, enum pool_option option)
{
        switch (option) {
        case POOL_SOCKET_USER:
        case POOL_SOCKET_GROUP:
        case POOL_SOCKET_MODE:
        case POOL_IPV6_ONLY:
        case POOL_FREE_BIND:
        case POOL_BIND_TO_DEVICE:
        case POOL_TCP_NODELAY:
        case POOL_TCP_KEEPALIVE:
        case POOL_DEFER_ACCEPT:
        case POOL_BACKLOG:
                return has_listener(pool, option);
        case POOL_FULL_RESPONSE:
        case POOL_QUEUE_TIMEOUT:
        case POOL_BANNER:
                return has_listener(pool, option) && can_answer(pool, option);
        case POOL_MIN_SPARE_WORKERS:
        case POOL_MAX_SPARE_WORKERS:
        case POOL_START_WORKERS:
        case POOL_SPARE_TIMEOUT:
        case POOL_GROWTH_PRESSURE_LIMIT:
                return pool->scaling != SCALING_STATIC;
        case POOL_ARGV0:
        case POOL_START_METHOD:
                return pool->handler_type == HANDLER_INETD || pool->handler_type == HANDLER_LISTENER;
        case POOL_ROLLBACK_CHECK:
                return pool_config_uses(pool, POOL_COPY) && pool->copy != COPY_FORK;
        case POOL_COPY:
        case POOL_FAST_EXIT: /* also if auto has not been decided, or chooses exec on this machine */
                return pool->handler_type == HANDLER_INETD && pool->start_method != START_EXEC;
        case POOL_SNAPSHOT_AFTER:
                return pool->handler_type == HANDLER_LISTENER && pool->start_method != START_EXEC;
        case POOL_LISTEN_FD:
        case POOL_ACCOUNTING:
                return pool->handler_type == HANDLER_LISTENER;
        case POOL_RETIRE_SIGNAL:
                return pool->handler_type == HANDLER_LISTENER && pool->accounting != ACCOUNTING_API;
        default:
                return true;
        }
}

bool pool_config_holds_connections(const struct pool_config *pool)
{
        return pool->connection_log == CONNECTION_LOG_ALL || pool->lingering_close_ms > 0 || pool->idle_timeout_ms > 0;
}

char **pool_config_arguments(const struct pool_config *pool)
{
        char **arguments = calloc(pool->handler.count + 1, sizeof(*arguments));

        for (size_t i = 0; arguments && i < pool->handler.count; i++)
                arguments[i] = i == 0 && pool->argv0 ? pool->argv0 : pool->handler.list[i];
        return arguments;
}

uint64_t pool_config_surge(const struct pool_config *pool)
{
        uint64_t surge = (pool->max_workers * pool->reload_surge_percent + 99) / 100,
                 threads = pool_config_threads(pool);

        return (surge + threads - 1) / threads * threads;
}

unsigned pool_config_threads(const struct pool_config *pool)
{
        return (unsigned)MAX_OF(pool->threads_per_worker, (uint64_t)1);
}

uint64_t pool_config_process_limit(const struct pool_config *pool)
{
        uint64_t detached = pool->detach_after_ms > 0 ? pool->max_detached_workers : 0;
        uint64_t recycling = pool->max_recycling * pool_config_threads(pool);

        /* No factor is past 65,000 (schema.c), so the sum cannot overflow. */
        return MIN_OF(pool->max_workers + detached + recycling + pool_config_surge(pool), (uint64_t)POOL_SLOTS);
}
