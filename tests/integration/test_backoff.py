"""Pools whose workers fail to start: doubling delays, no harm to the others, recovery when the cause is gone."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from control import control_of
from daemon import Daemon, alive, connect, request, stays, tcp4, wait_until

Start = Callable[..., Daemon]

CAT = "#!/bin/sh\nexec /bin/cat\n"


def write_handler(path: Path) -> None:
    scratch = path.with_suffix(".new")
    scratch.write_text(CAT)
    scratch.chmod(0o755)
    scratch.replace(path)


def delays(daemon: Daemon, pool: str = "bad") -> list[tuple[int, int]]:
    """(failures in a row, ms until the next attempt), as decided."""
    found = [re.fullmatch(r"backing off: (\d+) failed starts? in a row, next in (\d+) ms", text)
             for text in reversed(control_of(daemon).decisions(pool))]
    return [(int(match[1]), int(match[2])) for match in found if match]


def wait_delays(daemon: Daemon, count: int, before: int = 0) -> list[tuple[int, int]]:
    """So many, beyond the first `before`."""
    return wait_until(lambda: (found := delays(daemon)[before:]) and len(found) >= count and found, f"{count} delays", 20)


@pytest.mark.parametrize("scaling", ["dynamic", "static", "ondemand"])
def test_a_handler_that_vanishes(preforkd: Start, tmp_path: Path, scaling: str) -> None:
    bad, good, handler = tcp4(), tcp4(), tmp_path / "handler.sh"
    write_handler(handler)
    daemon = preforkd({"bad": {"listen": bad, "handler": str(handler), "scaling": scaling, "max_workers": 3,
                               "restart_delay_min": "50ms", "restart_delay_max": "400ms"},
                       "www": {"listen": good, "handler": "/bin/cat"}}, control=True)
    assert request(bad, b"x") == b"x"
    control_of(daemon).wait_idle("bad")
    with ClientPool([good], count=2) as clients:
        handler.unlink()
        # One client a worker, who finds out; the ones that are started in their place find no handler either.
        with connect(bad), connect(bad), connect(bad), connect(bad):
            found = wait_delays(daemon, 7)
            assert found[:6] == [(1, 50), (2, 100), (3, 200), (4, 400), (5, 400), (6, 400)]
        clients.wait_served(20)
        with connect(bad) as waiting:
            waiting.sendall(b"hello\n")
            write_handler(handler)
            assert waiting.recv(100) == b"hello\n", "who waited is served when the handler is back"
        before = len(delays(daemon))
        assert request(bad, b"x") == b"x"
        clients.wait_served(20)
    assert daemon.find_message("worker died", "bad")
    daemon.assert_quiet("www")
    # Another failure is a first one again.
    handler.unlink()
    with connect(bad), connect(bad), connect(bad), connect(bad):
        assert wait_delays(daemon, 1, before)[0] == (1, 50)


def test_a_directory_that_vanishes_and_comes_back(preforkd: Start, tmp_path: Path) -> None:
    """Nobody is lost: the first client waits until a worker can be started."""
    bad, good, directory = tcp4(), tcp4(), tmp_path / "directory"
    directory.mkdir()
    daemon = preforkd({"bad": {"listen": bad, "handler": "/bin/cat", "directory": str(directory), "scaling": "ondemand",
                               "restart_delay_min": "50ms", "restart_delay_max": "1s"},
                       "www": {"listen": good, "handler": "/bin/cat"}}, control=True)
    directory.rmdir()
    with connect(bad) as waiting:
        waiting.sendall(b"hello\n")
        assert [delay for _, delay in wait_delays(daemon, 5)[:5]] == [50, 100, 200, 400, 800]
        assert daemon.find_message("worker died", "bad")
        assert request(good, b"x") == b"x"
        directory.mkdir()
        assert waiting.recv(100) == b"hello\n"


def test_the_rate_of_failing_starts_is_bounded(preforkd: Start, tmp_path: Path) -> None:
    """A pool of many: a batch that fails together is one failure, and the next batch waits."""
    directory = tmp_path / "directory"
    directory.mkdir()
    daemon = preforkd({"bad": {"listen": tcp4(), "handler": "/bin/cat", "directory": str(directory),
                               "scaling": "static", "max_workers": 20, "restart_delay_min": "200ms"}},
                      control=True)
    control = control_of(daemon)
    workers = daemon.wait_workers(20, "bad")
    directory.rmdir()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    wait_delays(daemon, 3)
    decisions = control.decisions("bad")[::-1]
    until = next(number for number, text in enumerate(decisions) if text.startswith("backing off: 3 "))
    forked = [int(found[1]) for text in decisions[:until] if (found := re.match(r"\+(\d+) worker", text))]
    assert 20 < sum(forked) <= 20 + 3 * 20
    stays(lambda: len(delays(daemon)) <= 4, "the fourth comes after 800 ms, the fifth after 1600", 1.0)


def test_workers_of_a_reload_that_cannot_start(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """The new generation's workers do not start (their user may not enter the directory any more): those of the old one
    serve on."""
    closed = tmp_path / "closed"
    closed.mkdir(0o755)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "restart_delay_min": "50ms",
                               "directory": str(closed)}}, master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)

    def only_new_ones_serve() -> bool:
        counts = control.pool()["counts"]
        return counts["old"] == 0 and counts["total"] > counts["starting"]

    with ClientPool([address], count=4) as clients:
        clients.wait_served(1)
        closed.chmod(0o700)
        control.do("restart www")
        wait_until(lambda: len(delays(daemon, "www")) >= 2, "delays")
        clients.wait_served(50)
        assert not only_new_ones_serve()
        closed.chmod(0o755)  # which also lets those start that are on their way to it just now
        wait_until(only_new_ones_serve, "the new generation")
        clients.wait_served(50)


@pytest.mark.parametrize("handler", ["/bin/false", "/bin/sh -c 'kill -SEGV $$'"])
def test_a_handlers_failure_is_no_failed_start(preforkd: Start, handler: str) -> None:
    """Or a client could throttle a pool."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": handler, "max_workers": 2}})
    for _ in range(30):
        assert request(address) == b""
    daemon.assert_quiet()


def test_workers_that_are_killed_again_and_again_are_replaced_at_once(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1,
                               "restart_delay_min": "1h", "restart_delay_max": "1h"}})
    for _ in range(10):
        [worker] = daemon.wait_workers(1)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not alive(worker), "its end")
    assert request(address, b"x") == b"x"
    daemon.assert_none(["backing off"])
