/* What is logged about templates, and recorded among the pool's decisions. Called by launcher_template. */
#pragma once

#include <stdbool.h>

struct pool;
struct template;

void template_report_start(struct pool *pool, const struct template *template);
void template_report_ready(struct pool *pool, const struct template *template);

/* Why it ends. Call it before the failure is counted. `is_given_up`: the pool takes another method, and says why. */
void template_report_end(struct pool *pool, const struct template *template, bool is_given_up);

/* So many children that nobody has ordered were killed. */
void template_report_strangers(struct pool *pool, unsigned count);
