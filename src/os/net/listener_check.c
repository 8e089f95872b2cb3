#include "os/net/listener_check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "os/net/listener_socket.h"

/* The longest value in the table is the name of a device. */
#define VALUE_MAX 64

#define ERRORS_AT_ONCE 256

struct socket_option {
        int level, option;
        const char *name;
};

#define OPTION(level, option)                                                                                          \
        {                                                                                                              \
                level, option, #option                                                                                 \
        }

/* Options that unprivileged processes can set on a listener and that change what clients or handlers get, mostly
 * because connections inherit them. */
static const struct socket_option socket_options[] = {
        OPTION(SOL_SOCKET, SO_REUSEADDR),
        OPTION(SOL_SOCKET, SO_REUSEPORT),
        OPTION(SOL_SOCKET, SO_KEEPALIVE),
        OPTION(SOL_SOCKET, SO_LINGER),
        OPTION(SOL_SOCKET, SO_OOBINLINE),
        OPTION(SOL_SOCKET, SO_SNDBUF),
        OPTION(SOL_SOCKET, SO_RCVBUF),
        OPTION(SOL_SOCKET, SO_RCVLOWAT),
        OPTION(SOL_SOCKET, SO_RCVTIMEO),
        OPTION(SOL_SOCKET, SO_SNDTIMEO),
        OPTION(SOL_SOCKET, SO_DONTROUTE),
        OPTION(SOL_SOCKET, SO_PRIORITY),
        OPTION(SOL_SOCKET, SO_MARK),
        OPTION(SOL_SOCKET, SO_PASSCRED),
        OPTION(SOL_SOCKET, SO_TIMESTAMP),
        OPTION(SOL_SOCKET, SO_BUSY_POLL),
        OPTION(SOL_SOCKET, SO_ZEROCOPY),
        OPTION(SOL_SOCKET, SO_MAX_PACING_RATE),
        OPTION(SOL_SOCKET, SO_BINDTODEVICE),
        OPTION(IPPROTO_IP, IP_TOS),
        OPTION(IPPROTO_IP, IP_TTL),
        OPTION(IPPROTO_IP, IP_MINTTL),
        OPTION(IPPROTO_IP, IP_OPTIONS),
        OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
        OPTION(IPPROTO_IP, IP_TRANSPARENT),
        OPTION(IPPROTO_IP, IP_RECVERR),
        OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
        OPTION(IPPROTO_IPV6, IPV6_MINHOPCOUNT),
        OPTION(IPPROTO_IPV6, IPV6_TCLASS),
        OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
        OPTION(IPPROTO_IPV6, IPV6_RECVERR),
        OPTION(IPPROTO_TCP, TCP_NODELAY),
        OPTION(IPPROTO_TCP, TCP_CORK),
        OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT),
        OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
        OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
        OPTION(IPPROTO_TCP, TCP_KEEPCNT),
        OPTION(IPPROTO_TCP, TCP_SYNCNT),
        OPTION(IPPROTO_TCP, TCP_LINGER2),
        OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP),
        OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
        OPTION(IPPROTO_TCP, TCP_MAXSEG),
        OPTION(IPPROTO_TCP, TCP_CONGESTION),
        OPTION(IPPROTO_TCP, TCP_SAVE_SYN),
        OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
        OPTION(IPPROTO_TCP, TCP_INQ),
};

/* A socket for datagrams that somebody has connected gets those of one client alone. */
static bool is_connected(int fd)
{
        struct address peer = {.length = sizeof(peer.un)};

        return getpeername(fd, &peer.any, &peer.length) == 0;
}

/* What cannot be found out, for want of memory, is taken to be as it should be: workers are replaced otherwise. */
bool listener_listens(const struct listener *listener)
{
        struct pollfd poller = {.fd = listener->fd, .events = POLLRDHUP};
        int listens = 1;
        socklen_t length = sizeof(listens);

        if (!listener->address.datagram &&
            getsockopt(listener->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && !listens)
                return false;
        int ready = poll(&poller, 1, 0);
        if (!listener->address.datagram)
                return ready <= 0;
        /* POLLERR is of one client who has gone (IP_RECVERR). */
        return (ready <= 0 || !(poller.revents & (POLLRDHUP | POLLHUP | POLLNVAL))) && !is_connected(listener->fd);
}

/* A filter that is not classic BPF is an error here, too. */
static bool has_filter(int fd)
{
        socklen_t count = 0;

        return getsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, NULL, &count) < 0 ? errno == EACCES : count > 0;
}

static bool applies(const struct socket_option *option, const struct address *address)
{
        switch (address->any.sa_family) {
        case AF_UNIX:
                return option->level == SOL_SOCKET;
        case AF_INET6:
                /* bind(2) to a link-local address has set the device. */
                return option->option != SO_BINDTODEVICE || option->level != SOL_SOCKET ||
                       address->in6.sin6_scope_id == 0;
        default:
                return option->level != IPPROTO_IPV6;
        }
}

static bool differs(const struct socket_option *option, int fd, int reference)
{
        char value[VALUE_MAX] = "", expected[VALUE_MAX] = "";
        socklen_t length = sizeof(value), expected_length = sizeof(expected);

        if (getsockopt(fd, option->level, option->option, value, &length) < 0 ||
            getsockopt(reference, option->level, option->option, expected, &expected_length) < 0)
                return false;
        return length != expected_length || memcmp(value, expected, length) != 0;
}

/* A socket with the same options that nobody else has seen. */
static int open_reference(const struct listener *listener, const struct listener_options *options)
{
        struct address address = listener->address;
        bool is_unix = address.any.sa_family == AF_UNIX;

        _cleanup_(fd_closep) int reference = listener_socket_open(&address, options);
        if (reference < 0)
                return reference;
        int r = listener_socket_prepare(reference, &address, options);
        if (r == 0 && !is_unix && !address.datagram)
                r = listener_socket_set_tcp(reference, options, 0);
        return r < 0 ? r : TAKE_FD(reference);
}

static const char *find_altered(const struct listener *listener, const struct listener_options *options)
{
        _cleanup_(fd_closep) int reference = open_reference(listener, options);

        for (size_t i = 0; reference >= 0 && i < ELEMENTS(socket_options); i++)
                if (applies(&socket_options[i], &listener->address) &&
                    differs(&socket_options[i], listener->fd, reference))
                        return socket_options[i].name;
        return NULL;
}

void listener_check(const struct listener *listener, const struct listener_options *options,
                    struct listener_condition *ret)
{
        bool blocks = options->nonblocking && !(fcntl(listener->fd, F_GETFL) & O_NONBLOCK);

        *ret = (struct listener_condition){.listens = listener_listens(listener), .filtered = has_filter(listener->fd)};
        if (!ret->listens)
                return;
        if (blocks)
                ret->altered = "O_NONBLOCK";
        else if (listener->origin != LISTENER_ACTIVATED)
                ret->altered = find_altered(listener, options);
        if (!ret->altered && listener_read_backlog(listener) != listener->effective_backlog)
                ret->altered = LISTENER_CHECK_BACKLOG;
}

bool listener_has_errors(const struct listener *listener)
{
        struct pollfd poller = {.fd = listener->fd, .events = POLLIN};

        return listener->address.datagram && poll(&poller, 1, 0) == 1 &&
               (poller.revents & (POLLERR | POLLIN)) == POLLERR;
}

void listener_forget_errors(const struct listener *listener)
{
        bool has_queue = listener->address.any.sa_family != AF_UNIX; /* where recvmsg(2) would take a datagram */
        struct msghdr message = {.msg_iovlen = 0};
        int error;
        socklen_t length = sizeof(error);

        for (unsigned i = 0; has_queue && i < ERRORS_AT_ONCE; i++)
                if (recvmsg(listener->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
                        break;
        getsockopt(listener->fd, SOL_SOCKET, SO_ERROR, &error, &length); /* which clears it */
}

int listener_mend(struct listener *listener, const struct listener_options *options)
{
        struct listener_options all = *options;
        int ignored = 0;

        all.defaults &= ~(unsigned)LISTENER_BACKLOG; /* listen(2) again */
        int r = setsockopt(listener->fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof(ignored)) < 0 && errno != ENOENT
                        ? -errno
                        : 0;
        if (listener->address.datagram && is_connected(listener->fd) &&
            connect(listener->fd, &(const struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)) < 0)
                r = -errno;
        int adjusted = listener_adjust(listener, &all);
        r = r < 0 ? r : adjusted;
        return r == 0 && !listener_listens(listener) ? -ESHUTDOWN : r;
}
