#include "os/process/module_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/text.h"

/* What version 1 of the interface has: the least that a module of this version brings. */
#define SIZE_OF_ABI_1 (offsetof(struct prefork_module, done) + sizeof(void (*)(void *)))

#define KNOWN_FLAGS ((uint64_t)(PREFORK_MODULE_DATAGRAMS | PREFORK_MODULE_THREAD_SAFE))

/* Explain, and return `result`; -ENOMEM if there is no memory for the words. */
__attribute__((format(printf, 3, 4))) static int explain(struct text *why, int result, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(why, format, arguments);
        va_end(arguments);
        return r < 0 ? r : result;
}

const char *module_file_error(const char *path)
{
        const char *error = dlerror();
        size_t length = strlen(path);

        if (!error)
                return "for no reason that is known";
        return strncmp(error, path, length) == 0 && text_starts_with(error + length, ": ") ? error + length + 2 : error;
}

int module_file_check(const struct prefork_module *module, struct text *why)
{
        if (module->abi != PREFORK_MODULE_ABI)
                return explain(why, -EPROTO,
                               "it is for version %u of the interface of modules, and this preforkd has version %d",
                               module->abi, PREFORK_MODULE_ABI);
        if (module->size < SIZE_OF_ABI_1)
                return explain(why, -EPROTO, "its \"%s\" is cut off: %u bytes, expected %zu", PREFORK_MODULE_SYMBOL,
                               module->size, SIZE_OF_ABI_1);
        if (!module->serve)
                return explain(why, -EPROTO, "its \"%s\" has no function serve", PREFORK_MODULE_SYMBOL);
        if ((module->flags & ~KNOWN_FLAGS) != 0)
                return explain(why, -EPROTO, "it needs something that this preforkd does not have (flags 0x%llx)",
                               (unsigned long long)(module->flags & ~KNOWN_FLAGS));
        return 0;
}

int module_file_check_datagrams(const struct prefork_module *module, struct text *why)
{
        if (module->flags & PREFORK_MODULE_DATAGRAMS)
                return 0;
        return explain(why, -EPROTO, "it does not say that it can serve datagrams (PREFORK_MODULE_DATAGRAMS)");
}

int module_file_check_threads(const struct prefork_module *module, uint64_t threads, struct text *why)
{
        if (threads <= 1 || (module->flags & PREFORK_MODULE_THREAD_SAFE))
                return 0;
        return explain(
                why, -ENOTSUP,
                "it does not say that it is thread-safe (PREFORK_MODULE_THREAD_SAFE), which threads_per_worker = "
                "%llu needs",
                (unsigned long long)threads);
}

int module_file_load(const char *path, const struct prefork_module **ret, struct text *why)
{
        struct stat status;

        if (stat(path, &status) < 0)
                return explain(why, -errno, "%s", strerror(errno));
        if (!S_ISREG(status.st_mode)) /* opening a FIFO would wait for a writer */
                return explain(why, -EACCES, S_ISDIR(status.st_mode) ? "it is a directory" : "it is no regular file");
        void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!object)
                return explain(why, -ENOEXEC, "%s", module_file_error(path));
        const struct prefork_module *module = dlsym(object, PREFORK_MODULE_SYMBOL);
        if (!module)
                return explain(why, -EPROTO, "it is a shared object, but no module: it has no symbol \"%s\"",
                               PREFORK_MODULE_SYMBOL);
        int r = module_file_check(module, why);
        if (r == 0)
                *ret = module;
        return r;
}
