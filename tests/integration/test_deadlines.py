"""request_timeout, kill_timeout, detach_after and start_timeout."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from clients import ClientPool
from control import Control, control_of
from daemon import (SLOW, Daemon, alive, burst, handlers_of, connect, descendants, read_all, request, tcp4,
                    wait_until)
from methods import NEVER_TOUCHES, SHELLS_PID, not_at_touch
from served import most_at_once, processes_below, served

Start = Callable[..., Daemon]
Program = Callable[[str], str]

PTRACE_ATTACH = 16


@pytest.fixture(params=["one listener", "two listeners"])
def listen(request: pytest.FixtureRequest) -> list[str]:
    return [tcp4()] if request.param == "one listener" else [tcp4(), tcp4()]


def last_exit(control: Control) -> dict[str, int] | None:
    """How the last handler of a pool's only worker has ended."""
    [worker] = control.pool(workers=True)["workers"]
    return worker["last_exit"]


# --- request_timeout ------------------------------------------------------------------------------------------------

@not_at_touch(NEVER_TOUCHES)
def test_request_timeout_ends_the_handler_and_not_its_worker(preforkd: Start, listen: list[str]) -> None:
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/sleep 1000", "request_timeout": "200ms",
                               "kill_timeout": "1h", "scaling": "static", "max_workers": 1}}, control=True)
    control = control_of(daemon)
    [worker] = daemon.wait_workers(1)
    for number in range(1, 4):
        begin = time.monotonic()
        assert request(listen[0], half_close=False) == b""
        assert 0.2 <= time.monotonic() - begin < 5 * SLOW
        wait_until(lambda: control.pool()["totals"]["request_timeouts"] == number, "this request is counted")
    assert daemon.workers() == [worker]
    assert len(daemon.messages("request timed out", "www", worker)) == 3
    wait_until(lambda: control.pool()["totals"]["handler_deaths"] == 3, "the end of the last handler")
    assert last_exit(control) == {"signal": signal.SIGTERM}
    totals = control.pool()["totals"]
    assert (totals["handler_deaths"], totals["handler_failures"], totals["aborted"]) == (3, 0, 0)
    daemon.assert_none(["request killed"])


@not_at_touch(NEVER_TOUCHES)
def test_kill_timeout_ends_the_whole_group(preforkd: Start) -> None:
    """The handler and its children are deaf to TERM, and one of them holds the connection."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "request_timeout": "1s", "kill_timeout": "1s",
                               "scaling": "static", "max_workers": 1, "handler": [
        "/bin/sh", "-c", "trap '' TERM; sleep 1000 & (sleep 1000; true) & sleep 1000; wait"]}}, control=True)
    [worker] = daemon.wait_workers(1)
    begin, below = time.monotonic(), set()
    with connect(address) as client:
        while not select.select([client], [], [], 0.01)[0]:
            below |= set(descendants(worker))
        daemon.wait_message("request timed out", worker=worker)
        assert read_all(client) == b"", "nobody holds the connection any more"
        assert time.monotonic() - begin >= 2 and below
        wait_until(lambda: not any(map(alive, below)), "the end of the group")
    daemon.wait_message("request killed", worker=worker)
    wait_until(lambda: last_exit(control_of(daemon)) == {"signal": signal.SIGKILL}, "the end of the handler")
    assert daemon.workers() == [worker]


def test_a_handler_may_end_in_its_own_way(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "request_timeout": "1s", "kill_timeout": "1h", "handler": [
        "/usr/bin/perl", "-e",
        "$| = 1; $SIG{TERM} = sub { print qq(bye\\n); exit 0 }; print qq(hello\\n); sleep 1000"]}}, control=True)
    assert request(address, half_close=False) == b"hello\nbye\n"
    control = control_of(daemon)
    wait_until(lambda: control.pool()["totals"]["requests"] == 1, "the end of the request")
    assert control.pool()["totals"]["handler_deaths"] == 0


def test_request_timeout_is_every_requests_own(preforkd: Start, program: Program) -> None:
    """Many short ones together take longer than the timeout, one after another and at once."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "100"], "request_timeout": "3s",
                               "scaling": "static", "max_workers": 2}})
    assert all(reply.error is None and reply.data for reply in burst(address, 80))
    daemon.assert_none(["request timed out"])


def test_several_requests_time_out_each_at_its_time(preforkd: Start) -> None:
    """A deadline that is armed already does not swallow the next one."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "request_timeout": "1500ms",
                               "kill_timeout": "1h", "scaling": "static", "max_workers": 4}})
    daemon.wait_workers(4)
    with contextlib.ExitStack() as stack:
        begun = []
        for _ in range(4):
            begin = time.monotonic()
            client = stack.enter_context(connect(address))
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            begun.append((client, begin))
            time.sleep(0.15)  # so that their deadlines are not the same
        for client, begin in begun:
            assert read_all(client) == b""
            assert time.monotonic() - begin >= 1.5
    assert len(daemon.messages("request timed out")) == 4


@not_at_touch(SHELLS_PID)
def test_what_was_ordered_is_told_from_what_happened(preforkd: Start) -> None:
    """A handler that dies of itself, after an earlier one of the same worker was told to."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "request_timeout": "1s", "scaling": "static", "max_workers": 1,
                               "handler": [
        "/bin/sh", "-c", "read word; [ $word = crash ] && kill -SEGV $$; sleep 1000"]}}, control=True)
    control = control_of(daemon)
    for number, (word, killed_by) in enumerate(((b"wait\n", signal.SIGTERM), (b"crash\n", signal.SIGSEGV)), 1):
        assert request(address, word) == b""
        wait_until(lambda: control.pool()["totals"]["requests"] == number, "the end of the request")
        assert last_exit(control) == {"signal": killed_by}
    assert control.pool()["totals"]["request_timeouts"] == len(daemon.messages("request timed out")) == 1


def test_a_worker_that_does_not_relay_is_killed(preforkd: Start) -> None:
    """We trace it: only then SIGCONT does not make it listen."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "request_timeout": "2s",
                               "kill_timeout": "200ms", "scaling": "static", "max_workers": 1}})
    [worker] = daemon.wait_workers(1)
    with connect(address) as chat:
        chat.sendall(b"x")
        assert chat.recv(1) == b"x"
        assert ctypes.CDLL(None, use_errno=True).ptrace(PTRACE_ATTACH, worker, None, None) == 0
        os.waitpid(worker, 0)
        daemon.wait_messages(2, "request killed", worker=worker)  # its handler, and then it
        _, status = os.waitpid(worker, 0)  # its tracer is told of its end before the master is
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert read_all(chat) == b"", "its handler does not survive it"
    [other] = daemon.wait_workers(1)
    assert other != worker
    assert request(address, b"x") == b"x"


# --- detach_after ---------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def chats(address: str, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(address)) for _ in range(count)]
        for client in clients:
            assert still_talks(client)
        yield clients


def still_talks(client: socket.socket) -> bool:
    client.sendall(b"still here\n")
    return client.recv(100) == b"still here\n"


@pytest.mark.parametrize("scaling", ["dynamic", "static", "ondemand"])
def test_long_requests_leave_room_for_short_ones(preforkd: Start, listen: list[str], scaling: str) -> None:
    """Two workers, two chats: short requests are served at once all the same."""
    daemon = preforkd({"www": {"listen": listen, "handler": "/bin/cat", "detach_after": "200ms", "scaling": scaling,
                               "max_workers": 2}}, control=True)
    with chats(listen[0], 2) as clients:
        talkers = {worker for worker in daemon.workers() if handlers_of(worker)}
        wait_until(lambda: control_of(daemon).pool()["totals"]["detached"] == 2, "two detached")
        for _ in range(20):
            assert request(listen[0], b"short") == b"short"
        assert all(map(still_talks, clients))
        assert talkers <= set(daemon.workers())
        assert processes_below(daemon) <= 4
    wait_until(lambda: not any(map(alive, talkers)), "the end of the detached workers after their requests")
    assert request(listen[0], b"x") == b"x"
    daemon.assert_quiet()


def test_one_worker_with_detach_after_is_the_classic_iterative_server(preforkd: Start) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "detach_after": "100ms", "max_workers": 1,
                      "scaling": "static"}})
    with chats(address, 5) as clients:
        assert request(address, b"short") == b"short"
        assert all(map(still_talks, clients))


def test_max_detached_workers(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "detach_after": "100ms", "max_workers": 2,
                               "max_detached_workers": 1, "scaling": "static"}})
    with chats(address, 3) as clients, connect(address) as waiting:
        waiting.settimeout(0.7)
        waiting.sendall(b"hello\n")
        with pytest.raises(TimeoutError):
            waiting.recv(100)
        assert processes_below(daemon) == 3
        # The place of the detached one is another's; there is always one detached among three.
        clients.pop(0).close()
        waiting.settimeout(20)
        assert waiting.recv(100) == b"hello\n"
        assert all(map(still_talks, clients))
        assert processes_below(daemon) <= 4


def test_short_requests_are_not_detached(preforkd: Start, program: Program) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "50"], "detach_after": "5s",
                               "max_workers": 2}}, control=True)
    assert most_at_once(map(served, burst(address, 20))) <= 2
    assert control_of(daemon).pool()["totals"]["detached"] == 0


@not_at_touch(NEVER_TOUCHES)
def test_a_detached_request_can_time_out(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/sleep 1000", "detach_after": "100ms",
                               "request_timeout": "1500ms", "scaling": "static", "max_workers": 1}}, control=True)
    [worker] = daemon.wait_workers(1)
    assert request(address, half_close=False) == b""
    wait_until(lambda: not alive(worker), "its end")
    assert control_of(daemon).pool()["totals"]["detached"] == 1
    daemon.wait_message("request timed out", worker=worker)
    daemon.wait_workers(1)


# --- start_timeout --------------------------------------------------------------------------------------------------

SYSCALLS = {"x86_64": {"seccomp": 317, "chroot": 161}, "aarch64": {"seccomp": 277, "chroot": 51}}


def hang_in_chroot() -> None:
    """Whoever calls chroot(2) from here on hangs: the call waits for the word of a supervisor that never speaks (a
    seccomp notification; the master inherits its other end and keeps it)."""
    numbers = SYSCALLS[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    load, jump_equal, ret, allow, notify = 0x20, 0x15, 0x06, 0x7fff0000, 0x7fc00000
    program = [(load, 0, 0, 0), (jump_equal, 0, 1, numbers["chroot"]), (ret, 0, 0, notify), (ret, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    filter_program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    listener = libc.syscall(numbers["seccomp"], 1, 8, filter_program)  # SET_MODE_FILTER, NEW_LISTENER
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    os.set_inheritable(listener, True)


@pytest.mark.skipif(platform.machine() not in SYSCALLS, reason="knows no system call numbers of this machine")
def test_start_timeout(preforkd: Start, as_root: None) -> None:
    """A worker that hangs while it starts is killed and counts as a failed start; another pool does not notice."""
    bad, good = tcp4(), tcp4()
    daemon = preforkd({"bad": {"listen": bad, "handler": "/bin/cat", "root_directory": "/", "start_timeout": "200ms",
                               "scaling": "static", "max_workers": 1, "restart_delay_min": "50ms"},
                       "www": {"listen": good, "handler": "/bin/cat"}},
                      popen={"preexec_fn": hang_in_chroot, "close_fds": False}, control=True)
    control = control_of(daemon)
    with ClientPool([good], count=2) as clients:
        first = int(daemon.wait_message("worker stuck", "bad")["worker"])
        wait_until(lambda: not alive(first), "its end")
        daemon.wait_messages(3, "worker stuck", "bad")  # others after it
        clients.wait_served(20)
    wait_until(lambda: control.pool("bad")["totals"]["start_failures"] >= 3, "failed starts")
    assert "backing off: 2 failed starts in a row, next in 100 ms" in control.decisions("bad")
    assert control.pool("www")["totals"]["start_failures"] == 0
    daemon.assert_quiet("www")
