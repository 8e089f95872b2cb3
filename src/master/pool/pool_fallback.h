/* What start_method = auto and copy = auto mean in a pool that runs: what the configuration has chosen, or what was
 * taken instead because that could not be had. logic/config/choice chooses, logic/policy/fallback decides; here are the
 * events, the words and the records.
 *
 * Writes pool->fallback and pool->fallback_told. To give something up begins a generation: workers that were made the
 * former way are replaced. */
#pragma once

#include <stdbool.h>

#include "logic/config/config.h"

struct pool;
struct template;
struct text;
struct worker;

/* Why a template that has failed before it was ready makes the pool give up its method: a number for
 * pool_fallback_give_up(); 0: it does not, and the failure is the pool's. */
unsigned pool_fallback_cause(const struct pool *pool, const struct template *template);
void pool_fallback_give_up(struct pool *pool, unsigned cause);

/* Append why a template has failed, as a clause, if more is known than the errno that it has reported. 0 or -ENOMEM. */
int pool_fallback_reason(const struct template *template, struct text *text);

/* A worker has ended with that status. If it says that the memory of its copies cannot be put back, the pool may give
 * up copies by rollback. True: nothing else was wrong with the worker. */
bool pool_fallback_note_worker(const struct worker *worker, int status);

/* The workers are about to be replaced for another reason: what was given up is tried again. */
void pool_fallback_renew(struct pool *pool);

/* Append why POOL_START_METHOD or POOL_COPY is not more than it is, as a clause: "it has threads". Nothing is appended
 * if it is not auto, or is the most. 0 or -ENOMEM. */
int pool_fallback_why(const struct pool *pool, enum pool_option option, struct text *text);

/* Log what auto means, unless that was what was logged last. */
void pool_fallback_announce(struct pool *pool);

/* The same without a record, for a pool that was taken over. */
void pool_fallback_adopt(struct pool *pool);
