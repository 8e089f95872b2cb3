"""`accounting = none`: programs of which nobody knows what they do. The pool is judged by what waits at its listeners."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import Daemon, alive, children, request, stays, tcp4, wait_until
from programs import begin, command, end, rows, talk_open, wait_rows
from test_preforkctl import ctl_of

Start = Callable[..., Daemon]


@pytest.fixture
def acceptor(program: Callable[[str], str]) -> Callable[..., dict[str, Any]]:
    def pool(address: str, **keys: object) -> dict[str, Any]:
        return {"listen": address, "handler_type": "listener", "accounting": "none",
                "handler": [program("acceptor"), "plain"], **keys}
    return pool


def test_what_it_gets_and_how_it_is_shown(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1)}, control=True)
    [pid] = wait_rows(daemon, 1, "unwatched")
    lines = command(address, "report").splitlines()
    assert f"pid {pid}" in lines and f"env LISTEN_PID={pid}" in lines
    assert not [line for line in lines if "PREFORK" in line or line.startswith("blocked")]
    assert [line for line in lines if line.startswith("fd ")] == ["fd 0 file", "fd 1 file", "fd 2 pipe", "fd 3 listener"]
    pool = control_of(daemon).pool()
    assert pool["accounting"] == "none" and pool["counts"]["unwatched"] == 1
    assert pool["counts"]["busy"] == pool["counts"]["idle"] == 0
    daemon.assert_quiet()


def test_the_table_of_pools_adds_up(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """They have a column of their own, which is there only where a pool has, or will have, such workers."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="ondemand"),
                       "other": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2}}, control=True)
    daemon.wait_workers(2, "other")

    def table() -> tuple[int, dict[str, dict[str, str]]]:
        first, _, heading, *rows = ctl_of(daemon).do("status").splitlines()
        found = re.search(r"(\d+) workers \((\d+) idle, (\d+) busy(?:, (\d+) unwatched)?\)", first)
        assert found and sum(int(number or 0) for number in found.groups()[1:]) == int(found[1]), first
        return int(found[1]), {row.split()[0]: dict(zip(heading.split(), row.split())) for row in rows if row}

    assert table()[1]["www"]["UNWATCHED"] == "0", "it does not come and go with its first worker"
    assert command(address, "pid")
    wait_rows(daemon, 1, "unwatched")
    total, pools = table()
    assert (pools["www"]["UNWATCHED"], pools["other"]["UNWATCHED"]) == ("1", "0")
    assert total == 3 == sum(int(row[name]) for row in pools.values() for name in ("IDLE", "BUSY", "START", "UNWATCHED"))
    del daemon.pools["www"]
    daemon.hup("reloaded")
    wait_until(lambda: "www" not in table()[1], "it has gone")
    assert "UNWATCHED" not in table()[1]["other"]


def test_it_rests_when_nothing_comes(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, start_workers=2, max_spare_workers=2)}, control=True)
    wait_rows(daemon, 2, "unwatched")
    assert command(address, "pid")

    daemon.wait_asleep()


def test_all_busy_means_more(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """One connection that nobody takes; then, each time, one more."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, min_spare_workers=1, start_workers=1, max_workers=6)}, control=True)
    wait_rows(daemon, 1, "unwatched")
    clients = [talk_open(address) for _ in range(6)]
    assert len(rows(daemon)) == 6
    with begin(address, "pid") as waiting:
        daemon.wait_message("saturated")
        for client in clients:
            client.close()
        assert waiting.recv(100)
    daemon.assert_none(["worker died", "backing off"])


def test_a_program_that_hangs_is_saturated_once(preforkd: Start) -> None:
    """However often it is looked at whether somebody takes what waits."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "accounting": "none",
                               "handler": ["/bin/sleep", "1000"], "max_workers": 2}}, control=True)
    control = control_of(daemon)
    with begin(address, ""):
        daemon.wait_message("saturated")
        stays(lambda: control.pool()["state"] == "saturated", "saturated", 5)
        assert control.pool()["totals"]["saturations"] == 1


def test_a_burst_is_answered_by_the_length_of_the_queue(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """Not one worker at a time."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, min_spare_workers=1, start_workers=1, max_workers=40)}, control=True)
    wait_rows(daemon, 1, "unwatched")
    clients = [begin(address, "echo") for _ in range(30)]
    wait_until(lambda: len(rows(daemon)) >= 30, "workers for all", 5)
    growths = [text for text in control_of(daemon).decisions() if text.startswith("+")]
    assert len(growths) <= 6, growths
    for client in clients:
        client.close()


def test_it_gets_smaller_when_it_is_quiet(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, min_spare_workers=1, max_spare_workers=2, start_workers=1, max_workers=8,
                                       spare_timeout="200ms")}, control=True)
    clients = [talk_open(address) for _ in range(8)]
    for client in clients:
        client.close()
    wait_rows(daemon, 2, "unwatched", timeout=20)
    assert command(address, "pid")
    daemon.assert_quiet()


def test_one_that_ends_at_once(preforkd: Start) -> None:
    """Whatever its exit code: it has not served."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "listener", "accounting": "none", "handler": "/bin/true",
                               "restart_delay_min": "200ms"}}, control=True)
    daemon.wait_message("backing off")
    control = control_of(daemon)
    before = control.pool()["totals"]["forked"]
    stays(lambda: control.pool()["totals"]["forked"] <= before + 12, "few starts", 1.0)


def test_reload_and_upgrade(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """Workers stay what they are; those of another accounting retire in their own way."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=2)}, control=True)
    old = wait_rows(daemon, 2, "unwatched")
    control_of(daemon).do("upgrade")
    assert wait_rows(daemon, 2, "unwatched") == old
    daemon.pools["www"]["accounting"] = "preload"
    daemon.hup("reloaded")
    new = wait_rows(daemon, 2)
    assert not set(new) & set(old)
    daemon.pools["www"]["accounting"] = "none"
    daemon.hup("reloaded")
    assert not set(wait_rows(daemon, 2, "unwatched")) & set(new)
    assert command(address, "pid")
    daemon.assert_quiet()


def test_it_is_retired_while_it_starts(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """The signal is not lost between the fork and the exec, where the worker is still preforkd's."""
    daemon = preforkd({"www": acceptor(tcp4(), scaling="static", max_workers=8)}, control=True)
    control = control_of(daemon)
    for _ in range(40):
        control.do("pause www")
        wait_until(lambda: not rows(daemon), "the end of all")
        control.do("resume www")
    wait_rows(daemon, 8, "unwatched")
    daemon.assert_quiet()


def test_the_master_dies(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    daemon = preforkd({"www": acceptor(tcp4(), scaling="static", max_workers=2)}, control=True)
    workers = wait_rows(daemon, 2, "unwatched")
    daemon.kill()
    wait_until(lambda: not any(map(alive, workers)), "their end")


def test_a_retired_one_may_finish(preforkd: Start, tmp_path: Path) -> None:
    """It is not taken for stuck; request_timeout ends its patience."""
    program = tmp_path / "slow.py"
    program.write_text("import signal, socket, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                       "listener = socket.socket(fileno=3)\nwhile True:\n    connection, _ = listener.accept()\n"
                       "    connection.sendall(b'x')\n    time.sleep(1000)\n")
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "accounting": "none", "scaling": "static",
                               "max_workers": 1, "handler": ["/usr/bin/python3", str(program)],
                               "request_timeout": "7s"}}, control=True)
    [pid] = wait_rows(daemon, 1, "unwatched")
    with begin(address, "") as client:
        assert client.recv(1) == b"x"
        control_of(daemon).do("restart www")
        stays(lambda: alive(pid), "it goes on", 5.5)
        wait_until(lambda: not alive(pid), "its end", 5)
    daemon.wait_message("worker stuck")


APP = """import os, time
def app(environ, start_response):
    if environ['PATH_INFO'] == '/sleep':
        time.sleep(0.3)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [str(os.getpid()).encode()]
"""


def test_gunicorn(preforkd: Start, tmp_path: Path) -> None:
    """It forks workers of its own: each of ours is an arbiter with one worker. Reloads lose no request."""
    gunicorn = shutil.which("gunicorn")
    if not gunicorn:
        pytest.skip("needs gunicorn")
    (tmp_path / "app.py").write_text(APP)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "accounting": "none", "scaling": "static",
                               "max_workers": 2, "directory": str(tmp_path),
                               "handler": [gunicorn, "--workers=1", "--worker-tmp-dir=/tmp", "app:app"]}}, control=True)
    old = wait_rows(daemon, 2, "unwatched")
    wait_until(lambda: all(children(pid) for pid in old), "workers of the arbiters", 30)
    answers: list[bytes] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(request(address, b"GET /sleep HTTP/1.0\r\n\r\n", half_close=False))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(answers) >= 4, "answers", 30)
        control_of(daemon).do("restart www")
        wait_until(lambda: not any(map(alive, old)), "the end of the old ones", 40)
        before = len(answers)
        wait_until(lambda: len(answers) >= before + 4, "answers of the new ones", 30)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(answer.startswith(b"HTTP/1.") and b" 200 OK" in answer for answer in answers)
    daemon.assert_quiet()


# Ends when accept fails. `listen`: it calls listen(2) again, as many programs do with a socket that they were given.
ENDS_ON_ERRORS = """
import socket, sys, time
listener = socket.socket(fileno=3)
if sys.argv[1:] == ["listen"]:
    listener.listen(7)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"x")
    connection.close()
"""


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("act", ["another address", "restart", "removal", "stop"])
def test_no_listener_is_shut_under_it(preforkd: Start, tmp_path: Path, act: str, kind: str) -> None:
    """To a program that knows nothing of us that is an error. It is told to end before."""
    program = tmp_path / "program.py"
    address, other = (tcp4(), tcp4()) if kind == "tcp" else (str(tmp_path / "a.sock"), str(tmp_path / "b.sock"))
    program.write_text(ENDS_ON_ERRORS)
    pool = {"handler_type": "listener", "accounting": "none", "scaling": "static", "max_workers": 4, "reload_surge": "25%",
            "handler": ["/usr/bin/python3", str(program), *(["listen"] if act == "restart" else [])]}
    daemon = preforkd({"www": {"listen": address, **pool}, "other": {"listen": tcp4(), "handler": "/bin/cat"}}, control=True)
    old = wait_rows(daemon, 4, "unwatched")
    assert request(address) == b"x"
    if act == "another address":
        daemon.pools["www"]["listen"] = address = other
        daemon.hup("reloaded")
    elif act == "removal":
        del daemon.pools["www"]
        daemon.hup("reloaded")
    elif act == "restart":
        control_of(daemon).do("restart www")
    else:
        daemon.send_signal(signal.SIGTERM)
    wait_until(lambda: not any(map(alive, old)), "the end of the old ones")
    if act == "stop":
        assert daemon.wait_end() == 0
    elif act != "removal":
        wait_rows(daemon, 4, "unwatched")
        assert request(address) == b"x"
    daemon.assert_quiet()
    assert not daemon.find_message("listener damaged")


def test_a_signal_of_its_choice(preforkd: Start, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import signal, socket, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                       "signal.signal(signal.SIGUSR2, lambda *_: sys.exit(5))\n"
                       "listener = socket.socket(fileno=3)\nwhile True:\n    connection, _ = listener.accept()\n"
                       "    connection.sendall(b'x')\n    connection.close()\n")
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "accounting": "none", "scaling": "static",
                               "max_workers": 1, "handler": ["/usr/bin/python3", str(program)],
                               "retire_signal": "USR2"}}, control=True)
    [pid] = wait_rows(daemon, 1, "unwatched")
    assert request(address) == b"x"
    control_of(daemon).do("restart www")
    wait_until(lambda: not alive(pid), "its end")
    assert request(address) == b"x"
    daemon.assert_quiet()


def test_a_busy_one_is_asked_at_once(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """TERM does to a program without a handler what it does: the page says so."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1)}, control=True)
    [pid] = wait_rows(daemon, 1, "unwatched")
    client = begin(address, "sleep 60000")
    assert client.recv(6) == b"begun\n"
    os.kill(pid, signal.SIGCONT)  # means nothing
    control_of(daemon).do("restart www")
    assert end(client) == ""
    wait_until(lambda: not alive(pid), "its end")
