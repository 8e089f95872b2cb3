/* Capabilities: what this process is privileged to (capabilities(7)). Reading only; os/process/credentials drops. */
#pragma once

#include <stdbool.h>

/* Is the capability (CAP_… of <linux/capability.h>) in our effective set? Yes, if the kernel cannot be asked. */
bool capability_is_effective(int capability);
