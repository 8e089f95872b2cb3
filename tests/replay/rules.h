/* How pools are scaled: preforkd's own policies, as they are, and models of what its peers do.
 *
 * What the models leave out is in the peers' favour: a peer's master reacts at its next tick in no time, and its
 * workers, too, are ready after the same start. */
#pragma once

#include <stdbool.h>

#include "replay/simulation.h"

/* NULL ends the list. The first is adaptive, the second preforkd's thresholds. */
extern const struct rule *const rules[];
