/* Internal to option_value: the operations of each type. Included by option_*.c alone.
 *
 * Each option_*.c file implements some types; option_value.c holds the table that is indexed by enum option_type and
 * does what all types share: splitting into words, counting them, wording the error. */
#pragma once

#include <stdbool.h>

#include "base/words.h"
#include "logic/config/schema.h"

struct text;

#define OPTION_FIELD(option, base, type) ((type *)(void *)((char *)(base) + (option)->offset))
#define OPTION_FIELD_CONST(option, base, type) ((type const *)(const void *)((const char *)(base) + (option)->offset))

struct option_operations {
        bool takes_list;  /* the value is a list of words; else exactly one word */
        const char *noun; /* `"x" is not NOUN` */

        /* Replace the field by what the words say (at least one). 0, -EINVAL (not of that form), -ERANGE, -ENOMEM; the
         * field is left alone on failure. May explain itself in `error`; else the caller words it. */
        int (*parse)(const struct option *option, void *base, const struct words *words, struct text *error);
        /* Instead, for a value that is no words but one text, with quotes and backslashes of its own. 0, -EINVAL with
         * the reason in `error`, -ENOMEM. */
        int (*parse_text)(const struct option *option, void *base, const char *string, struct text *error);
        /* What is wrong with the value as it was written, before its words are parsed: 1 and a text in `error`; 0;
         * -ENOMEM. NULL: nothing. */
        int (*advise)(const char *string, const struct words *words, struct text *error);
        int (*print)(const struct option *option, const void *base, struct text *text);
        /* The same without what is secret of it, which is not quoted in problems either. NULL: nothing is. */
        int (*print_masked)(const struct option *option, const void *base, struct text *text);
        int (*expectation)(const struct option *option, struct text *text);
        bool (*equal)(const struct option *option, const void *a, const void *b);
        void (*clear)(const struct option *option, void *base);
};

extern const struct option_operations option_bool, option_number, option_signed, option_mode, option_duration,
        option_size, option_percent, option_enum, option_path, option_name; /* option_scalar.c */
extern const struct option_operations option_line_format;                   /* option_line_format.c */
extern const struct option_operations option_limit, option_limit_size;      /* option_limit.c */
extern const struct option_operations option_words, option_environment, option_listen, option_variable_names,
        option_files;                                                      /* option_list.c */
extern const struct option_operations option_log_target;                   /* option_log.c */
extern const struct option_operations option_rate;                         /* option_rate.c */
extern const struct option_operations option_account, option_account_list; /* option_account.c */
extern const struct option_operations option_clients;                      /* option_clients.c */
extern const struct option_operations option_message;                      /* option_message.c */
extern const struct option_operations option_prefixes;                     /* option_prefixes.c */
extern const struct option_operations option_pressure_limits;              /* option_pressure.c */
