/* The lists of clients in xinetd.conf(5), only_from and no_access, as allow and deny. */
#pragma once

struct text;

/* Append the list in the form of `allow`. 0; -EINVAL: a word cannot be carried over, `error` says which and why;
 * -ENOMEM.
 */
int xinetd_access_convert(const char *list, struct text *clients, struct text *error);
