/* Part of config_host: whether a pool's limits can be had on this machine. */
#pragma once

struct host;

/* Report what cannot be: nice, resource limits, oom_score_adj, pressure. What is tried is undone. */
void host_limits_check(const struct host *host);
