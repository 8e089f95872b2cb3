#include "preload/rollback/memory_attributes.h"

#include "lib/sys.h"
#include "preload/rollback/kernel_abi.h"

static long get(int attribute)
{
        return SYS_5(__NR_prctl, attribute, 0, 0, 0, 0);
}

static bool set(int attribute, long value)
{
        return SYS_5(__NR_prctl, attribute, value, 0, 0, 0) == 0;
}

void memory_attributes_read(struct memory_attributes *ret)
{
        *ret = (struct memory_attributes){
                .dumpable = get(PR_GET_DUMPABLE),
                .huge_pages_off = get(PR_GET_THP_DISABLE),
                .merging = get(ABI_PR_GET_MEMORY_MERGE),
                .write_execute = get(ABI_PR_GET_MDWE),
        };
}

enum rollback_obstacle memory_attributes_put_back(const struct memory_attributes *attributes)
{
        struct memory_attributes now;

        memory_attributes_read(&now);
        if (now.dumpable != attributes->dumpable || now.write_execute != attributes->write_execute)
                return ROLLBACK_ATTRIBUTES_CHANGED;
        if (now.huge_pages_off != attributes->huge_pages_off && !set(PR_SET_THP_DISABLE, attributes->huge_pages_off))
                return ROLLBACK_ATTRIBUTES_CHANGED;
        if (now.merging != attributes->merging && !set(ABI_PR_SET_MEMORY_MERGE, attributes->merging))
                return ROLLBACK_ATTRIBUTES_CHANGED;
        return ROLLBACK_NO_OBSTACLE;
}
