/* Values of systemd's directives in preforkd's form: addresses, command lines. */
#pragma once

#include <stdbool.h>

struct text;
struct words;

/* Append the address of ListenStream= or ListenDatagram=. 0, -EINVAL (there is no such address here) or -ENOMEM. */
int systemd_value_address(const char *value, bool datagrams, struct text *address);

/* Split a value as systemd does, which knows quotes and the escapes of C, and put in what specifiers (`%t`) stand for.
 * 0, -EINVAL: it cannot be carried over, `error` says why; -ENOMEM. */
int systemd_value_words(const char *value, struct words *words, struct text *error);

/* Split the command of ExecStart=: its first word is the program, the rest its argv. `environment` (NAME=VALUE) is put
 * in for variables; those that are not there are nothing, and `missing` names them. 0, -EINVAL: it cannot be carried
 * over, `error` says why; -ENOMEM. */
int systemd_value_command(const char *value, const struct words *environment, struct words *command,
                          struct text *missing, struct text *error);
