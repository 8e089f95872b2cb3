#include "logic/status/sizing.h"

#include "logic/status/sizing_recycling.h"
#include "logic/status/sizing_spare.h"
#include "logic/status/sizing_workers.h"

int sizing_judge(const struct sizing_input *input, struct sizing *ret)
{
        const struct sizing_facts facts = sizing_facts_of(input);

        *ret = (struct sizing){0};
        sizing_judge_workers(&facts, ret);
        sizing_judge_spare(&facts, ret);
        sizing_judge_recycling(&facts, ret);
        return ret->r;
}
