/* The launcher operations for workers that the master forks itself. */
#pragma once

struct launcher_ops;

extern const struct launcher_ops launcher_fork;
