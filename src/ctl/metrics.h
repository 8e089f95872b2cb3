/* `preforkctl metrics`: the status as metrics, for scripts and for the files that node_exporter collects. */
#pragma once

#include "base/words.h"

/* Ask the daemon at `socket_path` and print. `words` is the command with its arguments. The exit code. */
int ctl_metrics_run(const char *socket_path, const struct words *words, unsigned patience_ms);
