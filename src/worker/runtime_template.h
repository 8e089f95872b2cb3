/* The runtime of an inetd-style program that is loaded once: it is executed in place of the worker, and the preload
 * object stops it before it has a connection (preload/copies). */
#pragma once

#include "worker/runtime.h"

extern const struct runtime_ops runtime_template;
