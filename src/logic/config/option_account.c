/* Users and groups: numbers are parsed here; names are resolved elsewhere, because a look-up can block. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/option_types.h"
#include "logic/config/option_value.h"

/* The largest id; the one above is what "no change" means to setresuid(2) and chown(2). */
#define ID_MAX (UINT32_MAX - 1)

static void account_reset(struct account *account)
{
        free(account->name);
        *account = (struct account){0};
}

static int account_read(const char *word, struct account *ret)
{
        struct account account = {0};
        uint64_t id;

        /* No name of a passwd or group file has these characters, and `-` would begin an option of some tool. */
        if (word[0] == '\0' || word[0] == '-' || strpbrk(word, ":,/"))
                return -EINVAL;
        if (strspn(word, "0123456789") == strlen(word)) {
                int r = number_parse(word, &id);
                if (r < 0 || id > ID_MAX)
                        return -ERANGE;
                account.id = (uint32_t)id;
                account.resolved = true;
        }
        account.name = strdup(word);
        if (!account.name)
                return -ENOMEM;
        *ret = account;
        return 0;
}

static int account_write(const struct account *account, struct text *text)
{
        if (account->resolved)
                return text_appendf(text, "%" PRIu32, account->id);
        return account->name ? words_quote(text, account->name) : 0;
}

static bool account_same(const struct account *a, const struct account *b)
{
        if (a->resolved != b->resolved)
                return false;
        if (a->resolved)
                return a->id == b->id;
        return a->name && b->name ? text_equal(a->name, b->name) : a->name == b->name;
}

static int account_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        struct account account, *field = OPTION_FIELD(option, base, struct account);
        int r = account_read(words->list[0], &account);
        (void)error;

        if (r < 0)
                return r;
        account_reset(field);
        *field = account;
        return 0;
}

static int account_print(const struct option *option, const void *base, struct text *text)
{
        return account_write(OPTION_FIELD_CONST(option, base, struct account), text);
}

static int account_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "a name or a number");
}

static bool account_equal(const struct option *option, const void *a, const void *b)
{
        return account_same(OPTION_FIELD_CONST(option, a, struct account),
                            OPTION_FIELD_CONST(option, b, struct account));
}

static void account_clear(const struct option *option, void *base)
{
        account_reset(OPTION_FIELD(option, base, struct account));
}

const struct option_operations option_account = {.noun = "an account",
                                                 .parse = account_parse,
                                                 .print = account_print,
                                                 .expectation = account_expectation,
                                                 .equal = account_equal,
                                                 .clear = account_clear};

static void list_clear(struct account_list *list)
{
        for (size_t i = 0; i < list->count; i++)
                account_reset(&list->items[i]);
        free(list->items);
        *list = (struct account_list){0};
}

static int list_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        _cleanup_(list_clear) struct account_list list = {.items = calloc(words->count, sizeof(struct account))};
        struct account_list *field = OPTION_FIELD(option, base, struct account_list);

        if (!list.items)
                return -ENOMEM;
        for (; list.count < words->count; list.count++) {
                int r = account_read(words->list[list.count], &list.items[list.count]);
                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        r = option_quote_excerpt(error, words->list[list.count]);
                        if (r == 0)
                                r = text_append(error, " is not an account; expected names or numbers, separated "
                                                       "by blanks");
                        return r < 0 ? r : -EINVAL;
                }
        }
        list_clear(field);
        field->count = list.count;
        field->items = TAKE_PTR(list.items);
        list.count = 0;
        return 0;
}

static int list_print(const struct option *option, const void *base, struct text *text)
{
        const struct account_list *list = OPTION_FIELD_CONST(option, base, struct account_list);
        int r = 0;

        for (size_t i = 0; i < list->count && r == 0; i++) {
                if (i > 0)
                        r = text_append(text, " ");
                if (r == 0)
                        r = account_write(&list->items[i], text);
        }
        return r;
}

static int list_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "names or numbers, separated by blanks");
}

static bool list_equal(const struct option *option, const void *a, const void *b)
{
        const struct account_list *list_a = OPTION_FIELD_CONST(option, a, struct account_list);
        const struct account_list *list_b = OPTION_FIELD_CONST(option, b, struct account_list);

        if (list_a->count != list_b->count)
                return false;
        for (size_t i = 0; i < list_a->count; i++)
                if (!account_same(&list_a->items[i], &list_b->items[i]))
                        return false;
        return true;
}

static void list_clear_field(const struct option *option, void *base)
{
        list_clear(OPTION_FIELD(option, base, struct account_list));
}

const struct option_operations option_account_list = {.takes_list = true,
                                                      .noun = "accounts",
                                                      .parse = list_parse,
                                                      .print = list_print,
                                                      .expectation = list_expectation,
                                                      .equal = list_equal,
                                                      .clear = list_clear_field};
