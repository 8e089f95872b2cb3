"""A limit on the size of files, which the log reaches: that ends neither the master nor a worker."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable

import pytest

from control import control_of
from daemon import Daemon, request, tcp4, wait_until

Start = Callable[..., Daemon]

LIMIT = 50_000
WORDS = "x" * 500


@pytest.mark.parametrize("stderr", ["log", "inherit"])
def test_a_log_that_reaches_the_limit(preforkd: Start, stderr: str) -> None:
    """Not even one that is shared by the handlers."""
    address = tcp4()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    daemon = preforkd({"www": {"listen": address, "handler": ["/bin/sh", "-c", f"cat; echo {WORDS} >&2"],
                               "stderr": stderr, "scaling": "static", "max_workers": 2}},
                      popen={"preexec_fn": limit}, control=True)
    workers = daemon.wait_workers(2)
    for number in range(LIMIT // len(WORDS) + 20):
        assert request(address, b"%d" % number) == b"%d" % number
    wait_until(lambda: daemon.log_path.stat().st_size > LIMIT - len(WORDS), "a full log")
    daemon.send_signal(signal.SIGUSR1)  # a report, for which there is no room
    assert control_of(daemon).do("status")["pools"]
    assert request(address, b"x") == b"x"
    assert daemon.workers() == workers


def test_a_signal_about_the_limit_is_harmless(preforkd: Start) -> None:
    """Whoever sends it, to the master or to a worker."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1}})
    [worker] = daemon.wait_workers(1)
    daemon.send_signal(signal.SIGXFSZ)
    os.kill(worker, signal.SIGXFSZ)
    assert request(address, b"x") == b"x"
    assert daemon.workers() == [worker]
