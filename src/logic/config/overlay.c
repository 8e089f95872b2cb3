#include "logic/config/overlay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/config/config_options.h"
#include "logic/config/option_value.h"
#include "logic/config/rules.h"
#include "logic/config/schema.h"
#include "logic/config/spelling.h"

/* The most workers a shift leads to: the other slots are for those that come and go. */
#define SHIFTED_MAX (POOL_SLOTS / 2)

static const enum pool_option worker_numbers[] = {POOL_MIN_SPARE_WORKERS, POOL_START_WORKERS, POOL_MAX_SPARE_WORKERS,
                                                  POOL_MAX_WORKERS};

/* True if the option applies in place. */
static bool is_offered(const struct option *option)
{
        return option->effect == EFFECT_IN_PLACE && !option->not_built;
}

bool overlay_is_empty(const struct overlay *overlay)
{
        for (int i = 0; i < POOL_OPTION_COUNT; i++)
                if (overlay->values[i])
                        return false;
        return overlay->max_workers_shift == 0;
}

bool overlay_changes(const struct overlay *overlay, const struct pool_config *configured, enum pool_option option)
{
        return !overlay_is_empty(overlay) && is_offered(&pool_options[option]) &&
               !pool_option_equal(&overlay->limits, configured, option);
}

void overlay_clear(struct overlay *overlay)
{
        for (int i = 0; i < POOL_OPTION_COUNT; i++)
                free(overlay->values[i]);
        *overlay = (struct overlay){0};
}

/* Settings. */

/* The option of that name, or of that name with `_workers`; -1: none. */
static int find_option(const char *key)
{
        char longer[64];
        int index = pool_option_find(key);

        if (index >= 0)
                return index;
        snprintf(longer, sizeof(longer), "%s_workers", key);
        return pool_option_find(longer);
}

static void refuse_key(const char *key, struct problem_list *problems)
{
        struct spelling spelling = {.word = key};

        for (int i = 0; i < POOL_OPTION_COUNT; i++)
                if (is_offered(&pool_options[i]))
                        spelling_offer(&spelling, pool_options[i].name);
        if (spelling.best)
                problem_add(problems, NULL, 0, "unknown key '%.64s'; did you mean '%s'?", key, spelling.best);
        else
                problem_add(problems, NULL, 0, "unknown key '%.64s'", key);
}

/* Take the value that `pool` has into the overlay. */
static int take_value(struct overlay *overlay, enum pool_option option, const struct pool_config *pool)
{
        _cleanup_(text_clear) struct text text = {0};
        int r = option_value_print(&pool_options[option], pool, &text);

        free(overlay->values[option]);
        overlay->values[option] = r == 0 ? text_take(&text) : NULL;
        return overlay->values[option] ? 0 : -ENOMEM;
}

static int set(struct overlay *overlay, const struct pool_config *configured, const char *setting,
               struct problem_list *problems)
{
        _cleanup_(text_clear) struct text error = {0};
        struct pool_config scratch = *configured;
        const char *equals = strchr(setting, '=');
        _cleanup_(freep) char *key = equals ? strndup(setting, (size_t)(equals - setting)) : strdup(setting);

        if (!key)
                return -ENOMEM;
        int index = find_option(key);
        if (index < 0 || !equals) {
                refuse_key(key, problems);
                return 0;
        }
        const struct option *option = &pool_options[index];
        if (!is_offered(option)) {
                problem_add(problems, NULL, 0, "%s cannot change without a reload: a change of it %s", option->name,
                            reload_effect_name(option->effect));
                return 0;
        }
        int r = option_value_parse(option, &scratch, equals + 1, &error);
        if (r == -EINVAL)
                problem_add(problems, NULL, 0, "%s: %s", option->name, text_string(&error));
        return r == 0 ? take_value(overlay, (enum pool_option)index, &scratch) : r == -EINVAL ? 0 : r;
}

/* Laying over. */

static uint64_t at_most(uint64_t value, uint64_t most)
{
        return MIN_OF(value, most);
}

/* True if max_workers may be what the shift makes it: each step is a worker, with all its threads. */
static bool shift(struct pool_config *limits, int by)
{
        int64_t threads = pool_config_threads(limits), most = (int64_t)limits->max_workers + by * threads;

        if (by == 0)
                return true;
        if (most < threads || most > SHIFTED_MAX)
                return false;
        limits->max_workers = (uint64_t)most;
        limits->min_spare_workers = at_most(limits->min_spare_workers, limits->max_workers);
        limits->start_workers = at_most(limits->start_workers, limits->max_workers);
        limits->max_spare_workers = at_most(limits->max_spare_workers, limits->max_workers);
        return pool_config_process_limit(limits) < POOL_SLOTS;
}

/* Make the limits of the values and the shift. 0, with errors in `problems` if the numbers disagree; -ERANGE; -ENOMEM.
 */
static int lay(struct overlay *overlay, const struct pool_config *configured, struct problem_list *problems)
{
        static const struct config_context context;
        const struct rules rules = {.context = &context, .problems = problems};
        _cleanup_(text_clear) struct text error = {0};
        int r = 0;

        overlay->limits = *configured;
        for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++) {
                if (!is_offered(&pool_options[i]))
                        continue;
                if (overlay->values[i]) {
                        r = option_value_parse(&pool_options[i], &overlay->limits, overlay->values[i], &error);
                        overlay->limits.origins[i] = (struct origin){.line = 1};
                } else /* fitted anew from where it was fitted from */
                        r = config_set_pool_default(&overlay->limits, (enum pool_option)i);
        }
        if (r < 0)
                return r;
        config_check_limits(&rules, &overlay->limits);
        return shift(&overlay->limits, overlay->max_workers_shift) ? 0 : -ERANGE;
}

static int copy_values(const struct overlay *from, struct overlay *ret)
{
        for (int i = 0; i < POOL_OPTION_COUNT; i++)
                if (from->values[i] && !(ret->values[i] = strdup(from->values[i])))
                        return -ENOMEM;
        return 0;
}

/* What the shift has made of the numbers of workers, as values. */
static int settle_shift(const struct overlay *present, const struct pool_config *configured, struct overlay *ret)
{
        _cleanup_(problem_list_clear) struct problem_list none = {0};
        int r = lay(ret, configured, &none);

        for (size_t i = 0; i < ELEMENTS(worker_numbers) && r == 0; i++)
                if (pool_config_uses(&present->limits, worker_numbers[i]) &&
                    !pool_option_equal(&present->limits, &ret->limits, worker_numbers[i]))
                        r = take_value(ret, worker_numbers[i], &present->limits);
        return r;
}

int overlay_scale(const struct overlay *present, const struct pool_config *configured, char *const *settings,
                  size_t count, struct overlay *ret, struct problem_list *problems)
{
        _cleanup_(problem_list_clear) struct problem_list found = {0};
        struct overlay next = {0};

        int r = copy_values(present, &next);
        if (r == 0 && present->max_workers_shift != 0)
                r = settle_shift(present, configured, &next);
        for (size_t i = 0; i < count && r == 0; i++)
                r = set(&next, configured, settings[i], &found);
        if (r == 0)
                r = lay(&next, configured, &found);
        problem_list_add_errors(problems, &found);
        if (r < 0 || problem_list_refuses(&found))
                overlay_clear(&next);
        *ret = next;
        return r;
}

int overlay_shift(const struct overlay *present, const struct pool_config *configured, int by, struct overlay *ret)
{
        _cleanup_(problem_list_clear) struct problem_list none = {0}; /* the values have been accepted */
        struct overlay next = {.max_workers_shift = present->max_workers_shift + by};

        int r = copy_values(present, &next);
        if (r == 0)
                r = lay(&next, configured, &none);
        if (r < 0)
                overlay_clear(&next);
        *ret = next;
        return r;
}

int overlay_print(const struct overlay *overlay, struct text *text)
{
        _cleanup_(words_clear) struct words words = {0};
        int r = 0;

        for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++) {
                _cleanup_(text_clear) struct text word = {0};
                if (!overlay->values[i])
                        continue;
                r = text_appendf(&word, "%s=%s", pool_options[i].name, overlay->values[i]);
                if (r == 0)
                        r = words_add(&words, text_string(&word));
        }
        return r < 0 ? r : words_join(text, &words);
}

int overlay_parse(const char *string, int max_workers_shift, const struct pool_config *configured, struct overlay *ret,
                  struct problem_list *problems)
{
        static const struct overlay nothing;
        _cleanup_(overlay_clear) struct overlay values = {0};
        _cleanup_(words_clear) struct words words = {0};

        *ret = nothing;
        int r = words_split(string, &words);
        if (r == 0)
                r = overlay_scale(&nothing, configured, words.list, words.count, &values, problems);
        if (r == 0 && !problem_list_refuses(problems))
                r = overlay_shift(&values, configured, max_workers_shift, ret);
        if (r == -ERANGE)
                problem_add(problems, NULL, 0, "max_workers cannot be shifted by %d", max_workers_shift);
        return problem_list_refuses(problems) ? -EINVAL : r;
}
