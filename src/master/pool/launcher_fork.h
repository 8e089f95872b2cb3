/* Workers that are forked by the master itself. */
#pragma once

struct launcher_ops;

extern const struct launcher_ops launcher_fork;
