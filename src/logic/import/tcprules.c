/* Of the rules for an address, tcpserver takes the one for the longest part of it, as preforkd does; whom no rule names
 * comes in. Of equal ones it finds the first. */
#include "logic/import/tcprules.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "logic/import/lines.h"
#include "logic/import/rule_list.h"

/* The most addresses that one rule is written out to. */
#define RANGE_MAX 256

/* A rule that is lost; if it does not allow, others may now come in in its stead. */
static void lose(struct rule_list *list, bool allowed, const char *why)
{
        rule_list_close(list, "%s", why);
        list->lacks_denial = list->lacks_denial || !allowed;
}

/* `1.2.3.4`, or the beginning of such, which ends in a dot: `1.2.`. False: it is neither. */
static bool parse_address(const char *word, struct network *ret)
{
        struct network network = {0};
        unsigned count = 0;

        for (const char *at = word; *at != '\0'; count++) {
                size_t digits = strspn(at, "0123456789");
                uint64_t value;
                char number[4];
                if (digits == 0 || digits > 3 || count == 4)
                        return false;
                snprintf(number, sizeof(number), "%.*s", (int)digits, at);
                if (number_parse(number, &value) < 0 || value > 255)
                        return false;
                network.bytes[count] = (unsigned char)value;
                at += digits;
                if (*at != '\0' && *at++ != '.')
                        return false;
        }
        bool is_whole = word[strlen(word) - 1] != '.';
        if (count == 0 || is_whole != (count == 4))
                return false;
        network.prefix = count * 8;
        *ret = network;
        return true;
}

static void decide(struct rule_list *list, const struct network *network, bool allowed)
{
        /* Of equal rules the first one decides. */
        if (rule_list_names(&list->allow, network) || rule_list_names(&list->deny, network))
                rule_list_note(list, "says nothing: an earlier rule is about the same addresses");
        else
                (allowed ? rule_list_allow : rule_list_deny)(list, network);
}

static void take_address(struct rule_list *list, const char *address, bool allowed)
{
        struct network network;

        if (parse_address(address, &network) || network_parse(address, &network) == 0)
                decide(list, &network, allowed);
        else
                lose(list, allowed, "not understood as an address");
}

/* `1.2.3.4-7`, `1.2-3.`: each of them. */
static void take_range(struct rule_list *list, const char *address, bool allowed)
{
        const char *dash = strchr(address, '-'), *first = dash;
        uint64_t from, to;
        char number[8], one[64];

        while (first > address && first[-1] >= '0' && first[-1] <= '9')
                first--;
        size_t digits = strspn(dash + 1, "0123456789");
        snprintf(number, sizeof(number), "%.*s", (int)MIN_OF((size_t)(dash - first), sizeof(number)), first);
        bool good = number_parse(number, &from) == 0;
        snprintf(number, sizeof(number), "%.*s", (int)MIN_OF(digits, sizeof(number)), dash + 1);
        if (!good || number_parse(number, &to) < 0 || from > to || to - from >= RANGE_MAX) {
                lose(list, allowed, "not understood as a range of addresses");
                return;
        }
        for (; from <= to; from++) {
                snprintf(one, sizeof(one), "%.*s%u%.20s", (int)MIN_OF(first - address, 20), address, (unsigned)from,
                         dash + 1 + digits);
                take_address(list, one, allowed);
        }
}

/* `deny`, `allow`, with variables. False: the rule is lost. */
static bool parse_instructions(struct rule_list *list, const char *instructions, bool *ret_allowed)
{
        size_t length = strcspn(instructions, ",");
        bool allows = length == strlen("allow") && strncmp(instructions, "allow", length) == 0;
        bool denies = length == strlen("deny") && strncmp(instructions, "deny", length) == 0;

        if (!allows && !denies) {
                lose(list, false, "neither allow nor deny");
                return false;
        }
        if (allows && instructions[length] != '\0') {
                lose(list, true,
                     "no variable is set for some clients only; make a pool of their own with environment, on "
                     "another address");
                return false;
        }
        *ret_allowed = allows;
        return true;
}

static void take_rule(struct rule_list *list, char *line)
{
        char *colon = strchr(line, ':');
        bool allowed;

        list->rule = line;
        if (!colon) {
                lose(list, false, "expected ADDRESS:INSTRUCTIONS");
                return;
        }
        if (!parse_instructions(list, colon + 1, &allowed))
                return;
        _cleanup_(text_clear) struct text address = {0};
        if (text_append_bytes(&address, line, (size_t)(colon - line)) < 0) {
                list->out_of_memory = true;
                return;
        }
        const char *word = text_string(&address);
        if (word[0] == '\0')
                list->others_come_in = allowed;
        else if (strchr(word, '@'))
                lose(list, allowed, "ident is not asked");
        else if (word[0] == '=')
                lose(list, allowed, "names are not looked up");
        else
                (strchr(word, '-') ? take_range : take_address)(list, word, allowed);
}

void tcprules_convert(struct rule_list *list, const struct import_source *source)
{
        struct import_lines lines = {.source = source};
        char *line;

        list->others_come_in = true;
        while ((line = import_lines_next(&lines, "#"))) {
                list->line = lines.number;
                take_rule(list, line);
        }
        list->out_of_memory |= lines.out_of_memory;
        import_lines_clear(&lines);
}
