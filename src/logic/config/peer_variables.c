#include "logic/config/peer_variables.h"

#include <string.h>

#include "base/cleanup.h"

static const char *const names[] = {
        "PROTO",          "TCPLOCALIP",      "TCPLOCALPORT",    "TCPLOCALHOST",   "TCPREMOTEIP",      "TCPREMOTEPORT",
        "TCPREMOTEHOST",  "TCPREMOTEINFO",   "REMOTE_ADDR",     "REMOTE_PORT",    "REMOTE_HOST",      "UNIXLOCALPATH",
        "UNIXREMOTEPATH", "UNIXREMOTEPID",   "UNIXREMOTEEUID",  "UNIXREMOTEEGID", "PROXY_VERSION",    "PROXY_ADDR",
        "PROXY_PORT",     "PROXY_AUTHORITY", "PROXY_UNIQUE_ID", "PROXY_SSL",      "PROXY_SSL_CIPHER", "PROXY_SSL_NAME",
};

bool peer_variables_contain(const char *variable)
{
        size_t length = strcspn(variable, "=");

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strlen(names[i]) == length && strncmp(names[i], variable, length) == 0)
                        return true;
        return false;
}
