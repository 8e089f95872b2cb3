/* The stop: every pool closes, requests in flight end within shutdown_timeout, and then the loop ends. */
#pragma once

struct daemon;

/* Make the timer. 0 or -errno. */
int shutdown_open(struct daemon *daemon);

/* Close every pool, let requests in flight end for shutdown_timeout, then end them; exit with `exit_code`. */
void shutdown_begin(struct daemon *daemon, int exit_code, const char *why);

/* End everything now. */
void shutdown_at_once(struct daemon *daemon, const char *why);

/* A pool has gone: ends the loop if the daemon stops and it was the last one. */
void shutdown_end_if_done(struct daemon *daemon);
