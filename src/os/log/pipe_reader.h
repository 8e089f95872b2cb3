/* Another reader of a pipe that somebody else reads: of what handlers write, for when the master has died.
 *
 * Called by workers, and by the master for workers that cannot. Owns nothing. */
#pragma once

/* A reading end of the pipe that shares no open file with the other one; non-blocking, and closed on execution. Call it
 * while the process still is the user that made the pipe. -1: there is none, because /proc is not mounted. From then on
 * whoever is given the pipe may open it again to write (/dev/stderr), but not to read, whatever its user. */
int pipe_reader_open(int write_fd);
