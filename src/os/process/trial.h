/* A trial: something is done in a child, because it may crash, hang or end the process, or needs other credentials.
 *
 * Called by processes that read a configuration; they serve nobody and may wait. */
#pragma once

struct text;

/* Call entry(context, why) in a child: the leader of a session of its own, with /dev/null as 0, 1 and 2 and no other
 * descriptor, which is killed with everything in its group after `timeout_ms`. Returns what entry returned, 0 or
 * -errno, with its words in `why`. Also, with an explanation: -ETIMEDOUT; -ECHILD: the child was killed, or ended
 * itself; -errno of making the child; -ENOMEM. */
int trial_run(int (*entry)(const void *context, struct text *why), const void *context, unsigned timeout_ms,
              struct text *why);

/* In entry, after a change of credentials, which clears it: be killed when the parent ends. */
void trial_end_with_parent(void);
