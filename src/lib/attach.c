#include "lib/attach.h"

#include <assert.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "lib/decimal.h"
#include "lib/sys.h"

#define FDS_MAX 65536

static const struct {
        const char *name;
        uint64_t most;
} variables[] = {
        [ATTACH_PID] = {"PREFORK_PID", INT32_MAX},
        [ATTACH_MASTER_PID] = {"PREFORK_MASTER_PID", INT32_MAX},
        [ATTACH_SLOT] = {"PREFORK_SLOT", PREFORK_SCOREBOARD_SLOTS - 1},
        [ATTACH_SCOREBOARD_FD] = {"PREFORK_SCOREBOARD_FD", INT32_MAX},
        [ATTACH_WAKE_FD] = {"PREFORK_WAKE_FD", INT32_MAX},
        [ATTACH_LISTEN_FD] = {"PREFORK_LISTEN_FD", INT32_MAX - FDS_MAX},
        [ATTACH_LISTEN_FDS] = {"PREFORK_LISTEN_FDS", FDS_MAX},
        [ATTACH_ORPHAN_TIMEOUT_MS] = {"PREFORK_ORPHAN_TIMEOUT_MS", UINT32_MAX},
        [ATTACH_STATM_FD] = {"PREFORK_STATM_FD", INT32_MAX},
        [ATTACH_PRELOAD] = {"PREFORK_PRELOAD", ATTACH_RETIRE_COUNT - 1},
        [ATTACH_STOP] = {"PREFORK_STOP", ATTACH_STOP_COUNT - 1},
        [ATTACH_COPY] = {"PREFORK_COPY", ATTACH_COPY_COUNT - 1},
        [ATTACH_STRICT] = {"PREFORK_STRICT", 1},
        [ATTACH_FAST_EXIT] = {"PREFORK_FAST_EXIT", 1},
        [ATTACH_PATIENCE_MS] = {"PREFORK_PATIENCE_MS", UINT32_MAX},
        [ATTACH_BIND_NOW] = {"PREFORK_BIND_NOW", 1},
        [ATTACH_STDERR_SOCKET] = {"PREFORK_STDERR_SOCKET", 1},
        [ATTACH_LOG_FD] = {"PREFORK_LOG_FD", INT32_MAX},
        [ATTACH_TEMPLATE_FD] = {"PREFORK_TEMPLATE_FD", INT32_MAX},
        [ATTACH_FAMILY] = {"PREFORK_FAMILY", UINT16_MAX},
        [ATTACH_ACCESS_FD] = {"PREFORK_ACCESS_FD", INT32_MAX},
        [ATTACH_AUTO] = {"PREFORK_AUTO", ATTACH_AUTO_STOP | ATTACH_AUTO_COPY},
        [ATTACH_LINGERING_MS] = {"PREFORK_LINGERING_MS", UINT64_MAX},
        [ATTACH_IDLE_MS] = {"PREFORK_IDLE_MS", UINT64_MAX},
        [ATTACH_KILL_MS] = {"PREFORK_KILL_MS", UINT64_MAX},
        [ATTACH_CONNECTION_LOG] = {"PREFORK_CONNECTION_LOG", CONNECTION_LOG_ALL},
        [ATTACH_LIMIT_NOFILE] = {"PREFORK_LIMIT_NOFILE_SOFT", UINT64_MAX},
        [ATTACH_LIMIT_NOFILE + 1] = {"PREFORK_LIMIT_NOFILE_HARD", UINT64_MAX},
        [ATTACH_LIMIT_AS] = {"PREFORK_LIMIT_AS_SOFT", UINT64_MAX},
        [ATTACH_LIMIT_AS + 1] = {"PREFORK_LIMIT_AS_HARD", UINT64_MAX},
        [ATTACH_LIMIT_CORE] = {"PREFORK_LIMIT_CORE_SOFT", UINT64_MAX},
        [ATTACH_LIMIT_CORE + 1] = {"PREFORK_LIMIT_CORE_HARD", UINT64_MAX},
        [ATTACH_LIMIT_CPU] = {"PREFORK_LIMIT_CPU_SOFT", UINT64_MAX},
        [ATTACH_LIMIT_CPU + 1] = {"PREFORK_LIMIT_CPU_HARD", UINT64_MAX},
        [ATTACH_LIMIT_NPROC] = {"PREFORK_LIMIT_NPROC_SOFT", UINT64_MAX},
        [ATTACH_LIMIT_NPROC + 1] = {"PREFORK_LIMIT_NPROC_HARD", UINT64_MAX},
        [ATTACH_LIMIT_DATA] = {"PREFORK_LIMIT_DATA_SOFT", UINT64_MAX},
        [ATTACH_LIMIT_DATA + 1] = {"PREFORK_LIMIT_DATA_HARD", UINT64_MAX},
        [ATTACH_LIMIT_STACK] = {"PREFORK_LIMIT_STACK_SOFT", UINT64_MAX},
        [ATTACH_LIMIT_STACK + 1] = {"PREFORK_LIMIT_STACK_HARD", UINT64_MAX},
        [ATTACH_LIMIT_FSIZE] = {"PREFORK_LIMIT_FSIZE_SOFT", UINT64_MAX},
        [ATTACH_LIMIT_FSIZE + 1] = {"PREFORK_LIMIT_FSIZE_HARD", UINT64_MAX},
};
static_assert(ELEMENTS(variables) == ATTACH_COUNT, "a row for every enum attach_variable");

const char *attach_variable_name(enum attach_variable variable)
{
        return variables[variable].name;
}

enum attach_variable attach_limit(int resource)
{
        switch (resource) {
        case RLIMIT_NOFILE:
                return ATTACH_LIMIT_NOFILE;
        case RLIMIT_AS:
                return ATTACH_LIMIT_AS;
        case RLIMIT_CORE:
                return ATTACH_LIMIT_CORE;
        case RLIMIT_CPU:
                return ATTACH_LIMIT_CPU;
        case RLIMIT_DATA:
                return ATTACH_LIMIT_DATA;
        case RLIMIT_STACK:
                return ATTACH_LIMIT_STACK;
        case RLIMIT_FSIZE:
                return ATTACH_LIMIT_FSIZE;
        default:
                return ATTACH_LIMIT_NPROC;
        }
}

/* The value of "NAME=VALUE" if it has that name, or NULL. Not strncmp(3): it might be the program's own. */
static const char *value_if(const char *string, const char *name)
{
        while (*name != '\0')
                if (*string++ != *name++)
                        return NULL;
        return *string == '=' ? string + 1 : NULL;
}

static const char *find(char *const *environment, const char *name)
{
        for (; environment && *environment; environment++) {
                const char *value = value_if(*environment, name);
                if (value)
                        return value;
        }
        return NULL;
}

int attach_read(char *const *environment, pid_t pid, struct attachment *ret)
{
        bool is_template = find(environment, variables[ATTACH_TEMPLATE_FD].name);
        enum attach_variable optional = is_template ? ATTACH_SLOT : ATTACH_STATM_FD;

        for (enum attach_variable i = 0; i < ATTACH_COUNT; i++) {
                const char *value = find(environment, variables[i].name);

                if (i == ATTACH_PID && !value)
                        return -ENOENT;
                ret->has[i] = value != NULL;
                if (!value && i >= optional)
                        continue;
                if (!value || !decimal_parse(value, variables[i].most, &ret->values[i]))
                        return -EINVAL;
        }
        if (!is_template && ret->values[ATTACH_LISTEN_FDS] == 0)
                return -EINVAL;
        return ret->values[ATTACH_PID] == (uint64_t)pid ? 0 : -ENOENT;
}

static bool is_ours(const char *string)
{
        for (enum attach_variable i = 0; i < ATTACH_COUNT; i++)
                if (value_if(string, variables[i].name))
                        return true;
        return false;
}

void attach_forget(char **environment)
{
        char **to = environment;

        if (!environment)
                return;
        for (; *environment; environment++)
                if (!is_ours(*environment))
                        *to++ = *environment;
        *to = NULL;
}

/* The descriptor of a variable is open and of that type. */
static bool is_of_type(const struct attachment *attachment, enum attach_variable variable, mode_t type, off_t size)
{
        struct stat status = {0};

        return sys_fstat((int)attachment->values[variable], &status) == 0 && (status.st_mode & S_IFMT) == type &&
               status.st_size >= size;
}

/* A listener. It may have drained while the program started: then it is shut, and a TCP socket does not listen any
 * more, which the program finds out when it waits. */
static bool is_listener(int fd)
{
        int accepts = 0;

        return sys_socket_option(fd, SO_ACCEPTCONN, &accepts) == 0 && (accepts || !sys_has_peer(fd));
}

static bool is_plausible(const struct attachment *attachment)
{
        uint64_t first = attachment->values[ATTACH_LISTEN_FD], count = attachment->values[ATTACH_LISTEN_FDS];

        if (!is_of_type(attachment, ATTACH_SCOREBOARD_FD, S_IFREG, sizeof(struct prefork_scoreboard)) ||
            !is_of_type(attachment, ATTACH_WAKE_FD, S_IFIFO, 0) ||
            (attachment->has[ATTACH_STATM_FD] && !is_of_type(attachment, ATTACH_STATM_FD, S_IFREG, 0)) ||
            (attachment->has[ATTACH_LOG_FD] && !is_of_type(attachment, ATTACH_LOG_FD, S_IFIFO, 0)) ||
            (attachment->has[ATTACH_ACCESS_FD] && !is_of_type(attachment, ATTACH_ACCESS_FD, S_IFREG, 1)))
                return false;
        for (uint64_t i = 0; i < count; i++)
                if (!is_listener((int)(first + i)))
                        return false;
        return true;
}

/* Children of the program get none of the descriptors; the listeners are left as they are. */
static void keep_from_children(const struct attachment *attachment)
{
        static const enum attach_variable optional[] = {ATTACH_STATM_FD, ATTACH_LOG_FD, ATTACH_ACCESS_FD};

        sys_set_cloexec((int)attachment->values[ATTACH_SCOREBOARD_FD]);
        sys_set_cloexec((int)attachment->values[ATTACH_WAKE_FD]);
        for (size_t i = 0; i < ELEMENTS(optional); i++)
                if (attachment->has[optional[i]])
                        sys_set_cloexec((int)attachment->values[optional[i]]);
}

size_t attach_memory_bytes(const struct request_desk *desk)
{
        return desk->slot.rates ? sizeof(struct pool_memory) : sizeof(struct prefork_scoreboard);
}

int attach_take(const struct attachment *attachment, struct request_desk *ret)
{
        bool has_rates = is_of_type(attachment, ATTACH_SCOREBOARD_FD, S_IFREG, sizeof(struct pool_memory));
        size_t bytes = has_rates ? sizeof(struct pool_memory) : sizeof(struct prefork_scoreboard);
        void *memory;

        if (attachment->has[ATTACH_TEMPLATE_FD] || !is_plausible(attachment))
                return -EINVAL;
        keep_from_children(attachment);
        int r = sys_map_shared((int)attachment->values[ATTACH_SCOREBOARD_FD], bytes, &memory);
        if (r < 0)
                return r;
        r = slot_attach(&ret->slot, memory, (uint32_t)attachment->values[ATTACH_SLOT],
                        (int)attachment->values[ATTACH_WAKE_FD]);
        if (r < 0) {
                sys_unmap(memory, bytes);
                return r;
        }
        if (!has_rates)
                ret->slot.rates = NULL;
        recycling_begin(&ret->recycling,
                        attachment->has[ATTACH_STATM_FD] ? (int)attachment->values[ATTACH_STATM_FD] : -1, sys_now_ns());
        return 0;
}

void attach_give_back(const struct attachment *attachment, struct request_desk *desk)
{
        sys_unmap(desk->slot.board, attach_memory_bytes(desk));
        sys_close((int)attachment->values[ATTACH_SCOREBOARD_FD]);
        sys_close((int)attachment->values[ATTACH_WAKE_FD]);
        if (attachment->has[ATTACH_STATM_FD])
                sys_close((int)attachment->values[ATTACH_STATM_FD]);
}
