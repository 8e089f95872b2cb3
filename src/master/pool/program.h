/* Workers that are programs which accept themselves: why one did not get ready, for the log. Called by worker_exit and
 * deadlines. */
#pragma once

struct worker;

/* Log what is known of a program that has ended or hung before it was ready; nothing for others, or if it has reported
 * all that it should. */
void program_explain(const struct worker *worker);
