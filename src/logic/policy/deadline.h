/* The deadline policy: start_timeout, request_timeout, request_slowlog_timeout, detach_after, kill_timeout and stuck
 * retirements. Pure.
 *
 * One of the policies of a pool's turn. Workers wake the master at the beginning of a request only while no request
 * deadline is armed (levels.notify_busy). What must stay true: a deadline fires once, because it leads to another
 * state; and an order to a worker names the request that took too long. */
#pragma once

struct turn;

void deadline_decide(struct turn *turn);
