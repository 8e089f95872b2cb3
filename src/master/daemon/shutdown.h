/* The stop: after drain_delay every pool closes, requests in flight may end within shutdown_timeout, and then the loop
 * ends. */
#pragma once

struct daemon;

/* Create the timer. 0 or -errno. */
int shutdown_open(struct daemon *daemon);

/* Close every pool, wait up to shutdown_timeout for requests in flight, then end them; exit with `exit_code`. `why` is
 * for the log. */
void shutdown_begin(struct daemon *daemon, int exit_code, const char *why);

/* The same with exit code 0, after drain_delay: until then every pool serves on, and its status is "draining". At once
 * if that delay runs already. */
void shutdown_after_delay(struct daemon *daemon, const char *why);

/* End everything now. */
void shutdown_at_once(struct daemon *daemon, const char *why);

/* Call this when a pool is freed: it ends the loop if the daemon stops and no pool is left. */
void shutdown_end_if_done(struct daemon *daemon);
