/* What former calls have left on the stack of this process. */
#pragma once

/* Forget what is on the stack beyond the present frames, where a forked child finds what its parent has called before.
 * It reaches further than any call of ours. */
void stack_forget(void);
