/* Why memory cannot be rolled back, or why a worker cannot go on: the reasons by name. Found by preload/rollback;
 * reported by the worker to the master, as a number in its slot, and by both to people. New ones are added at the
 * end. */
#pragma once

#include <stdbool.h>

#define ROLLBACK_OBSTACLES(X)                                                                                          \
        X(NO_OBSTACLE, "nothing prevents it")                                                                          \
        X(MACHINE, "rollback knows the processors of x86-64 alone")                                                    \
        X(NO_PROC, "/proc is missing or cannot be read")                                                               \
        X(SHARED_MEMORY, "it has threads, or another process shares its memory")                                       \
        X(NOT_DUMPABLE, "it is not dumpable (it has changed its credentials, or its file cannot be read)")             \
        X(WRITE_EXECUTE, "it denies memory that can be written and executed (PR_SET_MDWE)")                            \
        X(LOCKED_MEMORY, "it has locked memory (mlock)")                                                               \
        X(IO_URING, "it uses io_uring")                                                                                \
        X(AIO, "it uses asynchronous input and output (io_setup)")                                                     \
        X(SHADOW_STACK, "it has a shadow stack")                                                                       \
        X(NO_THREAD_ID, "the kernel does not tell where its thread id is kept (CONFIG_CHECKPOINT_RESTORE)")            \
        X(NO_TRACKING, "the kernel does not track writes (Linux before 6.7, or userfaultfd is refused)")               \
        X(TOO_LARGE, "it has more writable memory than is put back by copying")                                        \
        X(TOO_MANY_MAPPINGS, "it has too many mappings")                                                               \
        X(NO_MEMORY, "memory is short")                                                                                \
        X(CRASHED, "a handler has died of a crash; its memory is not trusted any more")                                \
        X(NO_PROCESS, "no process could be made")                                                                      \
        X(STILL_SHARED, "a handler has left a process that shares its memory")                                         \
        X(MAPPINGS_CHANGED, "a handler has changed mappings that cannot be put back")                                  \
        X(ATTRIBUTES_CHANGED, "a handler has changed its credentials, or attributes of its memory")                    \
        X(TRACKING_FAILED, "the kernel has ceased to track writes")                                                    \
        X(NOT_PRISTINE, "memory is not what it was: a fault of preforkd")

enum rollback_obstacle {
#define X(name, text) ROLLBACK_##name,
        ROLLBACK_OBSTACLES(X)
#undef X
                ROLLBACK_OBSTACLE_COUNT
};

/* In words, as the end of "cannot be rolled back: …". */
const char *rollback_obstacle_text(enum rollback_obstacle obstacle);

/* True of what passes, and says nothing about the program. */
bool rollback_obstacle_is_shortage(enum rollback_obstacle obstacle);
