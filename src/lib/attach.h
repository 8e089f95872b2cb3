/* How a worker that has executed another program finds its slot: variables of the environment, which the worker sets
 * before the exec (worker/runtime_listener) and the program's libprefork or preload object reads.
 *
 * What must stay true: only the process they were made for uses them, and not its children. Nothing is believed that
 * can be checked. Async-signal-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/request.h"

/* The variables; each has a number as its value. */
enum attach_variable {
        ATTACH_PID, /* of the worker itself */
        ATTACH_MASTER_PID,
        ATTACH_ORPHAN_TIMEOUT_MS,
        /* Not of a template. */
        ATTACH_SLOT,
        ATTACH_SCOREBOARD_FD,
        ATTACH_WAKE_FD,
        ATTACH_LISTEN_FD,  /* the first listener … */
        ATTACH_LISTEN_FDS, /* … and how many there are, one after the other */
        /* Optional. */
        ATTACH_STATM_FD,
        ATTACH_PRELOAD, /* the program reports through the preload object: enum attach_retire */
        /* Optional: the program is loaded once, and copies of it serve connections. */
        ATTACH_STOP,          /* enum attach_stop; none of what follows but the descriptors if it is STOP_WAIT */
        ATTACH_COPY,          /* enum attach_copy */
        ATTACH_STRICT,        /* 1: rollback looks at everything after every connection */
        ATTACH_FAST_EXIT,     /* 1: Python ends quickly */
        ATTACH_PATIENCE_MS,   /* how long a connection is held for which no process can be made */
        ATTACH_BIND_NOW,      /* 1: LD_BIND_NOW is ours, to be removed */
        ATTACH_STDERR_SOCKET, /* 1: stderr is the connection, too */
        ATTACH_LOG_FD,        /* the writing end of the pipe that the master reads; also without a template */
        ATTACH_TEMPLATE_FD,   /* this is a template: its socket to the master (lib/template_words) … */
        ATTACH_FAMILY,        /* … and the address family of the first listener */
        ATTACH_ACCESS_FD,     /* the memory of the pool's gate (lib/gate), sealed; also without a template */
        ATTACH_AUTO,          /* bits of enum attach_auto: what the master can do without */
        ATTACH_LINGERING_MS,  /* lingering_close, idle_timeout and kill_timeout; 0: none */
        ATTACH_IDLE_MS,
        ATTACH_KILL_MS,
        ATTACH_CONNECTION_LOG, /* enum connection_log_mode (base/connection_record) */
        /* Limits of the copies: of each the soft one, and behind it the hard one. */
        ATTACH_LIMIT_NOFILE,
        ATTACH_LIMIT_AS = ATTACH_LIMIT_NOFILE + 2,
        ATTACH_LIMIT_CORE = ATTACH_LIMIT_AS + 2,
        ATTACH_LIMIT_CPU = ATTACH_LIMIT_CORE + 2,
        ATTACH_LIMIT_NPROC = ATTACH_LIMIT_CPU + 2,
        ATTACH_LIMIT_DATA = ATTACH_LIMIT_NPROC + 2,
        ATTACH_LIMIT_STACK = ATTACH_LIMIT_DATA + 2,
        ATTACH_LIMIT_FSIZE = ATTACH_LIMIT_STACK + 2,
        ATTACH_COUNT = ATTACH_LIMIT_FSIZE + 2
};

/* Where a program stops that is loaded once. */
enum attach_stop {
        ATTACH_STOP_MAIN,  /* before main() */
        ATTACH_STOP_TOUCH, /* at its first touch of the connection */
        ATTACH_STOP_WAIT,  /* it accepts itself: at its first wait for a connection. Its copies are workers */
        ATTACH_STOP_COUNT
};

/* How copies of it are made. */
enum attach_copy {
        ATTACH_COPY_FORK,
        ATTACH_COPY_ROLLBACK, /* in the worker's memory, which is put back afterwards */
        ATTACH_COPY_COUNT
};

/* If that cannot be had, the master takes another way, and says so; nothing else needs to be said. */
enum attach_auto { ATTACH_AUTO_STOP = 1, ATTACH_AUTO_COPY = 2 };

/* The variable of a limit's soft value; `resource` is one of RLIMIT_NOFILE, AS, CORE, CPU and NPROC. */
enum attach_variable attach_limit(int resource);

/* How a program ends that the preload object keeps from accepting. */
enum attach_retire {
        ATTACH_RETIRE_TERM,   /* by SIGTERM, at a moment when it holds no connection */
        ATTACH_RETIRE_RETURN, /* accept(2) fails */
        ATTACH_RETIRE_EXIT,   /* exit(3) is called */
        ATTACH_RETIRE_COUNT
};

/* "PREFORK_PID" … */
const char *attach_variable_name(enum attach_variable variable);

struct attachment {
        uint64_t values[ATTACH_COUNT];
        bool has[ATTACH_COUNT];
};

/* Read the variables. 0; -ENOENT: there are none, or they are those of another process than `pid`; -EINVAL: one is
 * missing or no number in its range. */
int attach_read(char *const *environment, pid_t pid, struct attachment *ret);

/* Remove the variables from the vector. */
void attach_forget(char **environment);

/* For a worker, not a template. Check the descriptors, make them close-on-exec, map the scoreboard and take the slot,
 * of which *ret is the desk. 0; -EINVAL: a descriptor is not what it should be; -EPROTO, -ERANGE: of slot_attach();
 * others of mmap(2). */
int attach_take(const struct attachment *attachment, struct request_desk *ret);

/* How much is mapped of what preforkd has made: its scoreboard, and if it has that, the rates behind it. */
size_t attach_memory_bytes(const struct request_desk *desk);

/* Undo attach_take(). */
void attach_give_back(const struct attachment *attachment, struct request_desk *desk);
