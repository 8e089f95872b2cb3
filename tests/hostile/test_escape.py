"""Handlers that try to outlive their deadlines and the stop: by leaving their group, and by stopping their worker."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import Daemon, alive, connect, read_all, tcp4, wait_until

Start = Callable[..., Daemon]

LEAVES_ITS_GROUP = ("$SIG{TERM} = 'IGNORE' if $ARGV[0]; $| = 1; setpgrp 0, getppid; "
                    'print "$$\\n"; sleep 1 while 1')  # it leads a group, so it cannot begin a session
STOPS_ITS_WORKER = ("$SIG{TERM} = 'IGNORE' if $ARGV[0]; $| = 1; "
                    'print "$$\\n"; while (1) { kill "STOP", getppid; select undef, undef, undef, 0.001 }')


@pytest.fixture(params=["obeys TERM", "ignores TERM"])
def ignores(request: pytest.FixtureRequest) -> list[str]:
    return ["1"] if request.param == "ignores TERM" else []


@pytest.fixture(params=[LEAVES_ITS_GROUP, STOPS_ITS_WORKER], ids=["leaves its group", "stops its worker"])
def handler(request: pytest.FixtureRequest, ignores: list[str]) -> list[str]:
    return ["/usr/bin/perl", "-e", request.param, *ignores]


def test_a_request_timeout_ends_it(preforkd: Start, handler: list[str]) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": handler, "request_timeout": "300ms",
                               "kill_timeout": "300ms", "scaling": "static", "max_workers": 1}})
    daemon.wait_workers(1)
    with connect(address) as client:
        pid = int(client.recv(100))
        assert read_all(client) == b"", "nobody holds the connection any more"
    wait_until(lambda: not alive(pid), "the end of the handler")
    daemon.wait_workers(1)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM], ids=["at once", "when shutdown_timeout is over"])
def test_a_stop_ends_it(preforkd: Start, handler: list[str], number: int, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": handler, "scaling": "static", "max_workers": 1}},
                      master={"shutdown_timeout": "300ms"})
    daemon.wait_workers(1)
    with connect(address) as client:
        pid = int(client.recv(100))
        daemon.send_signal(number)
        assert daemon.wait_end() == 0
        wait_until(lambda: not alive(pid), "the end of the handler", 2)
