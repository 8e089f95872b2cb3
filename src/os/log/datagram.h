/* A socket that sends datagrams to a path and waits for nobody.
 *
 * Owns its socket; for log_journal.c and log_syslog.c. It stays unconnected: every datagram names the path, so a daemon
 * that was restarted is found again by the next one, and no state can go stale. */
#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct log_datagram {
        int fd;
        struct sockaddr_un address;
        socklen_t address_length;
};

/* 0; -ENAMETOOLONG (path), -EMFILE, -ENFILE, -ENOMEM (socket(2)). That nobody listens is no error. */
int log_datagram_open(const char *path, struct log_datagram *ret);

/* Send one datagram. 0; -EAGAIN (the queue is full), -ENOBUFS; -ENOENT, -ECONNREFUSED (nobody there); -EMSGSIZE;
 * -EACCES … (sendmsg(2), unix(7)). */
int log_datagram_send(const struct log_datagram *datagram, const void *bytes, size_t length);

/* Is somebody there at present? 0, or what log_datagram_send() would fail with for want of him. */
int log_datagram_check(const struct log_datagram *datagram);

void log_datagram_close(struct log_datagram *datagram);
