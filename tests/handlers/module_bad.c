/* Shared objects that preforkd must refuse. Which is said when it is compiled. */
#include <stdlib.h>
#include <unistd.h>

#include "prefork/module.h"

static int serve(void *state, const struct prefork_request *request)
{
        (void)state;
        (void)request;
        return 0;
}

#if defined(NO_SYMBOL)
PREFORK_MODULE_EXPORT const struct prefork_module another_symbol = {PREFORK_MODULE_HEADER, .serve = serve};
#elif defined(OTHER_ABI)
PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {.abi = 99, .size = 1000, .serve = serve};
#elif defined(CUT_OFF)
PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {
        .abi = PREFORK_MODULE_ABI, .size = 24, .serve = serve};
#elif defined(NO_SERVE)
PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {PREFORK_MODULE_HEADER};
#elif defined(NEEDS_MORE)
PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {PREFORK_MODULE_HEADER, .flags = UINT64_C(1) << 31,
                                                                    .serve = serve};
#else
PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {PREFORK_MODULE_HEADER, .serve = serve};
#endif

#if defined(UNDEFINED)
extern int nobody_defines_this(void);
int call_it(void);
int call_it(void)
{
        return nobody_defines_this();
}
#endif

__attribute__((constructor)) static void when_loaded(void)
{
#if defined(HANGS)
        for (;;)
                sleep(1000);
#elif defined(CRASHES)
        abort();
#elif defined(EXITS)
        exit(0);
#elif defined(ROOT_ONLY) /* only root can be told from others here */
        if (geteuid() != 0)
                _exit(3);
#endif
}
