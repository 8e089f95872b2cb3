#include "logic/config/datagram_rules.h"

#include <stddef.h>

#include "logic/config/builtins.h"
#include "logic/config/rules.h"

static const char *reason_inetd(const struct pool_config *pool, const struct address *address)
{
        (void)pool;
        (void)address;
        return "a program that gets a connection on stdin and stdout cannot serve datagrams; expected handler_type = "
               "listener (with listen_fd = 0 for what inetd calls wait), module or builtin";
}

static const char *reason_listener(const struct pool_config *pool, const struct address *address)
{
        (void)address;
        return pool->accounting == ACCOUNTING_NONE
                       ? NULL
                       : "who accepts nothing cannot be seen accepting; expected accounting = none";
}

/* Anybody can write another's address on a datagram: what answers is a weapon in the hands of strangers. */
static const char *reason_builtin(const struct pool_config *pool, const struct address *address)
{
        const struct builtin_name *builtin = pool->handler.count > 0 ? builtin_name_find(pool->handler.list[0]) : NULL;

        if (!builtin || builtin->datagrams == BUILTIN_DATAGRAMS_SILENT)
                return NULL;
        if (builtin->datagrams == BUILTIN_DATAGRAMS_NONE)
                return "that builtin serves connections only";
        return address_is_loopback(address)
                       ? NULL
                       : "that builtin answers datagrams whose sender can be forged, and would flood "
                         "strangers; expected a loopback address";
}

const char *datagram_rules_reason(const struct pool_config *pool, const struct address *address)
{
        static const char *(*const reasons[HANDLER_TYPE_COUNT])(const struct pool_config *pool,
                                                                const struct address *address) = {
                [HANDLER_INETD] = reason_inetd,
                [HANDLER_LISTENER] = reason_listener,
                [HANDLER_BUILTIN] = reason_builtin,
        };

        return reasons[pool->handler_type] ? reasons[pool->handler_type](pool, address) : NULL;
}

bool datagram_rules_apply(const struct pool_config *pool)
{
        for (size_t i = 0; i < pool->listen.count; i++)
                if (pool->listen.items[i].address.datagram)
                        return true;
        return false;
}

void datagram_rules_derive(struct pool_config *pool)
{
        if (!rules_is_set(pool, POOL_ACCOUNTING) && pool->handler_type == HANDLER_LISTENER &&
            datagram_rules_apply(pool))
                pool->accounting = ACCOUNTING_NONE;
}

void datagram_rules_check(const struct rules *rules, const struct pool_config *pool)
{
        for (size_t i = 0; i < pool->listen.count; i++) {
                const struct listen_address *item = &pool->listen.items[i];
                const char *reason = item->address.datagram ? datagram_rules_reason(pool, &item->address) : NULL;
                if (reason)
                        rules_refuse(rules, pool, POOL_LISTEN, "%s: %s", item->text, reason);
        }
        if (pool->when_full == FULL_REFUSE && datagram_rules_apply(pool))
                rules_refuse(rules, pool, POOL_WHEN_FULL,
                             "a datagram cannot be refused, only left waiting; expected queue");
}
