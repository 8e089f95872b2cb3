#include "master/config/config_access.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"
#include "master/config/config_file.h"
#include "os/account.h"

#define LINE_PROBLEMS_MAX 10 /* of a list, so that a file of another kind does not fill the log */

/* Where a word stands, and what is done with those who are named. */
struct place {
        const char *file;
        unsigned line;
        const char *key; /* NULL: in a list */
        enum access_answer answer;
};

static void refuse(const struct place *place, const char *word, const char *why, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text excerpt = {0};

        if (option_quote_excerpt(&excerpt, word) < 0)
                problems->out_of_memory = true;
        problem_add(problems, place->file, place->line, "%s%s%s: %s", place->key ? place->key : "",
                    place->key ? ": " : "", text_string(&excerpt), why);
}

/* 0; -ENOENT or another -errno: the number is not known. */
static int look_up(const char *name, enum access_word kind, uint32_t *ret)
{
        _cleanup_(account_clear) struct account_record user = {0};
        gid_t gid = 0;

        int r = kind == ACCESS_WORD_USER ? account_find_by_name(name, &user) : account_find_group(name, &gid);
        if (r == 0)
                *ret = kind == ACCESS_WORD_USER ? user.uid : gid;
        return r;
}

/* A word that is no list. 0 or -ENOMEM. */
static int add_word(const struct place *place, const char *word, struct access_rules *rules,
                    struct problem_list *problems)
{
        struct access_rule rule;
        int kind = access_word_parse(word, &rule);
        int r = 0;

        if (kind == ACCESS_WORD_USER || kind == ACCESS_WORD_GROUP)
                r = look_up(access_word_name(word), (enum access_word)kind, &rule.id);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                refuse(place, word, r == -ENOENT ? "there is none of that name" : strerror(-r), problems);
                return 0;
        }
        if (kind < 0 || kind == ACCESS_WORD_LIST) {
                refuse(place, word,
                       kind == -ERANGE  ? "the prefix is too long; expected at most /32, or /128 for IPv6"
                       : kind == -EDOM  ? "bits beyond the prefix are set"
                       : word[0] == '@' ? "a list cannot name another one"
                                        : "expected ADDRESS, NETWORK/PREFIX, uid:USER, gid:GROUP or unix",
                       problems);
                return 0;
        }
        rule.answer = (uint8_t)place->answer;
        return access_rules_add(rules, &rule);
}

/* The word of a line, of which the text is changed; NULL: it has none. `end` is where it ends, or the text. */
static const char *take_word(char *line, char *end)
{
        static const char blanks[] = " \t\r";

        *end = '\0';
        line[strcspn(line, "#")] = '\0';
        line += strspn(line, blanks);
        for (size_t length = strlen(line); length > 0 && strchr(blanks, line[length - 1]); length--)
                line[length - 1] = '\0';
        return line[0] != '\0' ? line : NULL;
}

static int add_lines(struct place *place, char *text, size_t length, struct access_rules *rules,
                     struct problem_list *problems)
{
        size_t before = problems->count;
        int r = 0;

        for (char *line = text, *end = text + length; line < end && r == 0;) {
                char *next = memchr(line, '\n', (size_t)(end - line));
                next = next ? next : end;
                place->line++;
                const char *word;
                if (memchr(line, '\0', (size_t)(next - line)))
                        problem_add(problems, place->file, place->line, "it has a NUL byte; expected text");
                else if ((word = take_word(line, next)))
                        r = add_word(place, word, rules, problems);
                if (problems->count - before >= LINE_PROBLEMS_MAX) {
                        problem_add(problems, place->file, place->line, "and perhaps more; the rest was not read");
                        break;
                }
                line = next + 1;
        }
        return r;
}

static int add_list(const struct place *named, const char *path, struct access_rules *rules,
                    struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};
        struct place place = {.file = path, .answer = named->answer};

        int r = config_file_read(path, CONFIG_FILE_PART, &text, problems);
        if (r != 0)
                return r < 0 ? r : 0;
        return text.length > 0 ? add_lines(&place, text.bytes, text.length, rules, problems) : 0;
}

static int add_option(const struct pool_config *pool, enum pool_option option, const struct words *words,
                      enum access_answer answer, struct access_rules *rules, struct problem_list *problems)
{
        const struct origin *origin = &pool->origins[option];
        const struct place place = {
                .file = origin->file, .line = origin->line, .key = pool_options[option].name, .answer = answer};
        int r = 0;

        for (size_t i = 0; i < words->count && r == 0; i++) {
                const char *word = words->list[i];
                r = word[0] == '@' ? add_list(&place, access_word_name(word), rules, problems)
                                   : add_word(&place, word, rules, problems);
        }
        return r;
}

int config_access_resolve(struct config *config, struct problem_list *problems)
{
        int r = 0;

        for (size_t i = 0; i < config->pool_count && r == 0; i++) {
                struct pool_config *pool = config->pools[i];
                struct pool_access *access = &pool->access;
                r = add_option(pool, POOL_ALLOW, &pool->allow, ACCESS_ALLOW, &access->rules, problems);
                if (r == 0)
                        r = add_option(pool, POOL_DENY, &pool->deny, ACCESS_DENY, &access->rules, problems);
                if (r == 0)
                        r = add_option(pool, POOL_PROXY_PROTOCOL, &pool->proxy_protocol, ACCESS_ALLOW,
                                       &pool->proxies.rules, problems);
                access->is_known = pool->allow.count > 0 || pool->deny.count > 0;
                pool->proxies.is_known = pool->proxy_protocol.count > 0;
        }
        return r;
}
