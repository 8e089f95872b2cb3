/* libwrap looks into hosts.allow first: whom a rule there names comes in, whatever hosts.deny says. Then those whom
 * hosts.deny names do not, and all others do. In preforkd the more specific rule decides; so what the files say is
 * asked for each network that they name, and where it is not what is said of the network around it, that becomes a
 * rule. */
#include "logic/import/hosts_access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "logic/import/lines.h"
#include "logic/import/rule_list.h"

#define BETWEEN_WORDS ", \t"

/* What a list of clients is made of. */
enum item_kind {
        ITEM_NETWORK,
        ITEM_ALL,
        ITEM_EXCEPT,  /* what follows is not meant */
        ITEM_UNKNOWN, /* nobody knows here whom it means */
};

struct item {
        enum item_kind kind;
        struct network network;
};

/* A rule about the program: the clients are items of the reading. */
struct rule {
        size_t first, end;
        bool denies;
};

struct reading {
        struct rule_list *list;
        const char *daemon;
        bool denies; /* the file is hosts.deny */
        struct item *items;
        size_t item_count;
        struct rule *rules;
        size_t rule_count;
};

/* The field up to the next colon outside brackets; *rest moves behind it, or becomes NULL. */
static char *next_field(char **rest)
{
        char *field = *rest, *at = field;
        bool inside = false;

        for (; *at != '\0' && (inside || *at != ':'); at++)
                inside = *at == '[' || (inside && *at != ']');
        *rest = *at == ':' ? at + 1 : NULL;
        *at = '\0';
        return import_trim(field);
}

/* The next word of a list; NULL at its end. */
static char *next_word(char **rest)
{
        char *word;

        do
                word = strsep(rest, BETWEEN_WORDS);
        while (word && *word == '\0');
        return word;
}

/* Does the list have the daemon? `A EXCEPT B EXCEPT C` is A but for those in `B EXCEPT C`. `unclear`: it depends on
 * more than the name. */
static bool names_daemon(const struct reading *reading, char *daemons, bool *ret_unclear)
{
        bool even = true, found = false, decided = false, is_named = false;

        for (char *word; (word = next_word(&daemons));) {
                size_t length = strcspn(word, "@");
                bool has_address = word[length] != '\0';
                word[length] = '\0';
                if (strcasecmp(word, "EXCEPT") != 0) {
                        bool is_it = strcasecmp(word, "ALL") == 0 || strcasecmp(word, reading->daemon) == 0;
                        *ret_unclear |= is_it && has_address;
                        found |= is_it;
                        continue;
                }
                if (!found && !decided) {
                        decided = true;
                        is_named = !even;
                }
                even = !even;
                found = false;
        }
        if (!decided)
                is_named = found ? even : !even;
        if (*ret_unclear)
                rule_list_close(reading->list, "which address of this machine was asked is not looked at");
        return is_named || *ret_unclear;
}

/* `1.2.3.`, `1.2.3.0/255.255.255.0`. */
static bool parse_ipv4(const char *word, struct network *ret)
{
        const char *slash = strchr(word, '/');
        char text[NETWORK_TEXT_MAX];
        struct network mask;
        unsigned dots = 0, prefix = 0;

        for (const char *at = word; *at != '\0' && at != slash; at++)
                dots += *at == '.';
        if (!slash && word[strlen(word) - 1] == '.' && dots <= 3) {
                static const char *const zeros[] = {[1] = "0.0.0/8", [2] = "0.0/16", [3] = "0/24"};
                snprintf(text, sizeof(text), "%.20s%s", word, zeros[dots]);
                return network_parse(text, ret) == 0;
        }
        if (!slash || network_parse(slash + 1, &mask) < 0 || mask.is_v6 || strchr(slash + 1, '/'))
                return false;
        while (prefix < 32 && mask.bytes[prefix / 8] & 0x80 >> prefix % 8)
                prefix++;
        for (unsigned bit = prefix; bit < 32; bit++)
                if (mask.bytes[bit / 8] & 0x80 >> bit % 8)
                        return false;
        snprintf(text, sizeof(text), "%.*s/%u", (int)MIN_OF(slash - word, 20), word, prefix);
        return network_parse(text, ret) == 0;
}

/* `[2001:db8::1]`, `[2001:db8::]/32`. */
static bool parse_ipv6(const char *word, struct network *ret)
{
        const char *close = strchr(word, ']');
        char text[NETWORK_TEXT_MAX];

        if (!close || (close[1] != '\0' && close[1] != '/') || strlen(word) >= sizeof(text))
                return false;
        snprintf(text, sizeof(text), "%.*s%s", (int)(close - word) - 1, word + 1, close + 1);
        return network_parse(text, ret) == 0;
}

static void add(struct reading *reading, enum item_kind kind, const struct network *network)
{
        struct item *items = reallocarray(reading->items, reading->item_count + 1, sizeof(*items));

        if (!items) {
                reading->list->out_of_memory = true;
                return;
        }
        reading->items = items;
        items[reading->item_count++] = (struct item){.kind = kind, .network = *network};
}

static void take_client(struct reading *reading, const char *word)
{
        struct network network = {0};

        if (strcasecmp(word, "EXCEPT") == 0)
                add(reading, ITEM_EXCEPT, &network);
        else if (strcasecmp(word, "ALL") == 0)
                add(reading, ITEM_ALL, &network);
        else if (word[0] == '[' ? parse_ipv6(word, &network)
                                : parse_ipv4(word, &network) || network_parse(word, &network) == 0)
                add(reading, ITEM_NETWORK, &network);
        else {
                add(reading, ITEM_UNKNOWN, &network);
                if (word[0] == '/')
                        rule_list_close(reading->list, "%s: write what is in that file here", word);
                else
                        rule_list_close(reading->list, "%s is no address or network; names and users are not looked up",
                                        word);
        }
}

/* What else a rule says: `deny`, `spawn …`, `severity …`, or (an older form) a command of the shell. */
static void take_option(const struct reading *reading, struct rule *rule, const char *option)
{
        size_t length = strcspn(option, " \t=");

        if (length == 0)
                return;
        if (strncasecmp(option, "allow", length) == 0)
                rule->denies = false;
        else if (strncasecmp(option, "deny", length) == 0)
                rule->denies = true;
        else if (strncasecmp(option, "twist", length) == 0 && !reading->denies) {
                rule_list_close(reading->list, "it serves something else: make a pool of its own");
                rule->denies = true;
        } else
                rule_list_note(reading->list, "%s: not carried over", option);
}

static void take_rule(struct reading *reading, char *line)
{
        _cleanup_(text_clear) struct text fields = {0};

        if (text_append(&fields, line) < 0) {
                reading->list->out_of_memory = true;
                return;
        }
        char *rest = fields.bytes, *daemons = next_field(&rest);
        bool unclear = false;
        reading->list->rule = line;
        if (!rest) {
                rule_list_close(reading->list, "expected DAEMONS : CLIENTS");
                return;
        }
        if (!names_daemon(reading, daemons, &unclear))
                return;
        struct rule *rules = reallocarray(reading->rules, reading->rule_count + 1, sizeof(*rules));
        if (!rules) {
                reading->list->out_of_memory = true;
                return;
        }
        reading->rules = rules;
        struct rule *rule = &rules[reading->rule_count++];
        *rule = (struct rule){.first = reading->item_count, .denies = reading->denies};
        char *clients = next_field(&rest);
        for (const char *word; (word = next_word(&clients));)
                take_client(reading, word);
        rule->end = reading->item_count;
        while (rest)
                take_option(reading, rule, next_field(&rest));
        reading->rule_count -= unclear && !rule->denies; /* so it lets in nobody */
}

static void read_file(struct reading *reading, const struct import_source *source)
{
        struct import_lines lines = {.source = source, .joins = true};
        char *line;

        reading->list->file = source->name;
        while ((line = import_lines_next(&lines, "#"))) {
                reading->list->line = lines.number;
                take_rule(reading, line);
        }
        reading->list->out_of_memory |= lines.out_of_memory;
        import_lines_clear(&lines);
}

/* Has the rule all these clients? `A EXCEPT B EXCEPT C` as above. Of those whom nobody knows here, a rule that denies
 * has everybody, and a rule that allows nobody: what is written never lets in whom the files shut out. */
static bool has(const struct reading *reading, const struct rule *rule, const struct network *clients)
{
        bool even = true;

        for (size_t i = rule->first;; i++, even = !even) {
                bool found = false;
                for (; i < rule->end && reading->items[i].kind != ITEM_EXCEPT; i++) {
                        const struct item *item = &reading->items[i];
                        found = found || item->kind == ITEM_ALL ||
                                (item->kind == ITEM_UNKNOWN && even == rule->denies) ||
                                (item->kind == ITEM_NETWORK && rule_list_contains(&item->network, clients));
                }
                if (!found)
                        return !even;
                if (i == rule->end)
                        return even;
        }
}

/* The first rule that has the clients decides; hosts.allow stands before hosts.deny. */
static bool come_in(const struct reading *reading, const struct network *clients)
{
        for (size_t i = 0; i < reading->rule_count; i++)
                if (has(reading, &reading->rules[i], clients))
                        return !reading->rules[i].denies;
        return true;
}

/* Do those come in that are in the smallest network around this one? */
static bool others_come_in(const struct reading *reading, const struct network *network)
{
        const struct network *around = &rule_list_everybody[network->is_v6];

        for (size_t i = 0; i < reading->item_count; i++) {
                const struct network *other = &reading->items[i].network;
                if (reading->items[i].kind == ITEM_NETWORK && rule_list_contains(other, network) &&
                    other->prefix < network->prefix && other->prefix > around->prefix)
                        around = other;
        }
        return come_in(reading, around);
}

/* All clients of a network who are in no smaller one that is named fare alike, so a rule for each network says all. */
static void decide(const struct reading *reading)
{
        bool ipv4 = come_in(reading, &rule_list_everybody[0]), ipv6 = come_in(reading, &rule_list_everybody[1]);

        reading->list->others_come_in = ipv4 || ipv6;
        if (ipv4 != ipv6)
                rule_list_deny(reading->list, &rule_list_everybody[ipv4]);
        for (size_t i = 0; i < reading->item_count; i++) {
                const struct network *network = &reading->items[i].network;
                bool allowed = come_in(reading, network);
                if (reading->items[i].kind != ITEM_NETWORK || network->prefix == 0 ||
                    allowed == others_come_in(reading, network))
                        continue;
                if (!rule_list_names(allowed ? &reading->list->allow : &reading->list->deny, network))
                        (allowed ? rule_list_allow : rule_list_deny)(reading->list, network);
        }
}

void hosts_access_convert(struct rule_list *list, const char *daemon, const struct import_source *allow,
                          const struct import_source *deny)
{
        struct reading reading = {.list = list, .daemon = daemon};

        read_file(&reading, allow);
        reading.denies = true;
        read_file(&reading, deny);
        if (!list->out_of_memory)
                decide(&reading);
        free(reading.items);
        free(reading.rules);
}
