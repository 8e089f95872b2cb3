#include "logic/config/choice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/config/ini_writer.h"
#include "logic/config/rules.h"
#include "logic/config/schema.h"

#define KEY_PREFIX "chosen_"

static const enum pool_option chosen[] = {POOL_START_METHOD, POOL_COPY};

bool choice_is_made(const struct pool_config *pool, enum pool_option option)
{
        return option == POOL_START_METHOD ? pool->start_method == START_AUTO
                                           : pool->copy == COPY_AUTO && pool_config_is_copied(pool);
}

static bool is_auto(const struct pool_config *pool, enum pool_option option)
{
        return option == POOL_START_METHOD ? pool->start_method == START_AUTO : pool->copy == COPY_AUTO;
}

static int used(const struct pool_config *pool, enum pool_option option)
{
        return option == POOL_START_METHOD ? (int)pool_config_start_method(pool) : (int)pool_config_copy(pool);
}

/* Replace the choice for one option. The clause may quote a file: what no line can hold becomes `?`. */
static int set(struct pool_config *pool, enum pool_option option, int value, const char *why)
{
        struct pool_choice *choice = &pool->choice;
        char **place = option == POOL_START_METHOD ? &choice->start_method_why : &choice->copy_why;
        _cleanup_(text_clear) struct text text = {0};
        int r = why ? text_append(&text, why) : 0;

        for (size_t at = 0; at < text.length; at++) {
                at += text_printable_length(&text.bytes[at], text.length - at);
                if (at < text.length)
                        text.bytes[at] = '?';
        }
        char *copy = why && r == 0 ? text_take(&text) : NULL;
        if (why && !copy)
                return -ENOMEM;
        free(*place);
        *place = copy;
        *(option == POOL_START_METHOD ? &choice->start_method : &choice->copy) = value;
        return 0;
}

static int choose_start_method(struct pool_config *pool, const struct choice_facts *facts)
{
        bool accepts = pool->handler_type == HANDLER_LISTENER;
        char many[64];

        if (pool->start_method != START_AUTO || !pool_config_uses(pool, POOL_START_METHOD))
                return set(pool, POOL_START_METHOD, START_EXEC, NULL);
        if (accepts && pool->accounting != ACCOUNTING_PRELOAD)
                return set(pool, POOL_START_METHOD, START_EXEC, "it needs accounting = preload");
        snprintf(many, sizeof(many), "a handler is copied for at most %d addresses", POOL_COPIED_LISTEN_MAX);
        if (pool->listen.count > POOL_COPIED_LISTEN_MAX)
                return set(pool, POOL_START_METHOD, START_EXEC, many);
        if (facts->no_load)
                return set(pool, POOL_START_METHOD, START_EXEC, facts->no_load);
        if (facts->no_dispatch && !accepts)
                return set(pool, POOL_START_METHOD, START_FORKSERVER, facts->no_dispatch);
        return set(pool, POOL_START_METHOD, START_SNAPSHOT, NULL);
}

/* The rules are those that refuse an explicit rollback (handler_rules). */
static int choose_copy(struct pool_config *pool, const struct choice_facts *facts)
{
        if (pool->copy != COPY_AUTO || !pool_config_is_copied(pool))
                return set(pool, POOL_COPY, COPY_FORK, NULL);
        if (pool_config_is_root(pool))
                return set(pool, POOL_COPY, COPY_FORK, "it is not for user = root");
        if (!pool->no_new_privileges)
                return set(pool, POOL_COPY, COPY_FORK, "it needs no_new_privileges = yes");
        if (facts->no_rollback)
                return set(pool, POOL_COPY, COPY_FORK, facts->no_rollback);
        return set(pool, POOL_COPY, COPY_ROLLBACK, NULL);
}

int choice_make(struct pool_config *pool, const struct choice_facts *facts)
{
        int r = choose_start_method(pool, facts);

        if (r == 0)
                r = choose_copy(pool, facts);
        config_fit_requests(pool);
        return r;
}

const char *choice_word(enum pool_option option, int value)
{
        const struct option_choice *choice = pool_options[option].choices;

        while (choice->word && choice->value != value)
                choice++;
        return choice->word ? choice->word : "unknown";
}

const char *choice_why(const struct pool_config *pool, enum pool_option option)
{
        if (!is_auto(pool, option))
                return NULL;
        return option == POOL_START_METHOD ? pool->choice.start_method_why : pool->choice.copy_why;
}

enum start_method choice_lesser(const struct pool_config *pool, enum start_method method)
{
        return method == START_SNAPSHOT && pool->handler_type != HANDLER_LISTENER ? START_FORKSERVER : START_EXEC;
}

/* The next value above the one that is used. */
static int above(const struct pool_config *pool, enum pool_option option)
{
        int value = used(pool, option) + 1;

        if (option == POOL_START_METHOD && value == START_FORKSERVER && pool->handler_type == HANDLER_LISTENER)
                return START_SNAPSHOT;
        return value;
}

int choice_explain(const struct pool_config *pool, enum pool_option option, const char *why, struct text *text)
{
        return text_appendf(text, "%s cannot be used: %s", choice_word(option, above(pool, option)), why);
}

int choice_describe(const struct pool_config *pool, enum pool_option option, const char *why, struct text *text)
{
        int r = text_append(text, choice_word(option, used(pool, option)));

        if (r == 0 && why)
                r = text_append(text, "; ");
        return r == 0 && why ? choice_explain(pool, option, why, text) : r;
}

static int print_one(const struct pool_config *pool, enum pool_option option, struct text *text)
{
        _cleanup_(text_clear) struct text key = {0}, value = {0};
        const char *why = choice_why(pool, option);
        int r = text_appendf(&key, KEY_PREFIX "%s", pool_options[option].name);

        if (r == 0)
                r = text_appendf(&value, "%s%s", choice_word(option, used(pool, option)), why ? " " : "");
        if (r == 0 && why)
                r = words_quote(&value, why);
        return r < 0 ? r : ini_write_value(text, text_string(&key), text_string(&value));
}

int choice_print(const struct pool_config *pool, struct text *text)
{
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(chosen) && r == 0; i++)
                if (is_auto(pool, chosen[i]))
                        r = print_one(pool, chosen[i], text);
        return r;
}

/* What is no word of ours is ignored: another version wrote it, and the least is always right. */
static int take(struct pool_config *pool, enum pool_option option, const char *value)
{
        _cleanup_(words_clear) struct words words = {0};
        int r = words_split(value, &words);

        if (r < 0 || words.count == 0)
                return r == -ENOMEM ? r : 0;
        for (const struct option_choice *choice = pool_options[option].choices; choice->word; choice++)
                if (text_equal(choice->word, words.list[0]) && !text_equal(choice->word, "auto"))
                        return set(pool, option, choice->value, words.count > 1 ? words.list[1] : NULL);
        return 0;
}

int choice_take(struct pool_config *pool, const char *key, const char *value)
{
        if (!text_starts_with(key, KEY_PREFIX))
                return 0;
        for (size_t i = 0; i < ELEMENTS(chosen); i++)
                if (text_equal(key + strlen(KEY_PREFIX), pool_options[chosen[i]].name)) {
                        int r = value ? take(pool, chosen[i], value) : 0;
                        return r < 0 ? r : 1;
                }
        return 0;
}
