/* An overlay: limits that are laid over the configuration of a running pool until the next reload. Pure.
 *
 * The control command `scale` sets values, SIGTTIN and SIGTTOU shift max_workers. The configured pool is not touched:
 * it is in force again when the overlay is cleared. Only options that apply in place can be overlaid; all of them are
 * numbers and words of a fixed list, so that the pool with its overlay is a copy that owns nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "logic/config/config.h"

/* Zero-initialise: nothing is overlaid; end with overlay_clear(). */
struct overlay {
        char *values[POOL_OPTION_COUNT]; /* what `scale` has set, as a file would write it; NULL: nothing */
        int max_workers_shift;           /* on top of that */
        struct pool_config limits;       /* the configured pool with all of it; borrows what that owns */
};

/* True if there is nothing in it: the configured pool is in force. */
bool overlay_is_empty(const struct overlay *overlay);

/* The overlay that `present` becomes by the settings `KEY=VALUE`; `min_spare`, `max_spare`, `start` and `max` also name
 * the numbers of workers. The rules between options are those of a file: numbers that nobody has set are fitted anew,
 * those that disagree are refused. A shift of max_workers becomes a value. What is wrong is added to `problems`, and
 * *ret is empty then. 0 or -ENOMEM. */
int overlay_scale(const struct overlay *present, const struct pool_config *configured, char *const *settings,
                  size_t count, struct overlay *ret, struct problem_list *problems);

/* The overlay that `present` becomes by a shift of max_workers; a number of spare workers or of workers at the start
 * that is more than a lowered max_workers goes down with it. 0; -ERANGE: no pool may have that many, or that few;
 * -ENOMEM. */
int overlay_shift(const struct overlay *present, const struct pool_config *configured, int by, struct overlay *ret);

/* The overlay as words (`max_workers=30 spare_timeout=3s`), without the shift; and made of both again, by an upgrade.
 * 0; -EINVAL: a problem says why; -ENOMEM. */
struct text;
int overlay_print(const struct overlay *overlay, struct text *text);
int overlay_parse(const char *string, int max_workers_shift, const struct pool_config *configured, struct overlay *ret,
                  struct problem_list *problems);

/* True if the option has another value because of the overlay, be it fitted. */
bool overlay_changes(const struct overlay *overlay, const struct pool_config *configured, enum pool_option option);

void overlay_clear(struct overlay *overlay);
