/* Lists of clients of other programs, as the keys `allow` and `deny` of a pool: the text that is being made.
 *
 * In the programs that such lists are from, other things decide than how specific a rule is; the formats see to that
 * before they add one here. Zero-initialise; end with rule_list_clear(). Memory that runs out is remembered, and
 * reported by rule_list_print(). */
#pragma once

#include <stdbool.h>

#include "base/network.h"
#include "base/text.h"
#include "logic/config/access_rules.h"

struct rule_list {
        struct access_rules allow, deny;
        bool others_come_in; /* whom no rule names */
        bool closed;         /* a rule was lost: nobody comes in */
        bool lacks_denial;   /* … and those that are left let in whom it may have shut out */
        struct text notes;   /* comments */
        const char *file;    /* for notes: where … */
        unsigned line;
        const char *rule; /* … and what the rule is */
        bool out_of_memory;
};

void rule_list_allow(struct rule_list *list, const struct network *network);
void rule_list_deny(struct rule_list *list, const struct network *network);

/* True if `outer` has all addresses of `inner`. */
bool rule_list_contains(const struct network *outer, const struct network *inner);

/* True if one of the rules is about the network, and about nobody else. */
bool rule_list_names(const struct access_rules *rules, const struct network *network);

/* Everybody, of IPv4 and IPv6. */
extern const struct network rule_list_everybody[2];

/* A comment about the rule. */
void rule_list_note(struct rule_list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The rule cannot be carried over: nobody comes in until somebody has decided. */
void rule_list_close(struct rule_list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append comments and keys. 0 or -ENOMEM. */
int rule_list_print(struct rule_list *list, struct text *text);

void rule_list_clear(struct rule_list *list);
