/* The upgrade in place: another program (or the same file, which a package has replaced) goes on as this process.
 *
 * First a trial: the program is executed as a child, with a copy of the state and of the descriptors, and says whether it
 * could take over; it and its process group have ten seconds, and this master goes on meanwhile. Then the state is written
 * afresh and the program executed in the master's place. If that fails the master goes on as if nothing had been. */
#pragma once

#include "base/problem.h"
#include "master/daemon/daemon.h"

struct upgrade;

/* What ps shows of a trial. */
#define UPGRADE_PREFLIGHT_TITLE "trial of an upgrade"

/* Begin, for a reason that goes into the log. `path` NULL: the path preforkd was started by. Control clients that wait for
 * it are answered when it is done or has come to nothing, by whichever program runs then. One at a time: while one is under
 * way, the wish for another is left at that. */
void upgrade_begin(struct daemon *daemon, const char *path, const char *by);

/* A trial has succeeded and waited for something else to end: go on. */
void upgrade_continue(struct daemon *daemon);

/* Give up: the master stops. Tells nobody. */
void upgrade_cancel(struct daemon *daemon);

/* Free what is there of one; its trial is nobody's any more. */
void upgrade_close(struct daemon *daemon);

/* On trial: say what came of it, on stdout or stderr, and end. Nothing is put in order, for everything is in service
 * elsewhere, and of warnings the program itself will speak. */
_Noreturn void upgrade_answer_preflight(int r, const struct problem_list *problems);

/* What the program that was executed does, on trial or for good: take the state over from the descriptor in
 * master->setup->take_over. Does not return from a trial, or if it fails: the process ends, and nothing was touched. */
void upgrade_take_over(struct daemon *daemon);
