#include "os/net/tcp_barrier.h"

#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/cleanup.h"

#define MAX_TTL 255
/* An offset in the IP header, which lies before what is loaded from otherwise. */
#define NETWORK(offset) ((uint32_t)SKF_NET_OFF + (offset))

static int attach(int fd, int option, struct sock_filter *steps, unsigned short count)
{
        struct sock_fprog program;

        memset(&program, 0, sizeof(program)); /* including the padding, which the kernel reads */
        program.len = count;
        program.filter = steps;
        return setsockopt(fd, SOL_SOCKET, option, &program, sizeof(program)) < 0 ? -errno : 0;
}

int tcp_barrier_filter(int fd)
{
        /* Classic BPF on the TCP header, whose flags are at offset 13: drop SYN without ACK, pass everything else. */
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
                BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, 0),
                BPF_STMT(BPF_RET | BPF_K, 0xffff),
        };
        return attach(fd, SO_ATTACH_FILTER, filter, ELEMENTS(filter));
}

static int set_option(int fd, int level, int option, int value)
{
        return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* The kernel numbers the sockets in the order in which they began to listen: 0 is the listener and 1 the decoy. The
 * program returns 1 for a SYN without ACK, and 0 for everything else and for SYNs that the decoy would not drop. It
 * assumes that the TCP header follows the IPv6 header; otherwise the client is not kept away. If the number has no
 * socket, or only the decoy is left, the kernel behaves as without a program. */
static int attach_program(int fd)
{
        struct sock_filter steps[] = {
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NETWORK(0)),
                BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 6, 0),
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NETWORK(8)), /* IPv4: TTL, length of the header */
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAX_TTL, 12, 0),
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NETWORK(0)),
                BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x0f),
                BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2),
                BPF_STMT(BPF_JMP | BPF_JA, 3),
                BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NETWORK(7)), /* IPv6: hop limit */
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAX_TTL, 6, 0),
                BPF_STMT(BPF_LD | BPF_IMM, 40),
                BPF_STMT(BPF_MISC | BPF_TAX, 0),
                BPF_STMT(BPF_LD | BPF_B | BPF_IND, NETWORK(13)), /* TCP flags */
                BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, 1),
                BPF_STMT(BPF_RET | BPF_K, 0),
        };
        return attach(fd, SO_ATTACH_REUSEPORT_CBPF, steps, ELEMENTS(steps));
}

/* Sockets share a port only if they are of the same device. bind(2) to a link-local address sets it. */
static int copy_device(int fd, const struct address *address, int decoy)
{
        char name[IF_NAMESIZE] = "";
        socklen_t length = sizeof(name);

        if (address->any.sa_family == AF_INET6 && address->in6.sin6_scope_id != 0)
                return 0;
        if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) < 0 || name[0] == '\0')
                return 0;
        return setsockopt(decoy, SOL_SOCKET, SO_BINDTODEVICE, name, length) < 0 ? -errno : 0;
}

/* Open a socket that drops what it gets, bound to the address of `fd` and ready to listen. */
static int open_decoy(int fd)
{
        struct address address = {.length = sizeof(address.un)};
        int v6only = 0, r = 0;
        socklen_t length = sizeof(v6only);

        if (getsockname(fd, &address.any, &address.length) < 0)
                return -errno;
        _cleanup_(fd_closep) int decoy = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (decoy < 0)
                return -errno;
        if (address.any.sa_family == AF_INET6) {
                if (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &length) < 0)
                        return -errno;
                r = set_option(decoy, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
                if (r == 0)
                        r = set_option(decoy, IPPROTO_IPV6, IPV6_MINHOPCOUNT, MAX_TTL);
        }
        if (r == 0) /* also on IPv6, for the IPv4 clients of a dual-stack socket */
                r = set_option(decoy, IPPROTO_IP, IP_MINTTL, MAX_TTL);
        if (r == 0)
                r = set_option(decoy, SOL_SOCKET, SO_REUSEADDR, 1); /* the first socket has connections there */
        if (r == 0)
                r = set_option(decoy, SOL_SOCKET, SO_REUSEPORT, 1);
        if (r == 0)
                r = copy_device(fd, &address, decoy);
        if (r == 0 && bind(decoy, &address.any, address.length) < 0)
                r = -errno;
        return r < 0 ? r : TAKE_FD(decoy);
}

int tcp_barrier_decoy(int fd)
{
        int r = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);

        _cleanup_(fd_closep) int decoy = r < 0 ? r : open_decoy(fd);
        if (decoy < 0)
                r = decoy;
        else if (listen(decoy, 1) < 0)
                r = -errno;
        else
                r = attach_program(fd);
        if (r < 0)
                set_option(fd, SOL_SOCKET, SO_REUSEPORT, 0);
        return r < 0 ? r : TAKE_FD(decoy);
}

int tcp_barrier_divert(int fd)
{
        return attach_program(fd); /* what takes the place of the decoy is the other listener */
}

void tcp_barrier_close_decoy(int *decoy_fd)
{
        if (*decoy_fd >= 0)
                shutdown(*decoy_fd, SHUT_RD); /* also for children that were forked while it stood and still have it */
        fd_closep(decoy_fd);
}

int tcp_barrier_lower(int fd, int *decoy_fd)
{
        int ignored = 0;

        tcp_barrier_close_decoy(decoy_fd);
        int r = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 0);
        if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof(ignored)) < 0 && errno != ENOENT)
                return -errno;
        return r;
}
