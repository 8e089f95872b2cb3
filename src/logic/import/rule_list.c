#include "logic/import/rule_list.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "logic/config/ini_writer.h"

const struct network rule_list_everybody[2] = {{.is_v6 = false}, {.is_v6 = true}};

static void add(struct rule_list *list, struct access_rules *rules, const struct network *network)
{
        const struct access_rule rule = {.kind = ACCESS_OF_NETWORK, .network = *network};

        if (access_rules_add(rules, &rule) < 0)
                list->out_of_memory = true;
}

void rule_list_allow(struct rule_list *list, const struct network *network)
{
        add(list, &list->allow, network);
}

void rule_list_deny(struct rule_list *list, const struct network *network)
{
        add(list, &list->deny, network);
}

bool rule_list_contains(const struct network *outer, const struct network *inner)
{
        unsigned whole = outer->prefix / 8, rest = outer->prefix % 8;

        if (outer->is_v6 != inner->is_v6 || outer->prefix > inner->prefix ||
            memcmp(outer->bytes, inner->bytes, whole) != 0)
                return false;
        return rest == 0 || (outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest) == 0;
}

bool rule_list_names(const struct access_rules *rules, const struct network *network)
{
        for (size_t i = 0; i < rules->count; i++)
                if (rules->items[i].network.prefix == network->prefix &&
                    rule_list_contains(&rules->items[i].network, network))
                        return true;
        return false;
}

static void note(struct rule_list *list, const char *mark, const char *format, va_list arguments)
        __attribute__((format(printf, 3, 0)));

static void note(struct rule_list *list, const char *mark, const char *format, va_list arguments)
{
        struct text *text = &list->notes;
        size_t before = text->length;

        if (text_appendf(text, "# %s%s:%u: %s: ", mark, list->file, list->line, list->rule) < 0 ||
            text_appendv(text, format, arguments) < 0) {
                list->out_of_memory = true;
                return;
        }
        /* A line feed would end the comment. */
        for (size_t good;
             (good = text_printable_length(text->bytes + before, text->length - before)) < text->length - before;) {
                before += good;
                text->bytes[before] = '?';
        }
        if (text_append(text, "\n") < 0)
                list->out_of_memory = true;
}

void rule_list_note(struct rule_list *list, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        note(list, "", format, arguments);
        va_end(arguments);
}

void rule_list_close(struct rule_list *list, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        note(list, "! ", format, arguments);
        va_end(arguments);
        list->closed = true;
}

/* `key = network network …`; nothing without any. */
static int print_key(const char *key, const struct access_rules *rules, bool everybody, struct text *text)
{
        _cleanup_(text_clear) struct text value = {0};
        char network[NETWORK_TEXT_MAX];
        int r = everybody ? text_append(&value, "0.0.0.0/0 ::/0") : 0;

        for (size_t i = 0; i < rules->count && r == 0; i++) {
                if (everybody && rules->items[i].network.prefix == 0)
                        continue;
                network_format(&rules->items[i].network, network);
                r = text_appendf(&value, "%s%s", value.length > 0 ? " " : "", network);
        }
        return r < 0 || value.length == 0 ? r : ini_write_value(text, key, text_string(&value));
}

/* A line of comment for each line of `lines`. */
static int print_commented(const struct text *lines, struct text *text)
{
        int r = 0;

        for (const char *at = text_string(lines); *at != '\0' && r == 0;) {
                size_t length = strcspn(at, "\n");
                r = text_append(text, "# ");
                if (r == 0)
                        r = text_append_bytes(text, at, length + (at[length] == '\n'));
                at += length + (at[length] == '\n');
        }
        return r;
}

int rule_list_print(struct rule_list *list, struct text *text)
{
        const struct access_rules nobody = {0};
        _cleanup_(text_clear) struct text keys = {0};
        /* Where allow is set, those whom no rule names do not come in. */
        bool names_others = list->allow.count > 0 && list->others_come_in;
        bool denies_others = list->allow.count == 0 && !list->others_come_in;

        if (list->out_of_memory || text_append(text, text_string(&list->notes)) < 0 ||
            print_key("allow", &list->allow, names_others, &keys) < 0 ||
            print_key("deny", &list->deny, denies_others, &keys) < 0)
                return -ENOMEM;
        if (!list->closed)
                return text_append(text, text_string(&keys));
        int r = 0;
        if (list->lacks_denial && keys.length > 0)
                r = text_append(text, "# Beware: these lines lack what is marked, and let in whom that shut out.\n");
        if (r == 0 && (!denies_others || list->deny.count > 0)) /* else it says the same */
                r = print_commented(&keys, text);
        return r < 0 ? r : print_key("deny", &nobody, true, text);
}

void rule_list_clear(struct rule_list *list)
{
        access_rules_clear(&list->allow);
        access_rules_clear(&list->deny);
        text_clear(&list->notes);
        *list = (struct rule_list){0};
}
