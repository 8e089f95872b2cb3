#include "preload/touch/looks.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "preload/touch/program.h"
#include "preload/touch/stand_in.h"

#if defined(__x86_64__)
bool looks_first(const struct call *call)
{
        return stand_in_has(call_int(call, 0));
}

bool looks_first_two(const struct call *call)
{
        return stand_in_has(call_int(call, 0)) || stand_in_has(call_int(call, 1));
}

bool looks_first_third(const struct call *call)
{
        return stand_in_has(call_int(call, 0)) || stand_in_has(call_int(call, 2));
}

bool looks_third(const struct call *call)
{
        return stand_in_has(call_int(call, 2));
}

bool looks_always(const struct call *call)
{
        (void)call;
        return true;
}

bool looks_fcntl(const struct call *call)
{
        int command = call_int(call, 1);

        return stand_in_has(call_int(call, 0)) && command != F_GETFD && command != F_SETFD && command != F_GETFL;
}

bool looks_ioctl(const struct call *call)
{
        switch (call_argument(call, 1)) {
        case TCGETS:
        case TIOCGWINSZ:
        case TIOCGPGRP:
        case TIOCGSID: /* no socket is a terminal: the answer is the same */
        case FIOCLEX:
        case FIONCLEX:
                return false;
        default:
                return stand_in_has(call_int(call, 0));
        }
}

bool looks_poll(const struct call *call)
{
        const struct pollfd *fds = call_pointer(call, 0);
        unsigned count = (unsigned)call_int(call, 1);

        for (unsigned i = 0; fds && i < count; i++)
                if (stand_in_has(fds[i].fd) && fds[i].events != 0)
                        return true;
        return false;
}

bool looks_select(const struct call *call)
{
        int count = call_int(call, 0);

        for (int i = 1; i <= 3; i++) {
                const fd_set *set = call_pointer(call, i);
                for (int fd = 0; set && stand_in_has(fd) && fd < count; fd++)
                        if (FD_ISSET(fd, set))
                                return true;
        }
        return false;
}

/* Close-on-exec is no touch, as with F_SETFD. */
bool looks_close_range(const struct call *call)
{
        unsigned first = (unsigned)call_int(call, 0), last = (unsigned)call_int(call, 1);

        return first <= last && stand_in_has((int)first) && !(call_argument(call, 2) & CLOSE_RANGE_CLOEXEC);
}

static bool holds_it(const char *fds, size_t bytes)
{
        for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
                int fd;
                __builtin_memcpy(&fd, fds + at, sizeof(fd));
                if (stand_in_has(fd))
                        return true;
        }
        return false;
}

/* CMSG_NXTHDR is a function of libc. */
static bool sends_it(const struct msghdr *message)
{
        const char *parts = message ? message->msg_control : NULL;
        struct cmsghdr part;

        for (size_t at = 0; parts && at + sizeof(part) <= message->msg_controllen; at += CMSG_ALIGN(part.cmsg_len)) {
                __builtin_memcpy(&part, parts + at, sizeof(part));
                if (part.cmsg_len < sizeof(part) || part.cmsg_len > message->msg_controllen - at)
                        return false;
                if (part.cmsg_level == SOL_SOCKET && part.cmsg_type == SCM_RIGHTS &&
                    holds_it(parts + at + CMSG_LEN(0), part.cmsg_len - CMSG_LEN(0)))
                        return true;
        }
        return false;
}

bool looks_message(const struct call *call)
{
        return looks_first(call) || sends_it(call_pointer(call, 1));
}

bool looks_messages(const struct call *call)
{
        const struct mmsghdr *messages = call_pointer(call, 1);
        unsigned count = (unsigned)call_int(call, 2);

        for (unsigned i = 0; messages && i < count; i++)
                if (sends_it(&messages[i].msg_hdr))
                        return true;
        return looks_first(call);
}

bool looks_execve(const struct call *call)
{
        return program_look(call_pointer(call, 0)) == PROGRAM_CANNOT;
}
#endif
