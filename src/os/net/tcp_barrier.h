/* A barrier before a listening TCP socket: new connections are neither taken nor turned away, so that their clients try
 * again, while what the kernel has accepted stays in the queue and handshakes that are under way can end there. Called by
 * listener.c. Two ways:
 *
 * A socket filter drops SYNs. Some kernels let nobody attach one who has not CAP_NET_ADMIN.
 *
 * A decoy needs no privilege but to bind the port: a second socket that listens at the same address (SO_REUSEPORT), and a
 * program that sends it every SYN (SO_ATTACH_REUSEPORT_CBPF), where a minimum TTL of 255 drops them. Whatever belongs to
 * a handshake that is under way finds the first socket without being asked where it wants to go. What the filter does and
 * this does not:
 *   - SYNs that arrive with a TTL of 255 (sent so, by a host on the same link) would not be dropped, and pass by the decoy;
 *   - where the kernel has answered with SYN cookies, it forgets that it did, and resets those clients;
 *   - it does not outlive the process that holds the decoy.
 *
 * Putting the minimum TTL on the socket itself was tried: connections whose handshakes end then inherit it, and hear
 * nothing until somebody accepts them; as clients send the rest again ever more rarely, a queue of these takes for ever. */
#pragma once

/* Attach the filter. 0 or -errno. */
int tcp_barrier_filter(int fd);

/* Put up a decoy for the listening socket `fd`. Returns its O_CLOEXEC descriptor, which the caller owns; -errno: nothing has
 * changed (-EACCES: the port wants CAP_NET_BIND_SERVICE; -EADDRINUSE: another user has opened the socket). */
int tcp_barrier_decoy(int fd);

/* Take down either; the decoy's descriptor is closed and becomes -1. 0, also where there was none; -errno. */
int tcp_barrier_lower(int fd, int *decoy_fd);
