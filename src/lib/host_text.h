/* A client's address as text, for the preload object, which may not call libc's functions for it. The results are those
 * of address_format_host() and address_port() of base/address.
 *
 * Called by preload/. Async-signal-safe. */
#pragma once

#include "base/address.h"
#include "lib/line.h"

/* Append the host of an IPv4 or IPv6 address; IPv4-mapped ones as IPv4. `fd` is any socket: it is asked for the name of
 * the interface of a link-local address. Others: nothing is appended. */
void host_text_add(struct line *line, const struct address *address, int fd);

/* The port in host order; 0 for UNIX addresses. */
unsigned host_text_port(const struct address *address);

/* Append a UNIX address: its path, or `@` and the abstract name; nothing for unnamed ones. */
void host_text_add_path(struct line *line, const struct address *address);
