/* Access rules: what is read is written in a form that says the same; the table is whole, and answers every client as
 * the list does, by going through all rules. */
#include "base/cleanup.h"
#include "base/text.h"
#include "fuzz.h"
#include "logic/config/access_builder.h"

#define CLIENTS 16 /* that are looked up */
#define RULES 64   /* at most, or the slow search is too slow */

static const struct access_user unknown;

static bool matches(const struct network *network, const unsigned char *bytes)
{
        for (unsigned bit = 0; bit < network->prefix; bit++)
                if ((network->bytes[bit / 8] ^ bytes[bit / 8]) & 0x80 >> bit % 8)
                        return false;
        return true;
}

static enum access_answer ask_list(const struct access_rules *rules, const unsigned char *bytes, bool is_v6)
{
        enum access_answer answer = ACCESS_NO_RULE;
        int longest = -1;

        for (size_t i = 0; i < rules->count; i++) {
                const struct access_rule *rule = &rules->items[i];
                int prefix = (int)rule->network.prefix;
                if (rule->kind != ACCESS_OF_NETWORK || rule->network.is_v6 != is_v6 || prefix < longest ||
                    !matches(&rule->network, bytes))
                        continue;
                if (prefix > longest || rule->answer == ACCESS_DENY)
                        answer = (enum access_answer)rule->answer;
                longest = prefix;
        }
        return answer;
}

static void ask(const struct access_rules *rules, const struct access_table *table, const unsigned char *bytes,
                bool is_v6)
{
        struct address peer = {.any.sa_family = is_v6 ? AF_INET6 : AF_INET};

        memcpy(is_v6 ? (void *)&peer.in6.sin6_addr : &peer.in.sin_addr, bytes, is_v6 ? 16 : 4);
        if (!is_v6 || !IN6_IS_ADDR_V4MAPPED(&peer.in6.sin6_addr))
                MUST(access_look_up(table, &peer, &unknown) == ask_list(rules, bytes, is_v6));
}

/* The first and the last client of a network, and those beside them. */
static void ask_around(const struct access_rules *rules, const struct access_table *table,
                       const struct network *network)
{
        unsigned size = network->is_v6 ? 16 : 4;

        for (unsigned which = 0; which < 4; which++) {
                unsigned char bytes[16];
                memcpy(bytes, network->bytes, sizeof(bytes));
                for (unsigned bit = network->prefix; which % 2 && bit < size * 8; bit++)
                        bytes[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
                for (unsigned i = size; which >= 2 && i-- > 0;) {
                        unsigned char before = bytes[i];
                        bytes[i] = (unsigned char)(which == 2 ? before - 1 : before + 1);
                        if (before != (which == 2 ? 0 : 0xff))
                                break;
                }
                ask(rules, table, bytes, network->is_v6);
        }
}

static void look_up(const struct access_rules *rules, const uint8_t *data, size_t size)
{
        _cleanup_(freep) struct access_table *table = NULL;

        MUST(access_table_build(rules, true, &table) == 0);
        MUST(access_is_whole(table, table->bytes));
        for (size_t i = 0; i < rules->count && rules->count <= RULES; i++)
                if (rules->items[i].kind == ACCESS_OF_NETWORK)
                        ask_around(rules, table, &rules->items[i].network);
        for (size_t i = 0; i < CLIENTS && size >= 16 && rules->count <= RULES; i++) {
                const uint8_t *bytes = data + i * (size - 16) / CLIENTS;
                ask(rules, table, bytes, i % 2);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *string = fuzz_string(data, size);
        _cleanup_(access_rules_clear) struct access_rules rules = {0}, again = {0};
        _cleanup_(text_clear) struct text text = {0}, other = {0};

        if (access_rules_parse(string, &rules) < 0)
                return 0;
        MUST(access_rules_print(&rules, &text) == 0);
        MUST(access_rules_parse(text_string(&text), &again) == 0);
        MUST(access_rules_print(&again, &other) == 0);
        MUST(text_equal(text_string(&text), text_string(&other)));
        look_up(&rules, data, size);
        return 0;
}
