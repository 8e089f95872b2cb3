/* libwrap looks into hosts.allow first: whom a rule there names comes in, whatever hosts.deny says. Then those whom
 * hosts.deny names do not, and all others do. In preforkd the more specific rule decides; so what hosts.deny says of
 * addresses that hosts.allow has is left out. */
#include "logic/import/hosts_access.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "logic/import/lines.h"
#include "logic/import/rule_list.h"

#define BETWEEN_WORDS ", \t"

struct reading {
        struct rule_list *list;
        const char *daemon;
        bool denies;                /* the file is hosts.deny */
        struct access_rules denied; /* what it names */
        unsigned rules;             /* that are about the daemon */
        bool has_except;            /* one of them excepts clients */
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

/* True if the list has the daemon, before its EXCEPT and not behind it. */
static bool names_daemon(const struct reading *reading, char *daemons)
{
        bool found = false, excepted = false, behind = false, unclear = false;

        for (char *word; (word = next_word(&daemons));) {
                size_t length = strcspn(word, "@");
                bool has_address = word[length] != '\0';
                word[length] = '\0';
                if (strcasecmp(word, "EXCEPT") == 0) {
                        unclear |= behind;
                        behind = true;
                } else if (strcasecmp(word, "ALL") == 0 || strcasecmp(word, reading->daemon) == 0) {
                        *(behind ? &excepted : &found) = true;
                        unclear |= has_address;
                }
        }
        if (unclear)
                rule_list_close(reading->list, "only DAEMON, ALL and one EXCEPT are understood");
        return found && !excepted;
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

static void add(struct reading *reading, const struct network *network, bool denied)
{
        const struct access_rule rule = {.kind = ACCESS_OF_NETWORK, .network = *network};

        if (!denied)
                rule_list_allow(reading->list, network);
        else if (access_rules_add(&reading->denied, &rule) < 0)
                reading->list->out_of_memory = true;
}

static void take_client(struct reading *reading, const char *word, bool denied)
{
        struct network network;

        if (strcasecmp(word, "ALL") == 0) {
                add(reading, &rule_list_everybody[0], denied);
                add(reading, &rule_list_everybody[1], denied);
        } else if (word[0] == '[' ? parse_ipv6(word, &network)
                                  : parse_ipv4(word, &network) || network_parse(word, &network) == 0)
                add(reading, &network, denied);
        else if (word[0] == '/')
                rule_list_close(reading->list, "%s: write what is in that file here", word);
        else
                rule_list_close(reading->list, "%s is no address or network; names and users are not looked up", word);
}

/* `ALL EXCEPT …` of hosts.deny: those do come in. Elsewhere another rule may be about them. */
static void take_clients(struct reading *reading, char *clients)
{
        bool behind = false, has_all = false;

        for (char *word; (word = next_word(&clients));) {
                if (strcasecmp(word, "EXCEPT") == 0) {
                        if (behind || !reading->denies || !has_all)
                                rule_list_close(reading->list, "EXCEPT is understood in hosts.deny, behind ALL, once");
                        behind = true;
                        continue;
                }
                has_all = has_all || strcasecmp(word, "ALL") == 0;
                take_client(reading, word, reading->denies && !behind);
        }
        reading->has_except |= behind;
        if (reading->has_except && reading->rules > 1)
                rule_list_close(reading->list, "EXCEPT beside other rules: they may be about the same clients");
}

/* What else a rule says: `spawn …`, `severity …`, or (an older form) a command of the shell. */
static void take_option(struct reading *reading, const char *option)
{
        size_t length = strcspn(option, " \t=");
        bool is_allow = strncasecmp(option, "allow", length) == 0, is_deny = strncasecmp(option, "deny", length) == 0;

        if (length == 0 || (is_allow && !reading->denies) || (is_deny && reading->denies))
                return;
        if (is_allow || is_deny)
                rule_list_close(reading->list, "%s in this file: such rules are not understood", option);
        else if (strncasecmp(option, "twist", length) == 0 && !reading->denies)
                rule_list_close(reading->list, "it serves something else: make a pool of its own");
        else
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
        reading->list->rule = line;
        if (!rest) {
                rule_list_close(reading->list, "expected DAEMONS : CLIENTS");
                return;
        }
        if (!names_daemon(reading, daemons))
                return;
        reading->rules++;
        take_clients(reading, next_field(&rest));
        while (rest)
                take_option(reading, next_field(&rest));
}

static void read_file(struct reading *reading, const struct import_source *source)
{
        struct import_lines lines = {.source = source, .joins = true};
        char *line;

        reading->list->file = source->name;
        reading->rules = 0;
        reading->has_except = false;
        while ((line = import_lines_next(&lines, "#"))) {
                reading->list->line = lines.number;
                take_rule(reading, line);
        }
        reading->list->out_of_memory |= lines.out_of_memory;
        import_lines_clear(&lines);
}

void hosts_access_convert(struct rule_list *list, const char *daemon, const struct import_source *allow,
                          const struct import_source *deny)
{
        struct reading reading = {.list = list, .daemon = daemon};

        read_file(&reading, allow);
        reading.denies = true;
        read_file(&reading, deny);
        list->others_come_in = !rule_list_has(&reading.denied, &rule_list_everybody[0]) ||
                               !rule_list_has(&reading.denied, &rule_list_everybody[1]);
        for (size_t i = 0; i < reading.denied.count; i++) {
                const struct network *network = &reading.denied.items[i].network;
                if (list->others_come_in && !rule_list_has(&list->allow, network))
                        rule_list_deny(list, network);
        }
        access_rules_clear(&reading.denied);
}
