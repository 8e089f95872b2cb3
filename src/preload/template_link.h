/* The socket of a template to its master: what it says there. Called by preload/service and preload/template. */
#pragma once

#include <stdint.h>

#include "lib/template_words.h"

/* Say it. 0 or -errno; -EPIPE: the master has gone, or wants this template no more. */
int template_link_say(int fd, enum template_said said, uint32_t launch, uint32_t stage, uint32_t error);
