"""What the master makes of each signal, and of the keys and the end of its terminal.

The stops that leave no question open (TERM, INT and QUIT at rest, a second TERM) are in test_command_line.py, reloads in
test_reload.py, stops under load in test_drain.py. The report on SIGUSR1 is in test_log_records.py.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import signal
import socket
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (BINARY, SLOW, Daemon, alive, children, connect, context_switches, descendants, read_all,
                    refuses, request, stays, tcp4, title, user_arguments, wait_until)
from messages import message_pattern, without_stamps
from pools import STUBBORN, in_conversation, static

Start = Callable[..., Daemon]


# --- stopping -------------------------------------------------------------------------------------------------------

def test_quit_ends_requests_at_once(preforkd: Start) -> None:
    """The handlers' groups with them, whatever they ignore (the fixture looks for what is left)."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(3, handler=STUBBORN)}}, master={"shutdown_timeout": "1h"})
    clients = [connect(address) for _ in range(3)]
    for client in clients:
        assert client.recv(100) == b"begun\n"
    start = time.monotonic()
    daemon.stop(signal.SIGQUIT)
    assert time.monotonic() - start < 5 * SLOW
    for client in clients:
        with client:
            assert client.recv(100) == b""


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_second_signal_ends_requests_at_once(preforkd: Start, second: int) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1, handler=STUBBORN)}}, master={"shutdown_timeout": "1h"})
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        daemon.send_signal(signal.SIGINT)
        daemon.wait_message("stopping")
        assert daemon.running()
        daemon.send_signal(second)
        assert daemon.wait_end(5) == 0
        assert client.recv(100) == b""


def test_shutdown_timeout_ends_requests(preforkd: Start) -> None:
    """Not before, and soon after; a request that ends in time ends by itself."""
    short, long = tcp4(), tcp4()
    daemon = preforkd({"short": {"listen": short, **static(1)}, "long": {"listen": long, **static(1, handler=STUBBORN)}},
                      master={"shutdown_timeout": "1500ms"})
    with in_conversation(short) as good, connect(long) as bad:
        assert bad.recv(100) == b"begun\n"
        start = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_message("stopping")
        good.sendall(b"y")
        good.shutdown(socket.SHUT_WR)
        assert read_all(good) == b"y"
        assert bad.recv(100) == b""
        assert 1.4 < time.monotonic() - start < 6 * SLOW
    assert daemon.wait_end() == 0
    assert daemon.find_message("stop timed out")


def test_shutdown_timeout_of_zero(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1, handler=STUBBORN)}}, master={"shutdown_timeout": 0})
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        daemon.stop(timeout=5)


def test_a_reload_while_stopping_is_no_reload(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}}, control=True)
    with in_conversation(address) as client:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_message("stopping")
        switches = context_switches(daemon.pid)
        daemon.hup(None)
        wait_until(lambda: context_switches(daemon.pid) > switches, "the master has read it")
        control_of(daemon).refused("reload", "stopping")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
    assert daemon.wait_end() == 0
    daemon.assert_none(["reloaded"])


# --- limits ---------------------------------------------------------------------------------------------------------

def test_ttin_and_ttou_shift_max_workers_until_the_next_reload(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, control=True)
    control = control_of(daemon)
    daemon.wait_workers(2)

    def shift(number: int, count: int) -> None:
        daemon.send_signal(number)
        wait_until(lambda: control.pool()["limits"]["max_workers"] == count, f"max_workers is {count}")

    for count in range(3, 33):
        shift(signal.SIGTTIN, count)
    daemon.wait_workers(32)
    assert control.pool()["totals"]["start_failures"] == 0
    for count in range(31, 0, -1):
        shift(signal.SIGTTOU, count)
    daemon.wait_workers(1)
    decisions, switches = control.decisions(), context_switches(daemon.pid)
    daemon.send_signal(signal.SIGTTOU)  # never none
    wait_until(lambda: context_switches(daemon.pid) > switches, "the master has read it")
    assert request(address, b"x") == b"x"
    assert control.pool()["limits"]["max_workers"] == 1 and control.decisions() == decisions
    assert control.pool()["overlay"]["max_workers"] == {"configured": "2", "overlaid": "1"}
    daemon.hup("reloaded")
    assert control.pool()["overlay"] == {} and control.pool()["limits"]["max_workers"] == 2
    daemon.wait_workers(2)


def test_ttin_lets_a_full_pool_grow(preforkd: Start) -> None:
    """At once for those who wait."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}})
    with in_conversation(address), connect(address) as waiting:
        waiting.sendall(b"y")
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        daemon.send_signal(signal.SIGTTIN)
        waiting.settimeout(10 * SLOW)
        assert waiting.recv(1) == b"y"


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGWINCH, signal.SIGALRM, signal.SIGCHLD,
                                    signal.SIGXFSZ])
def test_signals_that_mean_nothing_do_nothing(preforkd: Start, number: int) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, control=True)
    workers = daemon.wait_workers(2)
    wait_until(lambda: control_of(daemon).pool()["counts"]["idle"] == 2, "two ready workers")
    before = daemon.log_mark()
    switches = context_switches(daemon.pid)
    daemon.send_signal(number)
    wait_until(lambda: context_switches(daemon.pid) > switches, "the master has read it")
    stays(lambda: daemon.workers() == workers, "the workers stay", 0.1)
    assert request(address, b"x") == b"x"
    assert daemon.log_mark() == before, "and nothing is logged"


def test_a_worker_that_is_told_to_end_finishes_its_request(preforkd: Start) -> None:
    """TERM to one worker: as if it were retired, and it is replaced."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}})
    worker, = daemon.wait_workers(1)
    with in_conversation(address) as client:
        os.kill(worker, signal.SIGTERM)
        stays(lambda: worker in daemon.workers(), "the worker stays", 0.2)
        client.sendall(b"y")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"y"
    wait_until(lambda: worker not in daemon.workers(), "the worker's end")
    assert request(address, b"x") == b"x"


# --- terminals ------------------------------------------------------------------------------------------------------

@pytest.fixture
def terminal(preforkd: Start) -> Iterator[Callable[..., tuple[Daemon, int]]]:
    """A daemon in the foreground of a terminal of its own, and the terminal's other side."""
    open_sides: list[int] = []
    daemons: list[Daemon] = []

    def start(pools: Any, **options: Any) -> tuple[Daemon, int]:
        ours, theirs = os.openpty()
        open_sides.append(ours)

        def take_terminal() -> None:
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        # start_new_session (the default) makes it a session leader, which may take a terminal.
        daemon = preforkd(pools, popen={"preexec_fn": take_terminal, "pass_fds": [theirs]}, **options)
        os.close(theirs)
        daemons.append(daemon)
        return daemon, ours

    yield start
    for daemon in daemons:  # before they are hung up upon, and go while they are looked at
        if daemon.running():
            daemon.check_descriptors()
            daemon.stop()
    for side in open_sides:
        try:
            os.close(side)
        except OSError:
            pass  # a test has hung up


def test_ctrl_c_in_a_terminal_stops_gracefully(terminal: Callable[..., tuple[Daemon, int]]) -> None:
    """The key's signal goes to the whole foreground group: workers and handlers are not in it."""
    address = tcp4()
    daemon, keyboard = terminal({"www": {"listen": address, **static(2)}})
    with in_conversation(address) as client:
        os.write(keyboard, b"\x03")
        daemon.wait_message("stopping")
        wait_until(lambda: refuses(address), "the listener closed")
        client.sendall(b"y")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"y"
    assert daemon.wait_end() == 0
    daemon.assert_none(["worker died"])


def test_ctrl_c_does_not_kill_workers_that_are_starting(terminal: Callable[..., tuple[Daemon, int]]) -> None:
    """They are in the terminal's group until they have left it."""
    daemon, keyboard = terminal({"www": {"listen": tcp4(), **static(200)}}, ready=False)
    wait_until(lambda: len(children(daemon.pid)) > 20, "the first workers")
    os.write(keyboard, b"\x03")
    assert daemon.wait_end() == 0
    daemon.assert_none(["worker died"])


def test_quit_key_in_a_terminal(terminal: Callable[..., tuple[Daemon, int]]) -> None:
    address = tcp4()
    daemon, keyboard = terminal({"www": {"listen": address, **static(1, handler=STUBBORN)}})
    with connect(address) as client:
        assert client.recv(100) == b"begun\n"
        os.write(keyboard, b"\x1c")
        assert daemon.wait_end(5) == 0


@pytest.mark.parametrize("upgraded", [False, True])
def test_a_terminal_that_hangs_up_stops_the_daemon(terminal: Callable[..., tuple[Daemon, int]], upgraded: bool) -> None:
    """Not a reload: nobody is there any more who could want one. Requests are finished."""
    address = tcp4()
    daemon, keyboard = terminal({"www": {"listen": address, **static(2)}})
    if upgraded:
        daemon.send_signal(signal.SIGUSR2)
        daemon.wait_message("upgraded")
    with in_conversation(address) as client:
        os.close(keyboard)
        daemon.wait_message("stopping")
        client.sendall(b"y")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"y"
    assert daemon.wait_end() == 0
    daemon.assert_none(["reloaded", "reload refused"])


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """An interactive shell in a terminal of its own, that was given one line; the terminal's other side."""
    shells: list[tuple[int, int]] = []

    def start(line: str) -> int:
        pid, side = pty.fork()
        if pid == 0:
            os.execv("/bin/bash", ["bash", "--norc", "--noprofile", "-i"])
        shells.append((pid, side))
        os.write(side, line.encode() + b"\n")
        return side

    yield start
    for pid, side in shells:
        try:
            os.close(side)
        except OSError:
            pass  # a test has closed the window
        os.waitpid(pid, 0)


def found_in(log: Path, kind: str) -> bool:
    """True if a record of that kind is in the log of a daemon that a shell has started."""
    return bool(re.search(message_pattern(kind), without_stamps(log.read_text()), re.MULTILINE))


def master_listening(log: Path) -> int | None:
    """The pid of the daemon that logs there, once it serves."""
    if not log.exists() or not found_in(log, "started"):
        return None
    for pid in descendants(os.getpid()):
        if title(pid).startswith("preforkd: master") and os.path.samefile(f"/proc/{pid}/fd/2", log):
            return pid
    return None


def wait_upgraded(pid: int, log: Path) -> None:
    os.kill(pid, signal.SIGUSR2)
    wait_until(lambda: found_in(log, "upgraded"), "the next program")


@pytest.mark.parametrize("background", [False, True])
def test_a_window_that_is_closed_stops_the_daemon(window: Callable[[str], int], tmp_path: Path, background: bool) -> None:
    """With a shell between us and the terminal, which passes the hang-up on to its jobs before the kernel does."""
    for number in range(5):
        address, log = tcp4(), tmp_path / f"log{number}"
        line = shlex.join([str(BINARY), "--listen", address, *user_arguments(), "--", "/bin/cat"]) + f" 2>{log}"
        side = window(line + (" &" if background else ""))
        pid = wait_until(lambda log=log: master_listening(log), "the daemon in the window")
        assert request(address, b"x") == b"x"
        if number % 2:
            wait_upgraded(pid, log)
        os.close(side)
        wait_until(lambda pid=pid: not alive(pid), "the daemon's end")
        assert found_in(log, "stopping") and found_in(log, "stopped")


@pytest.mark.parametrize("upgraded", [False, True])
def test_nohup_survives_its_window(window: Callable[[str], int], tmp_path: Path, upgraded: bool) -> None:
    address, log = tcp4(), tmp_path / "log"
    line = shlex.join(["nohup", str(BINARY), "--listen", address, *user_arguments(), "--", "/bin/cat"])
    side = window(f"{line} >/dev/null 2>{log}")
    pid = wait_until(lambda: master_listening(log), "the daemon in the window")
    if upgraded:
        wait_upgraded(pid, log)
    shell = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.close(side)
    wait_until(lambda: not alive(shell), "the shell's end")
    stays(lambda: alive(pid), "the daemon goes on", 0.3)
    assert request(address, b"x") == b"x"
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: found_in(log, "reloaded"), "a reload")
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not alive(pid), "the daemon's end")


def test_hup_from_people_in_a_terminal_is_a_reload(terminal: Callable[..., tuple[Daemon, int]]) -> None:
    daemon, _ = terminal({"www": {"listen": tcp4(), **static(1)}})
    daemon.hup("reloaded")
    assert daemon.running()
