/* redirect TARGET: passes a connection on to another address, both ways, until both sides have ended theirs. */
#pragma once

#include "prefork/module.h"

extern const struct prefork_module builtin_redirect;
