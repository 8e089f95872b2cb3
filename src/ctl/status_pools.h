/* The table of pools: a line each, as `status` prints it and `top` draws it. Pure. */
#pragma once

#include <jansson.h>

#include "base/text.h"
#include "ctl/style.h"

/* Append the table of all pools of the document, with as many of its last columns as fit. 0 or -ENOMEM. */
int ctl_status_pools(const json_t *document, struct ctl_style style, struct text *text);

/* The same lines with little more than busy workers over time, as wide as the style is. */
int ctl_status_pools_over_time(const json_t *document, struct ctl_style style, struct text *text);
