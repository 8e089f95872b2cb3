"""Descriptors that code of a pool sends to processes that must not wait. What nobody has received is closed by whoever
reads the packet, or closes the socket; and the last close of a connection with SO_LINGER waits for as long as its owner
likes. Linux 6.16 can refuse them when they are sent; `old kernel` is one that cannot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from control import control_of
from daemon import SLOW, Daemon, alive, children, request, tcp4, title, wait_until
from forbidden import forbid, needs_to_forbid
from pools import static

Start = Callable[..., Daemon]
SO_PASSRIGHTS = 83
REQUEST, WORD, LINE = bytes(8), bytes(16), b"hello\n"  # what is said over a status link, by a template, to the log

# Sends a connection whose last close takes an hour, and ends: through all sockets for packets that a process has, as the
# code in that process could, or to a UNIX socket, after a byte with nothing beside it. A child of it has the other side of
# the connection until stdin ends.
SMUGGLER = """
import array, ctypes, os, socket, struct, sys
target, data = sys.argv[1], bytes.fromhex(sys.argv[2])
PIDFD_GETFD, libc = 438, ctypes.CDLL(None, use_errno=True)
def packet_sockets(pid):
    pidfd = os.pidfd_open(pid)
    for number in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
            found = socket.socket(fileno=libc.syscall(PIDFD_GETFD, pidfd, int(number), 0))
            if found.type & 15 == socket.SOCK_SEQPACKET:
                yield found
            else:
                found.close()
def to_listener(path):
    found = socket.socket(socket.AF_UNIX)
    found.connect(path)
    global data
    found.send(data[:1])
    data = data[1:]
    return found
sockets = [to_listener(target)] if target.startswith("/") else list(packet_sockets(int(target)))
assert sockets
with socket.create_server(("127.0.0.1", 0)) as server:
    ours = socket.create_connection(server.getsockname())
    theirs, _ = server.accept()
ready, begun = os.pipe()
if os.fork() == 0:
    ours.close()
    for found in sockets:
        found.close()
    os.write(begun, b"x")
    sys.stdin.read()
    os._exit(0)
os.read(ready, 1)
theirs.close()
ours.setblocking(False)
try:
    while True:
        ours.send(bytes(1 << 16))
except BlockingIOError:
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
refused = 0
for found in sockets:
    try:
        found.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [ours.fileno()]))])
    except PermissionError:
        refused += 1
print(len(sockets), refused, flush=True)
os._exit(0)
"""


@pytest.fixture(params=["kernel", pytest.param("old kernel", marks=needs_to_forbid)])
def start(request: pytest.FixtureRequest, preforkd: Start) -> Start:
    """Starts a daemon, on this kernel or on one that cannot refuse descriptors."""
    old = {"popen": {"preexec_fn": forbid((socket.SOL_SOCKET, SO_PASSRIGHTS))}} if request.param == "old kernel" else {}
    return lambda *arguments, **keys: preforkd(*arguments, control=True, **keys, **old)


@contextmanager
def smuggled(target: str, data: bytes) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", SMUGGLER, target, data.hex()], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout
        found = process.stdout.readline().split()
        assert len(found) == 2 and process.wait(20) == 0
        yield


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """So that they are the last that have what is sent to them meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def log_process(daemon: Daemon) -> int:
    [found] = [pid for pid in children(daemon.pid) if title(pid).startswith("preforkd: log ")]
    return found


def does_not_wait(daemon: Daemon) -> None:
    """For longer than it would take to be served by a master that does nothing else."""
    end, control = time.monotonic() + 2, control_of(daemon)
    while time.monotonic() < end:
        assert control.do("version", timeout=10 * SLOW)["ok"]
        assert request(str(daemon.pools["other"]["listen"]), b"hello") == b"hello"
        time.sleep(0.1)


OTHER = {"listen": tcp4(), **static(1)}


def test_over_a_status_link(start: Start, as_root: None) -> None:
    daemon = start({"agent": {"listen": tcp4(), "handler_type": "builtin", **static(2, handler=["agent", "other"])},
                    "other": OTHER})
    worker = daemon.wait_workers(2, "agent")[0]
    with stopped(daemon.pid), smuggled(str(worker), REQUEST):
        os.kill(daemon.pid, signal.SIGCONT)
        does_not_wait(daemon)
        os.kill(worker, signal.SIGKILL)  # its socket is closed
        does_not_wait(daemon)


def test_by_a_template(start: Start, as_root: None) -> None:
    daemon = start({"www": {"listen": tcp4(), "start_method": "forkserver", **static(1)}, "other": OTHER})
    control = control_of(daemon)

    def template() -> int | None:
        found = control.pool("www")["template"]
        return int(found["pid"]) if found and found["state"] == "ready" else None

    first = wait_until(template, "a template")
    with stopped(daemon.pid), smuggled(str(first), WORD):
        os.kill(daemon.pid, signal.SIGCONT)
        does_not_wait(daemon)
        if alive(first):
            os.kill(first, signal.SIGKILL)
        wait_until(lambda: template() not in (None, first), "another one", 30)
        does_not_wait(daemon)
        assert request(str(daemon.pools["www"]["listen"]), b"hello") == b"hello"


def test_over_the_socket_to_the_log(start: Start, tmp_path: Path, as_root: None) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    path = directory / "log"
    daemon = start({"www": {"listen": tcp4(), **static(1)},
                    "other": OTHER, "talks": {"listen": tcp4(), **static(1, handler=["/bin/sh", "-c", "echo words >&2"])}},
                   master={"log_target": f"file:{path}"})
    [worker], log = daemon.wait_workers(1, "www"), log_process(daemon)
    with stopped(log), smuggled(str(worker), LINE):
        os.kill(log, signal.SIGCONT)
        for _ in range(2):
            before = path.read_text().count(": words")
            assert request(str(daemon.pools["talks"]["listen"])) == b""
            wait_until(lambda before=before: path.read_text().count(": words") > before, "a record of others")
            if alive(worker):
                os.kill(worker, signal.SIGKILL)  # its socket is closed
        assert log_process(daemon) == log


def test_to_the_control_socket(start: Start, as_root: None) -> None:
    daemon = start({"other": OTHER})
    with stopped(daemon.pid), smuggled(str(control_of(daemon).path), b"version\n"):
        os.kill(daemon.pid, signal.SIGCONT)
        does_not_wait(daemon)


FORKS = {"start_method": "forkserver"}


@pytest.mark.parametrize("keys", [{}, {"full_response": "no\\n"}], ids=["closed", "answered"])
@pytest.mark.parametrize("pool", [{}, FORKS, {**FORKS, "copy": "rollback"}],
                         ids=["exec", "forkserver", "rollback"])
def test_to_a_worker_that_refuses(preforkd: Start, tmp_path: Path, as_root: None, pool: dict[str, object],
                                  keys: dict[str, str]) -> None:
    """It is idle while it closes the connection, so no deadline would end its wait."""
    directory = tmp_path / "sockets"
    directory.mkdir()
    path = directory / "www"
    daemon = preforkd({"www": {"listen": str(path), **static(1, handler=["/bin/cat"]), "deny": "uid:0", **pool, **keys}},
                      control=True)
    control = control_of(daemon)
    control.wait_workers(1)

    def workers() -> list[int]:
        return [int(row["pid"]) for row in control.pool(workers=True)["workers"]]

    [worker] = workers()
    for _ in range(3):
        before = control.pool()["totals"]["refused_access"]
        accepting = [worker, *(children(worker) if pool == FORKS else [])]  # the copy that waits ahead
        with stopped(daemon.pid, *accepting), smuggled(str(path), b"hello"):
            for pid in (*accepting, daemon.pid):
                os.kill(pid, signal.SIGCONT)
            wait_until(lambda before=before: control.pool()["totals"]["refused_access"] > before, "the refusal")
            assert request(str(path)) == keys.get("full_response", "").replace("\\n", "\n").encode()
    assert workers() == [worker]
