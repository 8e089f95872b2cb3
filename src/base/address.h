/* Socket addresses as they are written and shown: numeric only, so that nothing here can wait for DNS.
 *
 * Forms: `192.0.2.1:80`, `[2001:db8::1]:80`, `[fe80::1%eth0]:80`, `*:80` (every address, IPv6 and IPv4), `localhost:80`
 * (127.0.0.1), `/path.sock`, `@abstract`; and for sockets that get datagrams `udp:` before those with a port, and
 * `unixgram:` before the others. Used by the configuration, the listeners and the peer's environment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

struct address {
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
                struct sockaddr_un un;
        };
        socklen_t length; /* as bind(2) and accept(2) count it */
        bool datagram;    /* of a socket that gets datagrams (SOCK_DGRAM), not connections */
};

/* Long enough for every result of address_format() and address_format_host(), NUL included. */
#define ADDRESS_TEXT_MAX 160

/* Parse a listen address. 0, or -EINVAL (no such form), -ERANGE (port outside 1..65535), -ENAMETOOLONG (UNIX path),
 * -ENODEV (no interface of that name); *ret is left alone on failure. Port 0 is refused: the kernel would choose one
 * that no client knows. */
int address_parse(const char *string, struct address *ret);

/* Write the address in the form that address_parse() reads; unnamed UNIX sockets as "". IPv4-mapped IPv6 addresses are
 * written as IPv4. `size` is at least ADDRESS_TEXT_MAX. */
void address_format(const struct address *address, char *text, size_t size);

/* The type of a socket with this address: SOCK_STREAM or SOCK_DGRAM. */
int address_socket_type(const struct address *address);

/* Only the host part: "192.0.2.1", "2001:db8::1", "fe80::1%eth0"; "" for UNIX addresses. */
void address_format_host(const struct address *address, char *text, size_t size);

/* The port in host order; 0 for UNIX addresses. */
unsigned address_port(const struct address *address);

/* True if both name the same endpoint. */
bool address_equal(const struct address *a, const struct address *b);

/* True if one socket cannot listen on `a` while another listens on `b`: both name the same port, and one of them is the
 * other's host, or every host. `[::]` includes IPv4 unless it is for IPv6 only. TCP and UDP have ports of their own,
 * and so have abstract names; a path is one file for both kinds. */
bool address_clashes(const struct address *a, bool a_is_ipv6_only, const struct address *b, bool b_is_ipv6_only);

/* True for an address that only processes of this machine can send from and to. */
bool address_is_loopback(const struct address *address);

/* True for an IPv6 address that only an interface makes whole (`fe80::1%eth0`), and that has none. */
bool address_lacks_interface(const struct address *address);
