/* Internal to config_finish(): what its parts share.
 *
 * check.c and handler_rules.c have the rules, fit.c fits the numbers that depend on each other; beside them overlay.c
 * and choice.c, which change what these were about, include this. */
#pragma once

#include <stdbool.h>

#include "logic/config/config.h"

#define OPTION_LABEL_MAX 64

struct rules {
        const struct config_context *context;
        struct problem_list *problems;
};

/* True if the user set the option to a value that was accepted. */
static inline bool rules_is_set(const struct pool_config *pool, enum pool_option option)
{
        return pool->origins[option].line > 0 && !pool->origins[option].refused;
}

/* The option's name as its user writes it: max_workers, or --max-workers. Returns `label`. */
const char *rules_label(const struct rules *rules, enum pool_option option, char label[static OPTION_LABEL_MAX]);

/* An error about one option, `NAME: text`, at the place where it was set, or else where the pool begins. */
void rules_refuse(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void rules_warn(const struct rules *rules, const struct pool_config *pool, enum pool_option option, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* An error about two options of which the first may not be more than the second: names both, and both places. */
void rules_refuse_order(const struct rules *rules, const struct pool_config *pool, enum pool_option lesser,
                        enum pool_option greater, const char *lesser_text, const char *greater_text);

/* Fit min_spare_workers ≤ start_workers ≤ max_spare_workers ≤ max_workers and restart_delay_min ≤ restart_delay_max:
 * values that were set stay, the others move; set ones that disagree are problems. Defaults are in place. */
void config_fit(const struct rules *rules, struct pool_config *pool);

/* The default of max_requests depends on how connections get their copies, which a choice may change. */
void config_fit_requests(struct pool_config *pool);

/* All rules about `handler`, and about options whose meaning depends on handler_type. */
void config_check_handler(const struct rules *rules, const struct pool_config *pool);

/* Complete what `allow` and `deny` mean, and check it. 0 or -ENOMEM. */
int config_check_access(const struct rules *rules, struct pool_config *pool);

/* What preforkd itself says to clients; and (of config_check_limits()) when it refuses them for their wait. */
void config_check_wait(const struct rules *rules, const struct pool_config *pool);
void config_check_answers(const struct rules *rules, const struct pool_config *pool);

/* Check that the pools exist that agents tell of; max_workers_total against what pools have in any case. */
void config_check_agents(const struct rules *rules, const struct config *config);
void config_check_total(const struct rules *rules, const struct config *config);

/* The rules of the options by which workers hold connections. */
void config_check_connections(const struct rules *rules, const struct pool_config *pool);

/* The rules about rates of connections. */
void config_check_rates(const struct rules *rules, const struct pool_config *pool);

/* All rules about values that apply in place: fits them, and checks the bound of processes. */
void config_check_limits(const struct rules *rules, struct pool_config *pool);
