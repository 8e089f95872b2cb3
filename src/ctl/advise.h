/* `preforkctl advise`: what was observed of pools since they were made, as advice on their limits
 * (logic/status/sizing). Called by ctl/preforkctl. */
#pragma once

#include <stdbool.h>

#include "base/words.h"

/* Carry out the command with its arguments, and print an answer for people or as JSON. An exit code. */
int ctl_advise_run(const char *socket_path, const struct words *words, bool json, unsigned patience_ms);
