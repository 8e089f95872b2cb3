#include "lib/rollback_obstacle.h"

static const char *const texts[] = {
#define X(name, text) [ROLLBACK_##name] = (text),
        ROLLBACK_OBSTACLES(X)
#undef X
};

const char *rollback_obstacle_text(enum rollback_obstacle obstacle)
{
        return obstacle < ROLLBACK_OBSTACLE_COUNT ? texts[obstacle] : "an unknown reason";
}

bool rollback_obstacle_is_shortage(enum rollback_obstacle obstacle)
{
        return obstacle == ROLLBACK_NO_MEMORY || obstacle == ROLLBACK_NO_PROCESS;
}
