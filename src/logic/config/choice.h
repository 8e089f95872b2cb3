/* What `start_method = auto` and `copy = auto` stand for, and why not more. Pure.
 *
 * Decided once, when the configuration is read, by the configuration child: master/config/preload_check knows the
 * program and the machine. The result is in pool_config.choice and travels in the canonical form. What an explicit
 * value cannot be used for is an error; auto takes less. (What shows only while the handler runs is
 * logic/policy/fallback.) */
#pragma once

#include "logic/config/config.h"

struct text;

/* What prevents more than this; each a clause such as "it is statically linked", or NULL. */
struct choice_facts {
        const char *no_load;     /* all but exec: preforkd's object cannot be loaded into the handler */
        const char *no_dispatch; /* snapshot of a handler on stdin and stdout: its calls cannot be watched */
        const char *no_rollback; /* rollback: the machine's memory cannot be put back */
};

/* Choose, and fit the default that depends on it. Accounts are resolved, defaults are set. 0 or -ENOMEM. */
int choice_make(struct pool_config *pool, const struct choice_facts *facts);

/* True if POOL_START_METHOD or POOL_COPY is auto, and what was chosen has an effect: without a handler that is copied
 * nothing was chosen for POOL_COPY. */
bool choice_is_made(const struct pool_config *pool, enum pool_option option);

/* The next lesser method for such a handler: one that accepts itself has nothing that could be copied for a connection.
 * EXEC has none, and gives itself. */
enum start_method choice_lesser(const struct pool_config *pool, enum start_method method);

/* The word of a value of POOL_START_METHOD or POOL_COPY. */
const char *choice_word(enum pool_option option, int value);

/* Why not more than what is used of POOL_START_METHOD or POOL_COPY: "snapshot cannot be used: it has threads". `why` is
 * the clause. 0 or -ENOMEM. */
int choice_explain(const struct pool_config *pool, enum pool_option option, const char *why, struct text *text);

/* What is used, and why not more: "forkserver; snapshot cannot be used: it has threads"; `why` may be NULL. 0 or
 * -ENOMEM. */
int choice_describe(const struct pool_config *pool, enum pool_option option, const char *why, struct text *text);

/* The clause that choice_make() found for that option, or NULL. */
const char *choice_why(const struct pool_config *pool, enum pool_option option);

/* The choice in the canonical form: lines with keys that are no options. 0 or -ENOMEM. */
int choice_print(const struct pool_config *pool, struct text *text);

/* One of these keys, read back. 1: taken, 0: it is none of them, -ENOMEM. */
int choice_take(struct pool_config *pool, const char *key, const char *value);
