#include "logic/config/peer_variables.h"

#include <string.h>

#include "base/cleanup.h"

static const char *const names[] = {
        "PROTO",          "TCPLOCALIP",    "TCPLOCALPORT",   "TCPLOCALHOST",   "TCPREMOTEIP", "TCPREMOTEPORT",
        "TCPREMOTEHOST",  "TCPREMOTEINFO", "REMOTE_ADDR",    "REMOTE_PORT",    "REMOTE_HOST", "UNIXLOCALPATH",
        "UNIXREMOTEPATH", "UNIXREMOTEPID", "UNIXREMOTEEUID", "UNIXREMOTEEGID",
};

bool peer_variables_contain(const char *variable)
{
        size_t length = strcspn(variable, "=");

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strlen(names[i]) == length && strncmp(names[i], variable, length) == 0)
                        return true;
        return false;
}
