/* The rules about `allow`, `deny` and `proxy_protocol`, and the last step to what they mean. */
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "logic/config/datagram_rules.h"
#include "logic/config/rules.h"

/* Rules of words that need no look-up. False: some do. */
static bool add_plain(const struct words *words, enum access_answer answer, struct access_rules *ret, int *error)
{
        for (size_t i = 0; i < words->count && *error == 0; i++) {
                struct access_rule rule;
                if (access_word_parse(words->list[i], &rule) != ACCESS_WORD_RULE)
                        return false;
                rule.answer = (uint8_t)answer;
                *error = access_rules_add(ret, &rule);
        }
        return true;
}

/* Make the table, if there are words; `deny` may be none. */
static int complete(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                    struct pool_access *access)
{
        static const struct words none = {0};
        bool is_of_proxies = option == POOL_PROXY_PROTOCOL;
        const struct words *allow = is_of_proxies ? &pool->proxy_protocol : &pool->allow;
        const struct words *deny = is_of_proxies ? &none : &pool->deny;
        int r = 0;

        if (allow->count == 0 && deny->count == 0)
                return 0;
        if (!access->is_known) {
                access_rules_clear(&access->rules);
                access->is_known = add_plain(allow, ACCESS_ALLOW, &access->rules, &r) &&
                                   add_plain(deny, ACCESS_DENY, &access->rules, &r);
        }
        if (r < 0)
                return r;
        if (!access->is_known)
                rules_refuse(rules, pool, allow->count > 0 ? option : POOL_DENY,
                             "its lists and names are not known here");
        free(access->table);
        access->table = NULL;
        return access_table_build(&access->rules, allow->count > 0, &access->table);
}

/* Who sends a datagram over a UNIX socket is not known. */
static bool has_unknown_senders(const struct pool_config *pool)
{
        for (size_t i = 0; i < pool->listen.count; i++) {
                const struct address *address = &pool->listen.items[i].address;
                if (address->datagram && address->any.sa_family == AF_UNIX)
                        return true;
        }
        return false;
}

static bool names_users(const struct access_rules *rules)
{
        for (size_t i = 0; i < rules->count; i++)
                if (rules->items[i].kind == ACCESS_OF_UID || rules->items[i].kind == ACCESS_OF_GID)
                        return true;
        return false;
}

/* A client has a user only if it comes over a UNIX socket. What a service manager passes may be one. */
static bool may_have_users(const struct pool_config *pool)
{
        for (size_t i = 0; i < pool->listen.count; i++) {
                const struct listen_address *item = &pool->listen.items[i];
                if (item->address.any.sa_family == AF_UNIX || listen_address_socket_name(item))
                        return true;
        }
        return pool->listen.count == 0;
}

/* Are there rules with that answer, and is each about clients of UNIX sockets? */
static bool are_of_users(const struct access_rules *rules, enum access_answer answer)
{
        size_t count = 0;

        for (size_t i = 0; i < rules->count; i++) {
                if (rules->items[i].answer != answer)
                        continue;
                if (rules->items[i].kind == ACCESS_OF_NETWORK)
                        return false;
                count++;
        }
        return count > 0;
}

/* No client can be meant: with `allow` nobody may come in. */
static void warn_of_users(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                          const struct access_rules *access)
{
        enum access_answer answer = option == POOL_DENY ? ACCESS_DENY : ACCESS_ALLOW;

        if (may_have_users(pool) || !are_of_users(access, answer))
                return;
        rules_warn(rules, pool, option, "%s: uid:, gid: and unix name clients of UNIX sockets, and the pool has none",
                   option == POOL_ALLOW ? "nobody may connect" : "no effect");
}

static void check(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                  const struct words *words, const struct pool_access *access)
{
        if (words->count == 0)
                return;
        if (!pool_config_is_guarded(pool))
                rules_refuse(rules, pool, option,
                             "a handler that accepts itself takes its connections before preforkd sees their clients; "
                             "expected accounting = preload, another handler_type, or rules in the handler or a "
                             "firewall");
        else if (option == POOL_PROXY_PROTOCOL && pool->handler_type == HANDLER_LISTENER)
                rules_refuse(rules, pool, option,
                             "a handler that accepts itself asks the kernel who its client is, which knows of the "
                             "proxy alone; expected another handler_type, or a handler that reads the header");
        if (has_unknown_senders(pool) && names_users(&access->rules))
                rules_refuse(rules, pool, option,
                             "who sends a datagram over a UNIX socket is not known; expected no uid: and gid:");
        warn_of_users(rules, pool, option, &access->rules);
}

int config_check_access(const struct rules *rules, struct pool_config *pool)
{
        int r = complete(rules, pool, POOL_ALLOW, &pool->access);

        if (r == 0)
                r = complete(rules, pool, POOL_PROXY_PROTOCOL, &pool->proxies);
        if (r < 0)
                return r;
        check(rules, pool, POOL_ALLOW, &pool->allow, &pool->access);
        check(rules, pool, POOL_DENY, &pool->deny, &pool->access);
        check(rules, pool, POOL_PROXY_PROTOCOL, &pool->proxy_protocol, &pool->proxies);
        if (pool->proxy_protocol.count > 0 && datagram_rules_apply(pool))
                rules_refuse(rules, pool, POOL_PROXY_PROTOCOL,
                             "datagrams have no PROXY header; expected addresses for connections alone");
        return 0;
}
