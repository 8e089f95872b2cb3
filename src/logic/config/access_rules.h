/* Access rules as a list: networks, users and groups that are allowed or denied. Pure.
 *
 * The options `allow` and `deny` are words; master/config/config_access makes rules of them, with what the lists
 * (`@/path`) contain and the numbers of users and groups by name. The canonical form carries the rules, so that a
 * program that takes over has them without reading anything. logic/config/access_builder makes a table for look-ups. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/access_table.h"
#include "base/network.h"

struct text;

enum access_kind { ACCESS_OF_NETWORK, ACCESS_OF_UID, ACCESS_OF_GID, ACCESS_OF_UNIX };

struct access_rule {
        uint8_t kind;   /* enum access_kind */
        uint8_t answer; /* ACCESS_ALLOW or ACCESS_DENY */
        union {
                struct network network;
                uint32_t id;
        };
};

/* Zero-initialise; end with access_rules_clear(). */
struct access_rules {
        struct access_rule *items;
        size_t count, capacity;
};

/* What a word names besides a rule. */
enum access_word {
        ACCESS_WORD_RULE,  /* a network, uid:NUMBER, gid:NUMBER or unix: *ret is complete but for its answer */
        ACCESS_WORD_USER,  /* uid:NAME … */
        ACCESS_WORD_GROUP, /* … and gid:NAME: the number must be looked up; *ret has the kind */
        ACCESS_WORD_LIST,  /* @/path */
};

/* Read one word. Returns an enum access_word; -EINVAL, -ERANGE or -EDOM of network_parse(), with which *ret is the
 * network that was probably meant. */
int access_word_parse(const char *word, struct access_rule *ret);

/* The name after `uid:` or `gid:`, or the path after `@`, of a word that is no rule. */
const char *access_word_name(const char *word);

/* 0 or -ENOMEM. */
int access_rules_add(struct access_rules *rules, const struct access_rule *rule);

/* As words, for the canonical form, `+` and those that are allowed, `-` and those that are denied; and read back: 0;
 * -EINVAL: these are none (*ret is left alone); -ENOMEM. */
int access_rules_print(const struct access_rules *rules, struct text *text);
int access_rules_parse(const char *string, struct access_rules *ret);

void access_rules_clear(struct access_rules *rules);
