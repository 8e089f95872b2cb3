/* Keeps new datagrams away from a UDP socket that drains; what waits in it stays. Called by os/net/listener. */
#pragma once

/* Drop what arrives, by a socket filter, until tcp_barrier_lower(). 0 or -errno: the kernel refuses it. */
int datagram_barrier_filter(int fd);

/* Direct what arrives to the second socket of the address (SO_REUSEPORT). 0 or -errno. */
int datagram_barrier_divert(int fd);
