#include "os/process/status_object.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "os/process/module_file.h"

#define NAME_OF(symbol) NAME_OF_(symbol)
#define NAME_OF_(symbol) #symbol

const char *status_object_path(void)
{
#ifdef STATUS_OBJECT
        const char *path = getenv(STATUS_OBJECT_VARIABLE);

        return path && path[0] == '/' ? path : STATUS_OBJECT;
#else
        return NULL;
#endif
}

int status_object_load(const char *path, const struct status_object **ret, struct text *why)
{
        void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        if (!object)
                return text_append(why, module_file_error(path)) < 0 ? -ENOMEM : -ENOEXEC;
        const struct status_object *found = dlsym(object, NAME_OF(STATUS_OBJECT_SYMBOL));
        if (found && text_equal(found->version, PREFORKD_VERSION)) {
                *ret = found;
                return 0;
        }
        int r = found ? text_appendf(why, "it is of preforkd %s, and this is %s", found->version, PREFORKD_VERSION)
                      : text_append(why, "it is a shared object, but not the one that serves the status");
        return r < 0 ? r : -EPROTO;
}
