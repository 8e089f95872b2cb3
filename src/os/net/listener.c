#include "os/net/listener.h"

#include <errno.h>
#include <net/if.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/kernel_setting.h"
#include "os/net/datagram_barrier.h"
#include "os/net/listener_socket.h"
#include "os/net/sock_diag.h"
#include "os/net/tcp_barrier.h"
#include "os/net/unix_address.h"
#include "os/net/unix_file.h"
#include "os/net/unix_queue.h"

static bool is_unix(const struct address *address)
{
        return address->any.sa_family == AF_UNIX;
}

static bool is_tcp(const struct address *address)
{
        return !is_unix(address) && !address->datagram;
}

static bool is_unix_path(const struct address *address)
{
        return is_unix(address) && address->un.sun_path[0] != '\0';
}

static int bind_without_file(int fd, const struct listener_options *options, const struct address *address)
{
        int r = listener_socket_prepare(fd, address, options);

        if (r == 0 && bind(fd, &address->any, address->length) < 0)
                r = -errno;
        /* The last process that has the socket keeps an abstract name, also after shutdown(2). */
        return r == -EADDRINUSE && is_unix(address) && unix_address_check_unheard(address) == 0 ? -EBUSY : r;
}

static int query_backlog(const struct listener *listener, uint32_t *ret)
{
        struct sock_diag_unix diag;
        struct tcp_info info;
        socklen_t length = sizeof(info);

        if (listener->address.datagram) { /* what waits is limited in bytes */
                *ret = 0;
                return 0;
        }
        if (is_unix(&listener->address)) {
                int r = sock_diag_unix(listener->fd, &diag);
                if (r == 0)
                        *ret = diag.backlog;
                return r;
        }
        if (getsockopt(listener->fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
                return -errno;
        *ret = info.tcpi_sacked; /* of a listening socket: its maximum */
        return 0;
}

uint32_t listener_read_backlog(const struct listener *listener)
{
        uint32_t backlog = 0;

        return query_backlog(listener, &backlog) == 0 ? backlog : listener->effective_backlog;
}

static uint32_t read_effective_backlog(const struct listener *listener, unsigned asked)
{
        uint64_t somaxconn;
        uint32_t backlog = 0;

        if (query_backlog(listener, &backlog) == 0)
                return backlog;
        if (!is_unix(&listener->address) || kernel_setting_read("/proc/sys/net/core/somaxconn", &somaxconn) < 0)
                return asked;
        return (uint32_t)MIN_OF(somaxconn, (uint64_t)asked);
}

bool listener_is_in_place(const struct listener *listener)
{
        return is_unix_path(&listener->address) && unix_file_is_at(&listener->file, listener->address.un.sun_path);
}

void listener_leave_path(const struct listener *listener)
{
        if (is_unix_path(&listener->address))
                unix_file_remove(&listener->file, listener->address.un.sun_path);
}

static int set_owner_and_mode(const struct listener *listener, const struct listener_options *options)
{
        if (listener->origin == LISTENER_ACTIVATED) /* the unit has set SocketMode= and its kind */
                return 0;
        return unix_file_set_access(&listener->file, listener->address.un.sun_path, options->socket_uid,
                                    options->socket_gid, options->socket_mode);
}

int listener_make_nonblocking(const struct listener *listener)
{
        int flags = fcntl(listener->fd, F_GETFL);

        return flags >= 0 && (flags & O_NONBLOCK || fcntl(listener->fd, F_SETFL, flags | O_NONBLOCK) == 0) ? 0 : -errno;
}

int listener_adjust(struct listener *listener, const struct listener_options *options)
{
        unsigned spared = listener->origin == LISTENER_ACTIVATED ? options->defaults : 0;
        int r = options->nonblocking ? listener_make_nonblocking(listener) : 0;

        if (r < 0)
                return r;
        if (is_unix_path(&listener->address))
                r = set_owner_and_mode(listener, options);
        else if (is_tcp(&listener->address))
                r = listener_socket_set_tcp(listener->fd, options, spared);
        if (r < 0)
                return r;
        /* On a listening socket this only changes the backlog. */
        if (!listener->address.datagram && !(spared & LISTENER_BACKLOG) &&
            listen(listener->fd, (int)options->backlog) < 0)
                return -errno;
        listener->effective_backlog = read_effective_backlog(listener, options->backlog);
        return 0;
}

int listener_open(const struct address *address, const struct listener_options *options, struct listener *ret)
{
        struct listener listener = {.fd = -1, .decoy_fd = -1, .address = *address};
        _cleanup_(fd_closep) int fd = listener_socket_open(&listener.address, options);

        if (fd < 0)
                return fd;
        int r = is_unix_path(address) ? unix_file_bind(fd, address, options->socket_mode, &listener.file)
                                      : bind_without_file(fd, options, &listener.address);
        if (r < 0)
                return r;
        listener.fd = fd;
        r = listener_adjust(&listener, options);
        if (r < 0) {
                listener.fd = TAKE_FD(fd);
                listener_close(&listener);
                return r;
        }
        TAKE_FD(fd);
        listener.address = *address; /* as configured, also if 0.0.0.0 replaced [::] */
        *ret = listener;
        return 0;
}

int listener_try(const struct address *address, const struct listener_options *options)
{
        struct address to_bind = *address;

        if (is_unix_path(address))
                return unix_file_try(address->un.sun_path);
        _cleanup_(fd_closep) int fd = listener_socket_open(&to_bind, options);
        return fd < 0 ? fd : bind_without_file(fd, options, &to_bind);
}

void listener_share_port(const struct listener *listener, bool on)
{
        int value = on;

        if (!is_unix(&listener->address) && listener->origin != LISTENER_ACTIVATED && listener->decoy_fd < 0)
                setsockopt(listener->fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

bool listener_is_lost(const struct listener *listener)
{
        return is_unix_path(&listener->address) && listener->origin != LISTENER_ACTIVATED &&
               !listener_is_in_place(listener) && unix_file_check_stale(&listener->address) == 0;
}

bool listener_has_file(const struct listener *listener, const char *path)
{
        struct stat status;

        return is_unix_path(&listener->address) && listener->origin != LISTENER_ACTIVATED && stat(path, &status) == 0 &&
               status.st_dev == listener->file.device && status.st_ino == listener->file.inode;
}

bool listener_is_for(const struct address *bound, const struct address *address)
{
        bool is_stand_in = bound->any.sa_family == AF_INET && address->any.sa_family == AF_INET6 &&
                           bound->in.sin_addr.s_addr == htonl(INADDR_ANY) &&
                           IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr) &&
                           address_port(bound) == address_port(address);

        return is_stand_in || address_equal(bound, address);
}

static bool has_device(int fd, const struct address *bound, const char *device)
{
        char name[IF_NAMESIZE] = "";
        socklen_t length = sizeof(name);

        if (bound->any.sa_family == AF_UNIX ||
            (bound->any.sa_family == AF_INET6 && bound->in6.sin6_scope_id != 0 && !device)) /* bind(2) has set it */
                return true;
        if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) < 0)
                return !device;
        return strcmp(name, device ? device : "") == 0;
}

/* Can a stored socket still serve as the address that it was stored for? */
static int check_stored(int fd, const struct address *bound, const struct listener_options *options,
                        struct listener *listener)
{
        int v6only = 0;
        socklen_t length = sizeof(v6only);

        if (is_unix_path(bound))
                return unix_file_recognise(fd, bound->un.sun_path, &listener->file);
        if (bound->any.sa_family == AF_INET6 &&
            (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &length) < 0 || !!v6only != options->ipv6_only))
                return -ESTALE;
        if (bound->any.sa_family == AF_INET && listener->address.any.sa_family == AF_INET6 && options->ipv6_only)
                return -ESTALE;
        return has_device(fd, bound, options->device) ? 0 : -ESTALE;
}

int listener_adopt(int fd, const struct address *bound, const struct address *address, enum listener_origin origin,
                   const struct listener_options *options, struct listener *ret)
{
        struct listener listener = {.fd = fd, .decoy_fd = -1, .origin = origin, .address = *address};

        int r = origin == LISTENER_ACTIVATED ? 0 : check_stored(fd, bound, options, &listener);
        if (r < 0)
                return r;
        listener.address = *bound;
        if (origin == LISTENER_STORED && !is_unix(bound)) /* our predecessor may have drained it */
                tcp_barrier_lower(fd, &listener.decoy_fd);
        r = listener_adjust(&listener, options);
        if (r < 0)
                return r;
        listener.address = *address;
        *ret = listener;
        return 0;
}

/* The size of the datagram that waits first; 0: none waits, or an empty one. */
static unsigned next_datagram(int fd)
{
        int size = 0;

        return ioctl(fd, FIONREAD, &size) == 0 && size > 0 ? (unsigned)size : 0;
}

/* Does anything wait: 1, or 0? `error` if the socket is no listener. */
static int has_waiting(int fd, int error, uint32_t *ret)
{
        struct pollfd poller = {.fd = fd, .events = POLLIN | POLLRDHUP};

        if (poll(&poller, 1, 0) < 0)
                poller.revents = POLLIN; /* not known now; whoever asks will ask again */
        if (fd < 0 || poller.revents & (POLLNVAL | POLLHUP))
                return error;
        /* A socket that was shut is always readable. */
        *ret = poller.revents & POLLRDHUP ? next_datagram(fd) > 0 : (poller.revents & POLLIN) != 0;
        return 0;
}

/* Where a filter of system calls refuses TCP_INFO, poll(2) tells whether anybody waits. A queue that is taken for empty
 * would be closed with those who wait in it. */
static int tcp_queue_length(int fd, uint32_t *ret)
{
        struct tcp_info info;
        socklen_t length = sizeof(info);

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
                return has_waiting(fd, -errno, ret);
        *ret = info.tcpi_unacked;
        return 0;
}

int listener_queue_length(const struct listener *listener, uint32_t *ret)
{
        if (listener->address.datagram)
                return has_waiting(listener->fd, -EBADF, ret);
        return is_unix(&listener->address) ? unix_queue_length(listener->fd, &listener->address, ret)
                                           : tcp_queue_length(listener->fd, ret);
}

bool listener_stays_open(const struct listener *listener)
{
        return listener->origin == LISTENER_ACTIVATED || (listener->origin == LISTENER_STORED && !listener->filtered);
}

/* Keep new datagrams away; clients send again. A UDP listener has no decoy. */
static int drain_udp(struct listener *listener)
{
        int r = datagram_barrier_filter(listener->fd);

        listener->filtered = r == 0;
        return r;
}

int listener_drain(struct listener *listener, bool unnoticed)
{
        /* A worker may wait for it together with other listeners that drain. */
        int r = unnoticed ? 0 : listener_make_nonblocking(listener);
        if (r < 0)
                return r;
        if (listener->origin == LISTENER_ACTIVATED ||
            (listener->origin == LISTENER_STORED && is_unix(&listener->address)))
                return 0;
        if (is_unix(&listener->address)) {
                listener_leave_path(listener);
                /* Nobody finds a path any more; a shut datagram socket would be readable without end. */
                if (unnoticed && (listener->address.datagram || listener->address.un.sun_path[0] != '\0'))
                        return 0;
                return shutdown(listener->fd, SHUT_RD) < 0 ? -errno : 0;
        }
        if (listener->replaced) {
                /* Otherwise it gets a part of them, which its workers serve. */
                (listener->address.datagram ? datagram_barrier_divert : tcp_barrier_divert)(listener->fd);
                return 0;
        }
        if (listener->address.datagram)
                return drain_udp(listener);
        r = tcp_barrier_filter(listener->fd);
        if (r < 0)
                r = listener->decoy_fd = tcp_barrier_decoy(listener->fd);
        listener->filtered = r >= 0;
        return MIN_OF(r, 0);
}

int listener_undrain(struct listener *listener)
{
        if (listener->replaced || (is_unix(&listener->address) && !listener_stays_open(listener)))
                return -EOPNOTSUPP;
        int r = listener->filtered ? tcp_barrier_lower(listener->fd, &listener->decoy_fd) : 0;
        if (r == 0)
                listener->filtered = false;
        return r;
}

/* A listener that stays open always has handshakes under way, but another process will serve those. Without
 * sock_diag(7) there may be some. */
static bool may_have_handshakes(const struct listener *listener)
{
        uint32_t half_open = 0;

        return is_tcp(&listener->address) && !listener_stays_open(listener) &&
               (sock_diag_half_open(listener->address.any.sa_family, address_port(&listener->address), &half_open) <
                        0 ||
                half_open > 0);
}

bool listener_is_drained(const struct listener *listener)
{
        uint32_t queued = 0;

        /* Check handshakes first: one that ends between the two checks is then in the queue. In the other order neither
         * check would see it. */
        if (may_have_handshakes(listener))
                return false;
        int r = listener_queue_length(listener, &queued);
        if (r < 0) /* of a UNIX listener nothing is known; a TCP socket no longer listens, and nobody can wait */
                return !is_unix(&listener->address);
        return queued == 0;
}

void listener_close(struct listener *listener)
{
        if (listener->origin == LISTENER_OWN) {
                listener_leave_path(listener);
                /* A busy worker holds the descriptor until its request ends. Without shutdown(2) the port would stay in
                 * use, and with a filter clients would wait for an answer in vain. */
                shutdown(listener->fd, SHUT_RD);
        }
        fd_closep(&listener->fd);
        tcp_barrier_close_decoy(&listener->decoy_fd); /* last: nobody comes to the socket before it is shut */
}
