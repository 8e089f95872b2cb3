/* What services of inetd and its kind have in common: addresses, handlers that wait, builtins, the rules of libwrap. */
#pragma once

#include <stdbool.h>

#include "logic/import/draft.h"
#include "logic/import/input.h"

struct words;

/* Add HOST:PORT to listen. `host` is an address, "", * or :: for every one of IPv6 and IPv4; names but localhost are
 * refused: the pool is left out. */
void service_listen(struct draft *draft, struct draft_pool *pool, const struct import_input *input, const char *host,
                    const char *service, bool is_udp);

/* A program that gets the listening socket as descriptor 0 and serves all that waits (`wait`): one at a time. */
void service_wait(struct draft *draft, struct draft_pool *pool);

/* A service that the daemon itself serves; left out if preforkd has none of the name. */
void service_builtin(struct draft *draft, struct draft_pool *pool, const char *name);

/* Set a user, which root is if none is given. What runs as root may give sessions to people, who call setuid programs
 * in them: it gets no_new_privileges = no. */
void service_user(struct draft *draft, struct draft_pool *pool, const char *user);

/* Close the pool if the rules of libwrap held for it. A program that asks libwrap itself (tcpd) needs none of this. */
void service_wrapped(struct draft *draft, struct draft_pool *pool, const struct import_input *input);

/* Set the handler from a program and its arguments, of which the first is the name that it gets. */
void service_named_handler(struct draft *draft, struct draft_pool *pool, const char *program, const struct words *argv);

/* Set max_workers to a number of instances; a word instead of a number is no limit. */
void service_instances(struct draft *draft, struct draft_pool *pool, const char *number);

/* Note the lines that were not understood, for somebody to decide. */
void service_unread(struct draft *draft, struct draft_pool *pool, const struct text *lines);
