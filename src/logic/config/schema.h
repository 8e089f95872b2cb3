/* The option table: the single source of every option's name, type, unit, default, range, reload effect and help.
 *
 * The parser, the printer, --help-config, the reload diff, the sample file's test and the manual's test all read it;
 * adding an option is adding a row here, a field in config.h and a paragraph in preforkd.conf(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/config/config.h"

enum option_type {
        OPTION_BOOL,
        OPTION_NUMBER,
        OPTION_SIGNED,
        OPTION_MODE,
        OPTION_DURATION,
        OPTION_SIZE,
        OPTION_PERCENT,
        OPTION_ENUM,
        OPTION_PATH,
        OPTION_NAME, /* any one word */
        OPTION_LINE_FORMAT,
        OPTION_WORDS,
        OPTION_ENVIRONMENT,
        OPTION_VARIABLE_NAMES,
        OPTION_FILES, /* paths, perhaps with a - in front */
        OPTION_LISTEN,
        OPTION_ACCOUNT,
        OPTION_ACCOUNT_LIST,
        OPTION_LIMIT,
        OPTION_LIMIT_SIZE, /* soft[:hard], in plain numbers or in sizes */
        OPTION_LOG_TARGET,
        OPTION_RATE,
        OPTION_CLIENTS,
        OPTION_MESSAGE, /* what clients are told: one text, with escapes, or @/path */
        OPTION_PREFIXES,
        OPTION_PRESSURE, /* a share of the time, for each resource */
        OPTION_TYPE_COUNT
};

/* What a reload does when the option's value changes, from the least to the most disruptive. */
enum reload_effect {
        EFFECT_IN_PLACE, /* the running pool takes the new value; no worker is touched */
        EFFECT_LISTENER, /* the value is set on the open listening sockets; no worker is touched */
        EFFECT_ROLL,     /* workers run differently: a new generation replaces the old one */
        EFFECT_REBIND,   /* listeners are opened or closed: a new generation, and closing listeners drain */
};

struct option_choice {
        const char *word;
        int value;
        bool not_built; /* known, but refused with "not available yet" */
};

struct option {
        const char *name;
        enum option_type type;
        size_t offset;                       /* of the field in struct pool_config or struct master_config */
        const char *default_text;            /* as a file would write it; NULL: no default (unset or fitted) */
        uint64_t min, max;                   /* inclusive; OPTION_SIGNED casts them to int64_t; in ms, bytes, percent */
        bool optional;                       /* an empty value is accepted and means unset */
        size_t set_offset;                   /* OPTION_SIGNED, optional: of the bool "is set" beside the field */
        const struct option_choice *choices; /* OPTION_ENUM, OPTION_LOG_TARGET; ends with a NULL word */
        enum reload_effect effect;
        bool no_default;  /* of pools: each has its own, so [defaults] cannot set it */
        bool not_built;   /* the key as a whole is refused with "not available yet" */
        const char *help; /* one line, no final period */
};

extern const struct option pool_options[POOL_OPTION_COUNT];
extern const struct option master_options[MASTER_OPTION_COUNT];

/* The name of a type as the manual uses it ("duration", "number", …). */
const char *option_type_name(enum option_type type);

/* What a change does, as a verb phrase: "applies in place", "replaces the workers", … */
const char *reload_effect_name(enum reload_effect effect);

/* The option of that name, or -1. */
int pool_option_find(const char *name);
int master_option_find(const char *name);
