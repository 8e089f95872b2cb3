/* The arguments by which a running preforkd tells the program that it executes in an upgrade what to do. Pure.
 *
 * Written by master/upgrade, read by bin/. */
#pragma once

#include <stdbool.h>

#define TAKE_OVER_OPTION "--take-over="
#define TAKE_OVER_PREFLIGHT_OPTION "--preflight="
#define TAKE_OVER_WAY_BACK_OPTION "--way-back="

/* How the program was started by an upgrade: by `--take-over=FD` or `--preflight=FD`, its first argument, and by
 * `--way-back=ATTEMPT:FD:PATH`, which may follow. */
struct take_over {
        bool wanted;
        bool is_preflight; /* only check whether it could take over */
        int fd;            /* where the document is */
        unsigned attempt;  /* 1: the first one of this program */
        int previous_fd;   /* the file of the previous program; -1: there is no way back */
        const char *previous_path;
        bool is_back; /* this is the previous program, executed again */
};

/* Read these arguments. Returns how many of `arguments`, which follow argv[0], they are; -EINVAL: they are wrong.
 * Allocates nothing, so that it cannot fail for want of memory. */
int take_over_parse(int count, char *const *arguments, struct take_over *ret);
