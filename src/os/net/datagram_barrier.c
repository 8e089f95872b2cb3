#include "os/net/datagram_barrier.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>

/* A program of classic BPF that returns one number. */
static int attach(int fd, int option, unsigned value)
{
        struct sock_filter step = BPF_STMT(BPF_RET | BPF_K, value);
        struct sock_fprog program;

        memset(&program, 0, sizeof(program)); /* including the padding, which the kernel reads */
        program.len = 1;
        program.filter = &step;
        return setsockopt(fd, SOL_SOCKET, option, &program, sizeof(program)) < 0 ? -errno : 0;
}

int datagram_barrier_filter(int fd)
{
        return attach(fd, SO_ATTACH_FILTER, 0); /* of each datagram, so many bytes are kept */
}

int datagram_barrier_divert(int fd)
{
        return attach(fd, SO_ATTACH_REUSEPORT_CBPF, 1); /* in the order of their binding: 0 is this one */
}
