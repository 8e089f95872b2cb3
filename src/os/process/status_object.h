/* The object that serves the status by HTTP (src/web): where it is, and what it defines. It is loaded into the workers
 * of status pools alone, because it brings libraries that nobody else needs.
 *
 * Called by these workers, and by the process in which a configuration is tried. Loading runs the constructors of those
 * libraries, with the caller's credentials. What is loaded stays loaded. */
#pragma once

#include "prefork/module.h"

struct text;

/* The variable that names another place than the installed one: for preforkd that is not installed. */
#define STATUS_OBJECT_VARIABLE "PREFORKD_STATUS"

/* What the object defines, as one symbol. Object and program are of the same build, so this is no interface. */
#define STATUS_OBJECT_SYMBOL preforkd_status_object
struct status_object {
        const char *version;
        struct prefork_module module;
        /* Before init(): the worker's socket to the master (logic/protocol/status_link), which stays the caller's. */
        void (*attach)(int status_fd);
};

/* Its path; NULL: this preforkd was built without it. The string lives as long as the environment. */
const char *status_object_path(void);

/* Load it from there. 0 with *ret, which lives as long as the process. Otherwise -errno with an explanation in `why`:
 * -ENOEXEC: it cannot be loaded; -EPROTO: it is another; -ENOMEM. */
int status_object_load(const char *path, const struct status_object **ret, struct text *why);
