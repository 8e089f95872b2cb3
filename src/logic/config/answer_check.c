/* The rules about what preforkd itself answers: `full_response`, `queue_timeout` and `banner`. */
#include "logic/config/datagram_rules.h"
#include "logic/config/rules.h"

static bool listens_on_unix(const struct pool_config *pool)
{
        for (size_t i = 0; i < pool->listen.count; i++)
                if (pool->listen.items[i].address.any.sa_family == AF_UNIX)
                        return true;
        return false;
}

void config_check_wait(const struct rules *rules, const struct pool_config *pool)
{
        if (pool->queue_timeout_ms == 0)
                return;
        if (pool_config_is_unwatched(pool))
                rules_refuse(rules, pool, POOL_QUEUE_TIMEOUT,
                             "with accounting = none nobody sees the connections of a handler that accepts itself; "
                             "expected preload or api");
        else if (listens_on_unix(pool))
                rules_refuse(rules, pool, POOL_QUEUE_TIMEOUT,
                             "the kernel does not say how long a connection to a UNIX socket has waited; expected TCP "
                             "addresses alone");
        else if (datagram_rules_apply(pool))
                rules_refuse(rules, pool, POOL_QUEUE_TIMEOUT,
                             "the kernel does not say how long a datagram has waited; expected TCP addresses alone");
}

static bool is_said(const struct message *message)
{
        return message->path || message->length > 0;
}

static bool can_refuse(const struct pool_config *pool)
{
        return pool->when_full == FULL_REFUSE || pool->max_connections_per_source > 0 || pool->queue_timeout_ms > 0 ||
               pool->allow.count > 0 || pool->deny.count > 0 || pool->proxy_protocol.count > 0 ||
               pool->rate_limit_per_source.count > 0;
}

/* What libprefork refuses is closed in the program; who is refused because the pool is full is not. */
static void check_listener_response(const struct rules *rules, const struct pool_config *pool)
{
        if (pool->when_full != FULL_REFUSE)
                rules_refuse(rules, pool, POOL_FULL_RESPONSE,
                             "a handler that accepts itself closes what is refused without a text; expected accounting "
                             "= preload, or when_full = refuse, whose clients get one");
        else if (pool->max_connections_per_source > 0 || pool->queue_timeout_ms > 0)
                rules_warn(rules, pool, POOL_FULL_RESPONSE,
                           "only clients refused by when_full get it: a handler that accepts itself closes what "
                           "max_connections_per_source and queue_timeout refuse without a text");
}

static void check_response(const struct rules *rules, const struct pool_config *pool)
{
        if (!is_said(&pool->full_response))
                return;
        if (datagram_rules_apply(pool))
                rules_refuse(rules, pool, POOL_FULL_RESPONSE,
                             "a datagram is dropped without an answer; expected addresses for connections alone");
        else if (!pool_config_is_guarded(pool))
                check_listener_response(rules, pool);
        else if (!can_refuse(pool) && !pool->origins[POOL_FULL_RESPONSE].of_defaults)
                rules_warn(rules, pool, POOL_FULL_RESPONSE,
                           "no effect: nothing is refused; expected when_full = refuse, or a limit or rule about "
                           "clients");
}

static void check_banner(const struct rules *rules, const struct pool_config *pool)
{
        if (!is_said(&pool->banner))
                return;
        if (!pool_config_is_guarded(pool))
                rules_refuse(rules, pool, POOL_BANNER,
                             "a handler that accepts itself takes its connections before preforkd sees them; expected "
                             "accounting = preload, another handler_type, or a handler that greets");
        else if (datagram_rules_apply(pool))
                rules_refuse(rules, pool, POOL_BANNER,
                             "nobody is greeted before a datagram; expected addresses for connections alone");
}

/* xinetd's banners are files. */
static void check_name(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                       const struct message *message)
{
        bool is_name = !message->path && message->length > 0 && message->bytes[0] == '/';

        for (size_t i = 0; i < message->length && is_name; i++)
                is_name = (unsigned char)message->bytes[i] > ' ';
        if (is_name)
                rules_warn(rules, pool, option, "clients get \"%.*s\" itself; for what is in that file write @%.*s",
                           (int)message->length, message->bytes, (int)message->length, message->bytes);
}

void config_check_answers(const struct rules *rules, const struct pool_config *pool)
{
        check_response(rules, pool);
        check_banner(rules, pool);
        check_name(rules, pool, POOL_FULL_RESPONSE, &pool->full_response);
        check_name(rules, pool, POOL_BANNER, &pool->banner);
}
