#include "preload/own_fds.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/sys.h"
#include "preload/environment.h"
#include "preload/record.h"
#include "preload/touch/proc_text.h"

static bool is_own(int *const *own, size_t count, int fd)
{
        for (size_t i = 0; i < count; i++)
                if (*own[i] == fd)
                        return true;
        return false;
}

int own_fds_above_program(int *const *own, size_t count)
{
        struct proc_fds fds;
        int above = 3;

        proc_fds_begin(&fds);
        for (int fd = proc_fds_next(&fds); fd >= 0; fd = proc_fds_next(&fds))
                if (fd != fds.directory && !is_own(own, count, fd))
                        above = MAX_OF(above, fd + 1);
        proc_fds_end(&fds);
        return above;
}

int own_fds_move(int *fd, int first)
{
        if (*fd < 0)
                return 0;
        int moved = (int)SYS_3(__NR_fcntl, *fd, F_DUPFD_CLOEXEC, first);
        if (moved < 0)
                return moved;
        sys_close(*fd);
        *fd = moved;
        return 0;
}

static const enum attach_variable variables[] = {ATTACH_SCOREBOARD_FD, ATTACH_WAKE_FD,     ATTACH_STATM_FD,
                                                 ATTACH_LOG_FD,        ATTACH_TEMPLATE_FD, ATTACH_ACCESS_FD};

static bool is_that(const struct attachment *attachment, enum attach_variable variable, int fd)
{
        return attachment->has[variable] && fd >= 0 && attachment->values[variable] == (uint64_t)fd;
}

bool own_fds_has(const struct attachment *attachment, int fd)
{
        for (size_t i = 0; i < ELEMENTS(variables); i++)
                if (is_that(attachment, variables[i], fd))
                        return true;
        return fd >= 0 && door_fd() == fd;
}

unsigned own_fds_next(const struct attachment *attachment, unsigned first)
{
        unsigned lowest = UINT32_MAX;
        int door = door_fd();

        for (size_t i = 0; i < ELEMENTS(variables); i++) {
                uint64_t fd = attachment->values[variables[i]];
                if (attachment->has[variables[i]] && fd >= first && fd < lowest)
                        lowest = (unsigned)fd;
        }
        return door >= 0 && (unsigned)door >= first && (unsigned)door < lowest ? (unsigned)door : lowest;
}

void own_fds_make_way(struct attachment *attachment, struct request_desk *desk, int fd)
{
        for (size_t i = 0; i < ELEMENTS(variables); i++)
                if (is_that(attachment, variables[i], fd)) {
                        int moved = sys_move_up(fd);
                        if (moved >= 0)
                                attachment->values[variables[i]] = (uint64_t)moved;
                }
        if (attachment->has[ATTACH_WAKE_FD])
                desk->slot.wake_fd = (int)attachment->values[ATTACH_WAKE_FD];
        if (attachment->has[ATTACH_STATM_FD])
                desk->recycling.statm_fd = (int)attachment->values[ATTACH_STATM_FD];
        if (attachment->has[ATTACH_LOG_FD])
                record_set_targets(-1, (int)attachment->values[ATTACH_LOG_FD]);
        door_make_way(fd);
        environment_note(attachment);
}

void own_fds_pass_on(const struct attachment *attachment, bool keep)
{
        for (size_t i = 0; i < ELEMENTS(variables); i++)
                if (attachment->has[variables[i]])
                        SYS_3(__NR_fcntl, attachment->values[variables[i]], F_SETFD, keep ? 0 : FD_CLOEXEC);
}
