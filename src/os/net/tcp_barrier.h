/* A barrier in front of a listening TCP socket: it drops new SYNs, so that clients try again and are not reset.
 * Connections that the kernel has accepted stay in the queue, and handshakes that are under way can complete. Called by
 * listener.c. There are two kinds:
 *
 * A socket filter drops SYNs. Some kernels require CAP_NET_ADMIN for it.
 *
 * A decoy needs no privilege except to bind the port. It is a second socket that listens at the same address
 * (SO_REUSEPORT). A BPF program sends every SYN to it (SO_ATTACH_REUSEPORT_CBPF), and its minimum TTL of 255 drops
 * them. Packets of a handshake that is under way reach the first socket without passing the program. Compared with the
 * filter:
 *   - a SYN that arrives with a TTL of 255 (a host on the same link may send that) is not dropped: it reaches the
 *     listener;
 *   - the kernel forgets the SYN cookies that it has sent, and resets those clients;
 *   - the decoy ends with the process that holds it.
 *
 * A minimum TTL on the listener itself was tried. Connections whose handshakes end then inherit it and receive nothing
 * until they are accepted. Their clients retransmit at growing intervals, so a queue of such connections takes very
 * long. */
#pragma once

/* Attach the filter. 0 or -errno. */
int tcp_barrier_filter(int fd);

/* Open a decoy for the listening socket `fd`. Returns its O_CLOEXEC descriptor, which the caller owns. -errno: nothing
 * has changed; -EACCES: the port needs CAP_NET_BIND_SERVICE; -EADDRINUSE: another user has opened the socket. */
int tcp_barrier_decoy(int fd);

/* Direct every SYN from a listener to the one that listens at the same address since later (SO_REUSEPORT), until the
 * first closes. 0 or -errno. */
int tcp_barrier_divert(int fd);

/* Remove the decoy when its listener closes: it stops listening at once in every process that has it, so that the port
 * is free; the descriptor becomes -1. */
void tcp_barrier_close_decoy(int *decoy_fd);

/* Remove the filter or the decoy, whose descriptor is closed and becomes -1. 0, also if there was none; -errno. */
int tcp_barrier_lower(int fd, int *decoy_fd);
