"""Processes that handlers leave behind hold the stderr of workers that have ended: a descriptor of the master each."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from daemon import Daemon, alive, request, tcp4, wait_until

Start = Callable[..., Daemon]

LEAVES_A_CHILD = ["/bin/sh", "-c", "(trap '' PIPE; while sleep 0.2; do echo here >&2; done) <&- >&- & echo $!"]


def test_a_pool_keeps_no_more_than_max_workers(preforkd: Start) -> None:
    address, most = tcp4(), 4
    daemon = preforkd({"www": {"listen": address, "handler": LEAVES_A_CHILD, "max_workers": most, "max_requests": 1,
                               "max_requests_jitter": "0%"}})
    left = [int(request(address)) for _ in range(3 * most)]
    try:
        assert all(map(alive, left))
        wait_until(lambda: daemon.descriptors()["pipe"] <= 2 + 2 * most + 1, "pipes of workers and of as many others")
        wait_until(lambda: daemon.told("stderr closed"), "the record of what was closed")
        assert len(daemon.told("stderr closed")) <= 2
        mark = daemon.log_mark()
        daemon.wait_said("here", after=mark)  # the youngest are kept
        before = daemon.descriptors()["pipe"]
        daemon.send_signal(signal.SIGUSR2)
        daemon.wait_message("upgraded")
        assert daemon.descriptors()["pipe"] <= before + 1
        left.append(int(request(address)))
        wait_until(lambda: daemon.descriptors()["pipe"] <= 2 + 2 * most + 1, "the same after an upgrade")
    finally:
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: daemon.descriptors()["pipe"] <= 2 + most + 1, "the end of outlived pipes")
