/* `preforkctl import`: files of other programs into a configuration on stdout. Needs no daemon. */
#pragma once

#include "ctl/client.h"

/* `arguments` is NULL-terminated and begins behind `import`. CTL_EXIT_FAILURE also if somebody has to decide something
 * before all is served as it was. */
enum ctl_exit ctl_import_run(char *const *arguments);
