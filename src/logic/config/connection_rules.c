/* The rules of `connection_log` and its kind: what workers do with connections beside their handlers. */
#include "base/cleanup.h"
#include "logic/config/rules.h"

/* Is it on, and more than what can be done for a program that accepts itself? */
static bool is_too_much(const struct pool_config *pool, enum pool_option option)
{
        switch (option) {
        case POOL_LINGERING_CLOSE:
                return pool->lingering_close_ms > 0;
        case POOL_IDLE_TIMEOUT:
                return pool->idle_timeout_ms > 0;
        default: /* whom the preload object refuses the program does not see */
                return pool->connection_log == CONNECTION_LOG_ALL ||
                       (pool->connection_log == CONNECTION_LOG_REFUSED && !pool_config_is_guarded(pool));
        }
}

/* The kernel counts on TCP alone what has gone, and when. */
static void check_idle(const struct rules *rules, const struct pool_config *pool)
{
        for (size_t i = 0; i < pool->listen.count && pool->idle_timeout_ms > 0; i++) {
                const struct listen_address *item = &pool->listen.items[i];
                if (item->address.datagram || item->address.any.sa_family == AF_UNIX)
                        rules_refuse(rules, pool, POOL_IDLE_TIMEOUT,
                                     "when something has gone is known of TCP connections alone, and the pool listens "
                                     "on %s; expected request_timeout, or a pool of its own",
                                     item->text);
        }
}

void config_check_connections(const struct rules *rules, const struct pool_config *pool)
{
        static const enum pool_option options[] = {POOL_CONNECTION_LOG, POOL_LINGERING_CLOSE, POOL_IDLE_TIMEOUT};

        for (size_t i = 0; i < ELEMENTS(options) && pool->handler_type == HANDLER_LISTENER; i++)
                if (rules_is_set(pool, options[i]) && is_too_much(pool, options[i]))
                        rules_refuse(rules, pool, options[i],
                                     "a handler that accepts itself has its connections alone, and preforkd sees "
                                     "nothing of their ends; expected another handler_type, or %s",
                                     options[i] == POOL_CONNECTION_LOG && pool_config_is_guarded(pool)
                                             ? "refused"
                                             : "leave it out");
        if (pool->connection_log_format && pool->connection_log == CONNECTION_LOG_NO &&
            !pool->origins[POOL_CONNECTION_LOG_FORMAT].of_defaults)
                rules_warn(rules, pool, POOL_CONNECTION_LOG_FORMAT, "no effect without connection_log");
        check_idle(rules, pool);
}
