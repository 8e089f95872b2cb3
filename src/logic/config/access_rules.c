#include "logic/config/access_rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "base/words.h"

static const char uid_prefix[] = "uid:", gid_prefix[] = "gid:", unix_word[] = "unix";

#define PREFIX_LENGTH (sizeof(uid_prefix) - 1)

/* uid:33, or uid:www-data. (uint32_t)-1 is nobody. */
static int parse_account(const char *name, enum access_word if_name, uint32_t *ret)
{
        uint64_t number;

        if (name[0] == '\0')
                return -EINVAL;
        if (strspn(name, "0123456789") != strlen(name))
                return if_name;
        if (number_parse(name, &number) < 0 || number >= UINT32_MAX)
                return -EINVAL;
        *ret = (uint32_t)number;
        return ACCESS_WORD_RULE;
}

int access_word_parse(const char *word, struct access_rule *ret)
{
        *ret = (struct access_rule){.kind = ACCESS_OF_NETWORK};
        if (word[0] == '@')
                return word[1] == '/' ? ACCESS_WORD_LIST : -EINVAL;
        if (text_equal(word, unix_word)) {
                ret->kind = ACCESS_OF_UNIX;
                return ACCESS_WORD_RULE;
        }
        if (text_starts_with(word, uid_prefix)) {
                ret->kind = ACCESS_OF_UID;
                return parse_account(word + PREFIX_LENGTH, ACCESS_WORD_USER, &ret->id);
        }
        if (text_starts_with(word, gid_prefix)) {
                ret->kind = ACCESS_OF_GID;
                return parse_account(word + PREFIX_LENGTH, ACCESS_WORD_GROUP, &ret->id);
        }
        int r = network_parse(word, &ret->network);
        return r < 0 ? r : ACCESS_WORD_RULE;
}

const char *access_word_name(const char *word)
{
        return word[0] == '@' ? word + 1 : word + PREFIX_LENGTH;
}

int access_rules_add(struct access_rules *rules, const struct access_rule *rule)
{
        if (rules->count == rules->capacity) {
                size_t capacity = rules->capacity > 0 ? rules->capacity * 2 : 16;
                struct access_rule *items = reallocarray(rules->items, capacity, sizeof(*items));
                if (!items)
                        return -ENOMEM;
                rules->items = items;
                rules->capacity = capacity;
        }
        rules->items[rules->count++] = *rule;
        return 0;
}

static int print_rule(const struct access_rule *rule, struct text *text)
{
        char network[NETWORK_TEXT_MAX];

        switch (rule->kind) {
        case ACCESS_OF_UID:
        case ACCESS_OF_GID:
                return text_appendf(text, " %s%" PRIu32, rule->kind == ACCESS_OF_UID ? uid_prefix : gid_prefix,
                                    rule->id);
        case ACCESS_OF_UNIX:
                return text_appendf(text, " %s", unix_word);
        default:
                network_format(&rule->network, network);
                return text_appendf(text, " %s", network);
        }
}

int access_rules_print(const struct access_rules *rules, struct text *text)
{
        static const char *const signs[] = {[ACCESS_ALLOW] = "+", [ACCESS_DENY] = "-"};
        uint8_t answer = ACCESS_ALLOW;
        int r = text_append(text, signs[answer]);

        for (size_t i = 0; i < rules->count && r == 0; i++) {
                const struct access_rule *rule = &rules->items[i];
                if (rule->answer != answer)
                        r = text_appendf(text, " %s", signs[rule->answer]);
                answer = rule->answer;
                if (r == 0)
                        r = print_rule(rule, text);
        }
        return r;
}

int access_rules_parse(const char *string, struct access_rules *ret)
{
        _cleanup_(words_clear) struct words words = {0};
        _cleanup_(access_rules_clear) struct access_rules rules = {0};
        uint8_t answer = ACCESS_ALLOW;

        int r = words_split(string, &words);
        for (size_t i = 0; i < words.count && r == 0; i++) {
                const char *word = words.list[i];
                struct access_rule rule;
                if (text_equal(word, "+") || text_equal(word, "-")) {
                        answer = word[0] == '+' ? ACCESS_ALLOW : ACCESS_DENY;
                        continue;
                }
                if (access_word_parse(word, &rule) != ACCESS_WORD_RULE)
                        return -EINVAL;
                rule.answer = answer;
                r = access_rules_add(&rules, &rule);
        }
        if (r < 0)
                return r;
        access_rules_clear(ret);
        *ret = rules;
        rules = (struct access_rules){0};
        return 0;
}

void access_rules_clear(struct access_rules *rules)
{
        free(rules->items);
        *rules = (struct access_rules){0};
}
