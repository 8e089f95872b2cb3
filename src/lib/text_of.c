#include "lib/text_of.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>

#include "base/cleanup.h"

static const char *const signals[] = {
        [SIGHUP] = "Hangup",
        [SIGINT] = "Interrupt",
        [SIGQUIT] = "Quit",
        [SIGILL] = "Illegal instruction",
        [SIGTRAP] = "Trace/breakpoint trap",
        [SIGABRT] = "Aborted",
        [SIGBUS] = "Bus error",
        [SIGFPE] = "Floating point exception",
        [SIGKILL] = "Killed",
        [SIGUSR1] = "User defined signal 1",
        [SIGSEGV] = "Segmentation fault",
        [SIGUSR2] = "User defined signal 2",
        [SIGPIPE] = "Broken pipe",
        [SIGALRM] = "Alarm clock",
        [SIGTERM] = "Terminated",
        [SIGSTKFLT] = "Stack fault",
        [SIGCHLD] = "Child exited",
        [SIGCONT] = "Continued",
        [SIGSTOP] = "Stopped (signal)",
        [SIGTSTP] = "Stopped",
        [SIGTTIN] = "Stopped (tty input)",
        [SIGTTOU] = "Stopped (tty output)",
        [SIGURG] = "Urgent I/O condition",
        [SIGXCPU] = "CPU time limit exceeded",
        [SIGXFSZ] = "File size limit exceeded",
        [SIGVTALRM] = "Virtual timer expired",
        [SIGPROF] = "Profiling timer expired",
        [SIGWINCH] = "Window changed",
        [SIGIO] = "I/O possible",
        [SIGPWR] = "Power failure",
        [SIGSYS] = "Bad system call",
};

static const struct {
        int error;
        const char *text;
} errors[] = {
        {EPERM, "Operation not permitted"},
        {ENOENT, "No such file or directory"},
        {EINTR, "Interrupted system call"},
        {EIO, "Input/output error"},
        {EBADF, "Bad file descriptor"},
        {ECHILD, "No child processes"},
        {EAGAIN, "Resource temporarily unavailable"},
        {ENOMEM, "Cannot allocate memory"},
        {EACCES, "Permission denied"},
        {EBUSY, "Device or resource busy"},
        {EINVAL, "Invalid argument"},
        {ENFILE, "Too many open files in system"},
        {EMFILE, "Too many open files"},
        {ENOSPC, "No space left on device"},
        {EPIPE, "Broken pipe"},
        {ENOSYS, "Function not implemented"},
        {ENOTSOCK, "Socket operation on non-socket"},
        {EOPNOTSUPP, "Operation not supported"},
        {ENETDOWN, "Network is down"},
        {ENETUNREACH, "Network is unreachable"},
        {ECONNABORTED, "Software caused connection abort"},
        {ECONNRESET, "Connection reset by peer"},
        {ENOBUFS, "No buffer space available"},
        {ETIMEDOUT, "Connection timed out"},
        {EHOSTUNREACH, "No route to host"},
        {EPROTO, "Protocol error"},
        {ECANCELED, "Operation canceled"},
        {EOVERFLOW, "Value too large for defined data type"},
        {ENODEV, "No such device"},
};

/* SIGRTMIN is a call of libc, which keeps the first two for itself. */
#define FIRST_REAL_TIME 34
#define LAST_REAL_TIME 64

void text_of_signal(struct line *line, int number)
{
        if (number > 0 && (unsigned)number < ELEMENTS(signals) && signals[number]) {
                line_add(line, signals[number]);
                return;
        }
        bool is_real_time = number >= FIRST_REAL_TIME && number <= LAST_REAL_TIME;
        line_add(line, is_real_time ? "Real-time signal " : "Unknown signal ");
        line_add_number(line, (uint64_t)(is_real_time ? number - FIRST_REAL_TIME : number));
}

void text_of_error(struct line *line, int error)
{
        for (size_t i = 0; i < ELEMENTS(errors); i++)
                if (errors[i].error == error) {
                        line_add(line, errors[i].text);
                        return;
                }
        line_add(line, "error ");
        line_add_number(line, (uint64_t)error);
}
