/* Capabilities: what this process is privileged to (capabilities(7)). os/process/credentials drops those of workers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Give all of them up, for good, and those that an execve(2) would bring (PR_SET_NO_NEW_PRIVS). 0 or -errno. */
int capability_drop_all(void);

/* Act without any for a moment, and with those that were effective again. Where the kernel refuses it, nothing
 * changes. */
struct capability_set {
        bool changed;
        uint32_t effective[2];
};
void capability_put_aside(struct capability_set *ret);
void capability_take_back(const struct capability_set *set); /* keeps errno */

/* Is the capability (CAP_… of <linux/capability.h>) in our effective set? Yes, if the kernel cannot be asked. */
bool capability_is_effective(int capability);
