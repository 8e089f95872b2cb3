"""Handlers that try to outlive their deadlines and the stop: by leaving their group, and by stopping their worker."""

from __future__ import annotations

import os
import shutil
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
                               "kill_timeout": "300ms", "scaling": "static", "max_workers": 1,
                               "no_new_privileges": False}})
    daemon.wait_workers(1)
    with connect(address) as client:
        pid = int(client.recv(100))
        assert read_all(client) == b"", "nobody holds the connection any more"
    wait_until(lambda: not alive(pid), "the end of the handler")
    daemon.wait_workers(1)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM], ids=["at once", "when shutdown_timeout is over"])
def test_a_stop_ends_it(preforkd: Start, handler: list[str], number: int, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": handler, "scaling": "static", "max_workers": 1,
                               "no_new_privileges": False}},
                      master={"shutdown_timeout": "300ms"})
    daemon.wait_workers(1)
    with connect(address) as client:
        pid = int(client.recv(100))
        daemon.send_signal(number)
        assert daemon.wait_end() == 0
        wait_until(lambda: not alive(pid), "the end of the handler", 2)


@pytest.fixture
def becomes_root(tmp_path: Path, as_root: None) -> list[str]:
    """A program with the right to become another user does, and its worker may not signal it any more."""
    program = shutil.which("setpriv")
    if not program or os.statvfs(tmp_path).f_flag & os.ST_NOSUID:
        pytest.skip("needs setpriv(1), and a file system that honours setuid bits")
    copy = Path(shutil.copy(program, tmp_path / "become-root"))
    copy.chmod(0o4755)
    return [str(copy), "--reuid=0", "--regid=0", "--clear-groups", "/bin/sh", "-c", "echo $$; exec sleep 1000"]


def test_a_request_timeout_ends_one_that_became_root(preforkd: Start, becomes_root: list[str]) -> None:
    test_a_request_timeout_ends_it(preforkd, becomes_root)


def test_a_stop_ends_one_that_became_root(preforkd: Start, becomes_root: list[str], tmp_path: Path) -> None:
    test_a_stop_ends_it(preforkd, becomes_root, signal.SIGTERM, tmp_path)
