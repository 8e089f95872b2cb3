#include "logic/policy/policies.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "logic/policy/deadline.h"
#include "logic/policy/drain.h"
#include "logic/policy/listening.h"
#include "logic/policy/recycle.h"
#include "logic/policy/roll.h"
#include "logic/policy/scaling.h"

void policies_decide(struct turn *turn)
{
        /* Listening first: nothing is launched before its listeners are open. Then recycling and rolling: what they
         * launch counts as spare, so that scaling does not launch it again. */
        static void (*const policies[])(struct turn *) = {
                listening_decide, recycle_decide, roll_decide, scaling_decide, deadline_decide, drain_decide,
        };

        for (size_t i = 0; i < ELEMENTS(policies); i++)
                policies[i](turn);
}
