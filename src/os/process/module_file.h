/* Module files: a shared object with the interface of prefork/module.h, loaded into this process.
 *
 * Called by a worker, and by the process in which a configuration's modules are tried. Loading runs the object's
 * constructors, with the caller's credentials. What is loaded stays loaded. */
#pragma once

#include "prefork/module.h"

struct text;

/* Load the module at `path` (absolute). 0 with *ret, which lives as long as the process. Otherwise -errno with an
 * explanation in `why`: of open(2); -EACCES: no regular file; -ENOEXEC: no shared object, or one that cannot be loaded;
 * -EPROTO: no module, or one for another version of the interface; -ENOMEM. */
int module_file_load(const char *path, const struct prefork_module **ret, struct text *why);

/* What dlopen(3) has said last about the file at `path`, without the name of it, which callers have said. */
const char *module_file_error(const char *path);

/* Can the module serve datagrams? 0; -EPROTO with an explanation; -ENOMEM. */
int module_file_check_datagrams(const struct prefork_module *module, struct text *why);

/* Is the module one that so many threads can use? 0; -ENOTSUP with an explanation; -ENOMEM. */
int module_file_check_threads(const struct prefork_module *module, uint64_t threads, struct text *why);

/* Is the module one that this program can call? 0; -EPROTO with an explanation; -ENOMEM. */
int module_file_check(const struct prefork_module *module, struct text *why);
