/* The small services that inetd has built in, on streams: RFC 862 (echo), 863 (discard), 867 (daytime), 868 (time) and
 * 864 (chargen), in xinetd's forms.
 *
 * A client that leaves ends its request, which has not failed. */
#pragma once

#include "prefork/module.h"

extern const struct prefork_module builtin_echo, builtin_discard, builtin_daytime, builtin_time, builtin_chargen;
