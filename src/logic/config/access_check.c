/* The rules about `allow` and `deny`, and the last step to what they mean. */
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

static int complete(const struct rules *rules, struct pool_config *pool)
{
        struct pool_access *access = &pool->access;
        int r = 0;

        if (!access->is_known) {
                access_rules_clear(&access->rules);
                access->is_known = add_plain(&pool->allow, ACCESS_ALLOW, &access->rules, &r) &&
                                   add_plain(&pool->deny, ACCESS_DENY, &access->rules, &r);
        }
        if (r < 0)
                return r;
        if (!access->is_known)
                rules_refuse(rules, pool, pool->allow.count > 0 ? POOL_ALLOW : POOL_DENY,
                             "its lists and names are not known here");
        free(access->table);
        access->table = NULL;
        return access_table_build(&access->rules, pool->allow.count > 0, &access->table);
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

static void check(const struct rules *rules, const struct pool_config *pool, enum pool_option option)
{
        if (!rules_is_set(pool, option))
                return;
        if (pool->handler_type == HANDLER_LISTENER)
                rules_refuse(rules, pool, option,
                             "a handler that accepts itself takes its connections before preforkd sees their clients; "
                             "expected another handler_type, or rules in the handler or a firewall");
        if (has_unknown_senders(pool) && names_users(&pool->access.rules))
                rules_refuse(rules, pool, option,
                             "who sends a datagram over a UNIX socket is not known; expected no uid: and gid:");
}

int config_check_access(const struct rules *rules, struct pool_config *pool)
{
        int r = pool_config_has_access_rules(pool) ? complete(rules, pool) : 0;

        if (r < 0)
                return r;
        check(rules, pool, POOL_ALLOW);
        check(rules, pool, POOL_DENY);
        return 0;
}
