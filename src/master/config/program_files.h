/* Notes which files a pool's handler is made of: its program, the interpreter of a script, and each argument that is
 * the absolute path of a regular file, such as the script of `perl /srv/x.pl`.
 *
 * The configuration child calls it, for a reload to notice that a file was replaced (logic/config/handler_files). A
 * file that cannot be looked at is left out: whether the handler can be executed is checked elsewhere. */
#pragma once

struct executable_place;
struct pool_config;

/* Note the files of the handler whose program or module was found at `path`, below the pool's root. `search_path` is
 * that of the handler, for `#!/usr/bin/env NAME`. No effect if nobody keeps the handler. 0 or -ENOMEM. */
int program_files_note(struct pool_config *pool, const struct executable_place *place, const char *path,
                       const char *search_path);
