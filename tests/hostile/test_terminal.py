"""Handlers and the terminal that preforkd was started from: they cannot open it, so they cannot type into it (TIOCSTI)."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import termios
from collections.abc import Callable

from daemon import Daemon, request, tcp4

Start = Callable[..., Daemon]

# The error of opening /dev/tty (0: none), its session, and its terminal as /proc knows it.
LOOKS = ('my $error = open(my $tty, "+<", "/dev/tty") ? 0 : $! + 0; open(my $stat, "<", "/proc/self/stat"); '
         'my @field = split " ", (<$stat> =~ /.*\\) (.*)/)[0]; '
         'print "{\\"error\\": $error, \\"session\\": $field[3], \\"terminal\\": $field[4]}"')


def test_a_handler_has_no_terminal(preforkd: Start) -> None:
    address = tcp4()
    ours, theirs = os.openpty()
    try:
        daemon = preforkd({"www": {"listen": address, "handler": ["/usr/bin/perl", "-e", LOOKS], "scaling": "static",
                                   "max_workers": 1}},
                          popen={"preexec_fn": lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
                                 "pass_fds": [theirs]})
        [worker] = daemon.wait_workers(1)
        assert json.loads(request(address)) == {"error": errno.ENXIO, "session": worker, "terminal": 0}
        daemon.check_descriptors()
        daemon.stop()  # before its terminal hangs up
    finally:
        os.close(theirs)
        os.close(ours)
