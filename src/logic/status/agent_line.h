/* What an agent tells HAProxy about a pool, in one line (the builtin handler `agent`): "up", a weight in
 * per cent of the configured one, and how many connections it may open. Pure.
 *
 * Called by builtin/agent. What must stay true: never "ready", "drain" or "maint", which are the operator's words
 * ("ready" would lift a MAINT); never a weight of 0 but for a pool that is being drained, because HAProxy shows that as
 * DRAIN; never a maxconn of 0, which is no limit. */
#pragma once

struct status;
struct status_pool;
struct text;

/* Append the line, with its end. 0 or -ENOMEM. */
int agent_line_append(const struct status *status, const struct status_pool *pool, struct text *line);
