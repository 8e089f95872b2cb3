/* draft_print(): a draft as text, and the proof that preforkd would take it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/words.h"
#include "logic/config/config_options.h"
#include "logic/config/ini_writer.h"
#include "logic/config/parse.h"
#include "logic/config/schema.h"
#include "logic/import/draft.h"

#define COLUMNS 116
#define FILE_NAME "preforkd.conf"
#define NAME_BYTES 64 /* of an option */
#define EVERYBODY "0.0.0.0/0 ::/0"

/* Append one line as a comment of as many lines as it takes. */
static int print_comment(struct text *text, const char *line, size_t length)
{
        const char *lead = "# ";

        while (length > COLUMNS) {
                size_t cut = COLUMNS;
                while (cut > 0 && line[cut] != ' ')
                        cut--;
                if (cut == 0)
                        break;
                if (text_append(text, lead) < 0 || text_append_bytes(text, line, cut) < 0 ||
                    text_append(text, "\n") < 0)
                        return -ENOMEM;
                lead = "#     ";
                line += cut + 1;
                length -= cut + 1;
        }
        if (text_append(text, length > 0 ? lead : "#") < 0 || text_append_bytes(text, line, length) < 0)
                return -ENOMEM;
        return text_append(text, "\n");
}

static int print_comments(struct text *text, const struct text *lines)
{
        for (const char *at = text_string(lines); *at != '\0';) {
                size_t length = strcspn(at, "\n");
                int r = print_comment(text, at, length);
                if (r < 0)
                        return r;
                at += length + (at[length] == '\n');
        }
        return 0;
}

/* The section itself. Networks are no clients of UNIX sockets: these are named where the pool has such. */
static int print_section(struct draft *draft, const struct draft_pool *pool, struct text *text)
{
        int r = text_appendf(text, "[%s]\n", pool->name);

        for (size_t i = 0; i < POOL_OPTION_COUNT && r == 0; i++)
                if (pool->values[i].length > 0)
                        r = ini_write_value(text, pool_options[i].name, text_string(&pool->values[i]));
        if (r == 0 && pool->closed)
                r = text_appendf(text, "deny = " EVERYBODY "%s\n", draft_has_unix(draft, pool) ? " unix" : "");
        return r;
}

static int print_pool(struct draft *draft, const struct draft_pool *pool, struct text *text)
{
        _cleanup_(text_clear) struct text section = {0};
        int r = text_append(text, "\n");

        if (r == 0)
                r = print_comments(text, &pool->origin);
        if (r == 0)
                r = print_section(draft, pool, &section);
        if (r == 0)
                r = pool->left_out ? print_comments(text, &section) : text_append(text, text_string(&section));
        return r == 0 ? print_comments(text, &pool->notes) : r;
}

static unsigned count_lines(const struct text *text)
{
        unsigned count = 0;

        for (const char *at = text_string(text); *at != '\0'; at++)
                count += *at == '\n';
        return count;
}

static int print_all(struct draft *draft, struct text *text)
{
        int r = print_comments(text, &draft->notes);

        for (size_t i = 0; i < draft->pool_count && r == 0; i++) {
                struct draft_pool *pool = draft->pools[i];
                if (pool->closed)
                        for (size_t o = 0; o < POOL_OPTION_COUNT; o++)
                                if (text_equal(pool_options[o].name, "allow") ||
                                    text_equal(pool_options[o].name, "deny"))
                                        text_truncate(&pool->values[o]);
                pool->first_line = count_lines(text) + 1;
                r = print_pool(draft, pool, text);
                pool->last_line = count_lines(text);
        }
        return r;
}

/* A key of which preforkd says that it has no effect becomes a comment. Rules about who may connect stay whatever is
 * said of them. What needs privileges had them: no program of these sets no_new_privileges. False: nothing was done. */
static bool heed_warning(struct draft *draft, struct draft_pool *pool, const struct problem *warning)
{
        const char *colon = strchr(warning->text, ':');
        char name[NAME_BYTES];

        if (!colon || colon - warning->text >= NAME_BYTES)
                return false;
        snprintf(name, sizeof(name), "%.*s", (int)(colon - warning->text), warning->text);
        int option = pool_option_find(name);
        if (option == POOL_HANDLER && pool->values[POOL_NO_NEW_PRIVILEGES].length == 0)
                return draft_set(draft, pool, "no_new_privileges", "no");
        if (option < 0 || option == POOL_ALLOW || option == POOL_DENY || pool->values[option].length == 0 ||
            !text_starts_with(colon + 1, " no effect"))
                return false;
        draft_note(draft, pool, "%s = %s%s", name, text_string(&pool->values[option]), colon);
        text_truncate(&pool->values[option]);
        return true;
}

/* Leave out the pools with errors, and do what warnings ask for. False: there was nothing to do. */
static bool heed(struct draft *draft, const struct problem_list *problems)
{
        bool found = false;

        for (size_t i = 0; i < problems->count; i++) {
                const struct problem *problem = &problems->items[i];
                for (size_t p = 0; p < draft->pool_count; p++) {
                        struct draft_pool *pool = draft->pools[p];
                        if (problem->line < pool->first_line || problem->line > pool->last_line)
                                continue;
                        if (problem->warning) {
                                found = heed_warning(draft, pool, problem) || found;
                                continue;
                        }
                        found = found || !pool->left_out;
                        draft_leave_out(draft, pool, "%s", problem->text);
                }
        }
        return found;
}

/* Read the text as preforkd would, run by root. 0 or -ENOMEM. */
static int check(const struct text *text, struct problem_list *problems)
{
        const struct config_context context = {.is_root = true};
        struct config config = {0};
        int r = config_parse(&config, FILE_NAME, text_string(text), text->length, problems);

        if (r == 0)
                r = config_finish(&config, &context, problems);
        config_clear(&config);
        return r < 0 || problems->out_of_memory ? -ENOMEM : 0;
}

/* True if there is no pool that is served, which is now noted. */
static bool note_nothing(struct draft *draft, bool *noted)
{
        bool serves = false;

        for (size_t i = 0; i < draft->pool_count; i++)
                serves = serves || !draft->pools[i]->left_out;
        if (serves || *noted)
                return false;
        *noted = true;
        draft_ask(draft, NULL, "nothing is left that could be served");
        return true;
}

int draft_print(struct draft *draft, struct text *text)
{
        bool nothing_noted = false;

        /* Each round leaves out a pool or changes a key for good, or notes that none is left, or is the last. */
        for (size_t round = 0; round <= draft->pool_count * (POOL_OPTION_COUNT + 1) + 1; round++) {
                _cleanup_(text_clear) struct text written = {0};
                struct problem_list problems = {0};
                int r = print_all(draft, &written);
                if (r == 0)
                        r = check(&written, &problems);
                bool again = r == 0 && (heed(draft, &problems) || note_nothing(draft, &nothing_noted));
                problem_list_clear(&problems);
                if (r < 0 || draft->out_of_memory)
                        return r < 0 ? r : -ENOMEM;
                if (!again)
                        return text_append(text, text_string(&written));
        }
        return -EINVAL;
}
