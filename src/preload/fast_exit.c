#include "preload/fast_exit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sys.h"

/* What the interpreter's Py_FinalizeEx() does that others can see, without what it frees. A stream that cannot be
 * flushed makes it fail, and the program's status 120, as in Python. */
static const char script[] = "def __preforkd_finish():\n"
                             " import sys, atexit\n"
                             " threading = sys.modules.get('threading')\n"
                             " if threading: threading._shutdown()\n"
                             " atexit._run_exitfuncs()\n"
                             " for stream in (sys.stdout, sys.stderr):\n"
                             "  if stream is not None and not stream.closed: stream.flush()\n"
                             "__preforkd_finish()\n";

static struct {
        int (*is_initialized)(void);
        int (*run)(const char *text, void *flags); /* PyRun_SimpleStringFlags */
} interpreter;

/* In place of Py_FinalizeEx(). */
static int finish(void)
{
        return interpreter.is_initialized() ? interpreter.run(script, NULL) : 0;
}

#if defined(__x86_64__)
#define HAS_JUMP 1
/* movabs $address, %rax; jmp *%rax */
static size_t make_jump(unsigned char *code, uint64_t address)
{
        static const unsigned char head[] = {0x48, 0xb8}, tail[] = {0xff, 0xe0};

        __builtin_memcpy(code, head, sizeof(head));
        __builtin_memcpy(code + sizeof(head), &address, sizeof(address));
        __builtin_memcpy(code + sizeof(head) + sizeof(address), tail, sizeof(tail));
        return sizeof(head) + sizeof(address) + sizeof(tail);
}
#else
#define HAS_JUMP 0
static size_t make_jump(unsigned char *code, uint64_t address)
{
        (void)code;
        (void)address;
        return 0;
}
#endif

/* The interpreter calls it directly, so the code itself must change. The kernel writes it, where the process may not.
 */
static int redirect(void *function, int (*to)(void))
{
        unsigned char code[32];
        size_t length = make_jump(code, (uint64_t)(uintptr_t)to);

        int fd = (int)SYS_4(__NR_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
        if (fd < 0)
                return fd;
        long r = SYS_4(__NR_pwrite64, fd, code, length, function);
        sys_close(fd);
        return r < 0 ? (int)r : r == (long)length ? 0 : -EIO;
}

int fast_exit_begin(void)
{
        void *function = dlsym(RTLD_DEFAULT, "Py_FinalizeEx");

        if (!HAS_JUMP)
                return -ENOSYS;
        *(void **)&interpreter.is_initialized = dlsym(RTLD_DEFAULT, "Py_IsInitialized");
        *(void **)&interpreter.run = dlsym(RTLD_DEFAULT, "PyRun_SimpleStringFlags");
        if (!function || !interpreter.is_initialized || !interpreter.run)
                return -ENOENT;
        return redirect(function, finish);
}
