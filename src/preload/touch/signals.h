/* SIGSYS as the program sees it, while it is ours: its action, and whether it is blocked; and signals that wait for the
 * object. Used by touch/ alone.
 *
 * SIGSYS must never really be blocked or ignored during the start-up: the kernel would kill the program. Those that are
 * kept must always be blocked, and not be thrown away. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Take SIGSYS, and unblock it; keep those of `kept`, which are blocked. -errno of rt_sigaction(2). */
int signals_begin(void (*handler)(int, siginfo_t *, void *), uint64_t kept);

/* rt_sigaction(2) for the program. */
long signals_action(int number, const void *action, void *ret_former, uint64_t size);

/* rt_sigprocmask(2) for the program, on the mask with which it goes on. */
long signals_mask(uint64_t *mask, int how, const void *set, void *ret_former, uint64_t size);

/* A mask that a call uses while it waits, without SIGSYS, for a handler may run under it, and with those that are kept.
 */
uint64_t signals_strip(uint64_t mask);

/* The program returns to a mask of its own making: note what of ours is blocked in its eyes, and strip it. */
void signals_adopt(uint64_t *mask);

/* The program's own mask, given the real one. */
uint64_t signals_true_mask(uint64_t mask);

/* A SIGSYS that is not of the dispatch: what the program has for it. Null: it has no handler. With a handler, SIGSYS is
 * unblocked for its calls. */
void (*signals_others(void))(int, siginfo_t *, void *);

/* Give the actions back, in a copy. */
void signals_give_back(void);
