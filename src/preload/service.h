/* A worker that is a fork of a template: of its handler, an inetd-style program, that was stopped before it had a
 * connection. From there each connection gets a copy of the program: the worker's side of that, in the program's own
 * process. It does what worker/accept_loop, worker/runtime_inetd and worker/worker_setup do for a program that is
 * executed for each connection: waiting, admission, reports, deadlines, records, limits, the environment.
 *
 * Called by preload/copies (and whatever else makes copies). What must stay true: nothing here calls libc or touches
 * errno; a copy has no descriptor, mapping or signal handler of ours when it goes on into the program. The state is
 * static, because signal handlers get no argument: a process has one service. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/address.h"
#include "lib/attach.h"
#include "lib/rollback_obstacle.h"
#include "lib/touch_refusal.h"
#include "prefork/scoreboard.h"

/* In the object's constructor: read what the environment says of us, and remove it. True: this process is a template,
 * in which the handler starts. */
bool service_prepare(char **environment);

/* True between service_prepare() and the stop, in the template's own process. */
bool service_is_expected(enum attach_stop stop);

/* At the stop, in the template, once: note what the program has set for itself, close the process to its handlers,
 * block all signals, move our descriptors above the program's. Ends the process if that fails. */
void service_stop(void);

/* In a worker that has its slot, once: move our descriptors above the program's, take over the signals, get ready to
 * accept. Ends the process if that fails. `environment`: what the copies get, and variables about their client; NULL:
 * those are left out. */
void service_begin(char **environment);

/* In a copy, after service_enter(): the signal mask that the program had when it stopped. */
void service_restore_mask(void);

/* In a copy: what service_stop() has taken of the program's attributes is as it was. */
void service_give_attributes(void);

/* The lowest number of a descriptor of ours; all above are ours, too. */
int service_first_own_fd(void);

/* In the process that accepts: a fork of the worker (with all signals blocked), or the worker itself. Join the idle
 * set, wait for a connection, admit it and begin its request. Returns the descriptor, or -1: this process must end,
 * with service_end_code(). */
int service_wait(void);
int service_end_code(void);

/* In a fork of the worker, with all signals blocked, before service_wait(): wait in its place. In a worker that waits
 * itself service_join() does what is needed; 0 or -errno. */
void service_follow(void);
int service_join(void);

/* What fast_exit_begin() has returned: if the program that stops is not the one that was meant, the log says so. */
void service_note_fast_exit(int result);

/* In a worker: does service_enter() set every signal that has a handler? It does not if the program has set one for a
 * signal that the worker has no use for. */
bool service_saves_all_handlers(void);

/* In the worker, before it makes copies: they share its memory. What they fork has nothing of ours in it. */
void service_share_memory(void);

/* How it is said that copies are to be made, and what belongs to that. */
uint64_t service_value(enum attach_variable variable);

/* In the worker: the request of the connection that it holds is lost, because nothing can serve it. */
void service_lose(int error);

/* In the process that is the copy: put the connection where the program has it, close what is ours, set limits and
 * signals. `is_cleared`: no signal has a handler any more (CLONE_CLEAR_SIGHAND). Returns the environment, or NULL: it
 * is as it was. The program's signal mask is the caller's to set. */
char **service_enter(int connection, bool is_cleared);

/* In the worker. May it go on with another connection? False: it must end, with service_end_code(). Waits for the
 * master's answer if it has asked to be recycled. */
bool service_may_continue(void);

/* In the worker, with all signals blocked: this process serves, or waits for a connection to serve; 0: none could be
 * made. Unblocks the worker's signals. */
void service_note_copy(pid_t pid);

/* In the worker: has the copy begun a request? And how long ago; 0: it has not. */
bool service_has_request(void);
uint64_t service_request_ns(void);

/* In the worker: wait for the end of the copy, carrying out orders meanwhile, and collect it. */
void service_collect(pid_t pid, int *ret_status, struct rusage *ret_usage);

/* In the worker: the request that was begun has ended with its copy; count it and log what is to be logged. */
void service_note_end(int status, const struct rusage *usage);

/* In the worker, in a shortage of processes or memory: warn once, and pause for a moment. */
void service_endure(const char *what, int error);

/* In the template or the worker: it cannot serve. Report the stage and the errno (positive), and end. */
_Noreturn void service_fail(enum prefork_stage stage, int error);

/* The same in the template, for a program that cannot be copied: why, as touch_refusal_pack() has it. Its children,
 * which are in its group, end with it. */
_Noreturn void service_refuse(uint32_t refusal);

/* In the worker, before it ends: why. */
void service_note_obstacle(enum rollback_obstacle obstacle);

/* The master does without, and says why: bits of ATTACH_AUTO. */
bool service_is_auto(enum attach_auto what);

/* In the worker: end with that code. */
_Noreturn void service_leave(int code);
