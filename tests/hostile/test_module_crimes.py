"""Modules that do to their workers what they must not: it costs the worker, and the connection of the client that caused
it, and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import AS_ROOT, Daemon, alive, connect, read_all, request, stays, tcp4, wait_until
from modules import ask, module

Start = Callable[..., Daemon]


# What a sanitizer, or the stack's protector, sees and says.
SMASHING = ["crash", "smash", "jump into init"]


class Crime:
    """A pool of one worker with the module that misbehaves, and what the daemon says of it."""

    def __init__(self, start: Start, directory: Path, **keys: object) -> None:
        self.address = tcp4()
        self.daemon = start({"www": {"listen": self.address, "handler_type": "module",
                                     "handler": module("misbehave", directory), "scaling": "static",
                                     "max_workers": 1, "kill_timeout": "300ms", **keys}}, control=True)
        [self.worker] = self.daemon.wait_workers(1)

    def commit(self, what: str) -> bytes:
        self.daemon.may_smash = what in SMASHING
        return ask(self.address, what)

    def totals(self) -> dict[str, int]:
        return control_of(self.daemon).pool()["totals"]

    def serves(self) -> int:
        """The pool serves, and the worker that has answered."""
        assert ask(self.address, "echo hello") == b"hello\n"
        return int(ask(self.address, "pid"))

    def wait_other_worker(self) -> None:
        """The worker has ended, and another one serves."""
        wait_until(lambda: not alive(self.worker), "the end of the worker")
        [other] = self.daemon.wait_workers(1)
        assert self.serves() == other != self.worker

    def assert_same_worker(self) -> None:
        assert self.serves() == self.worker
        assert self.totals()["died"] == 0


@pytest.fixture
def crime(preforkd: Start, tmp_path: Path) -> Callable[..., Crime]:
    return lambda **keys: Crime(preforkd, tmp_path, **keys)


Commit = Callable[..., Crime]


@pytest.mark.parametrize("what", ["crash", "exit", "quick exit", "exit as ordered", "end thread", "smash",
                                  "jump into init"])
def test_an_end_is_a_death(crime: Commit, what: str) -> None:
    """Whatever the exit code: a worker whose request is being served was not retired."""
    case = crime()
    assert ask(case.address, "echo first") == b"first\n"
    case.commit(what)
    case.wait_other_worker()
    assert case.totals()["died"] == 1
    assert case.totals()["requests"] >= 1
    case.daemon.assert_none(["backing off"])


def test_an_end_under_way_to_retirement_is_a_death(crime: Commit) -> None:
    case = crime()
    with connect(case.address) as client:
        wait_until(lambda: control_of(case.daemon).pool()["counts"]["busy"] == 1, "a request")
        control_of(case.daemon).do("restart www")
        wait_until(lambda: control_of(case.daemon).pool()["counts"]["retiring"] == 1, "it is retired")
        client.sendall(b"exit\n")
        read_all(client)
    case.wait_other_worker()
    assert case.totals()["died"] == 1


def test_a_module_that_kills_every_worker_is_backed_off(crime: Commit) -> None:
    """… if it happens before any of them has served."""
    case = crime(restart_delay_min="50ms")
    case.commit("crash")
    case.daemon.wait_message("backing off", "www")
    case.wait_other_worker()


def test_the_end_of_the_first_thread(crime: Commit) -> None:
    """Another thread keeps the process; nobody would serve any more."""
    case = crime()
    case.commit("end first thread")
    case.wait_other_worker()
    assert case.totals()["died"] == 1


# --- descriptors ----------------------------------------------------------------------------------------------------

def test_it_closes_its_connection(crime: Commit) -> None:
    case = crime()
    for _ in range(3):
        assert case.commit("close connection") == b""
    case.assert_same_worker()


def test_what_it_opens_in_place_of_the_connection_stays_open(crime: Commit) -> None:
    case = crime()
    assert case.commit("replace connection") == b""
    assert case.commit("is kept open") == b"open\n"
    case.assert_same_worker()


def test_a_copy_of_the_connection_keeps_its_own_client_alone(crime: Commit) -> None:
    case = crime()
    with connect(case.address) as client:
        client.sendall(b"keep copy\n")
        assert client.recv(100) == b"begun\n"
        for _ in range(5):
            case.assert_same_worker()
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        control_of(case.daemon).do("restart www")
        client.settimeout(10)
        assert client.recv(1) == b"", "the end of its worker is the end of the copy"


@pytest.mark.parametrize("what", ["close others", "close everything", "close listener", "replace listener"])
def test_it_closes_its_listener(crime: Commit, what: str) -> None:
    case = crime()
    case.commit(what)
    case.wait_other_worker()
    assert case.totals()["died"] == 1


@pytest.mark.parametrize("what", ["close standard", "close pipes"])
def test_it_closes_what_its_worker_needs(crime: Commit, what: str) -> None:
    """The next connection would get that number: its client is served, without what the worker writes there."""
    case = crime()
    case.commit(what)
    reply = ask(case.address, "echo " + "x" * 100)
    assert reply == b"x" * 100 + b"\n", "nothing is lost, and nothing else is in it"
    case.wait_other_worker()
    assert case.totals()["died"] == 1
    case.daemon.assert_none(["backing off"])


def test_descriptors_that_it_keeps_end_the_worker(crime: Commit) -> None:
    """None is left for a connection, and none comes back."""
    case = crime(limit_nofile=100)
    case.commit("leak descriptors")
    case.wait_other_worker()
    assert case.totals()["died"] == 1


# --- processes ------------------------------------------------------------------------------------------------------

def test_a_copy_that_comes_back_does_not_serve(crime: Commit) -> None:
    """serve() has returned in a child, too: it ends, and reports nothing."""
    case = crime()
    assert ask(case.address, "echo first") == b"first\n"
    child = int(case.commit("fork and return"))
    wait_until(lambda: not alive(child), "the end of the child")
    assert case.serves() == case.worker
    wait_until(lambda: case.totals()["requests"] == 4, "each request is counted once")
    stays(lambda: case.totals()["requests"] == 4, "each request is counted once", 0.2)
    case.assert_same_worker()


def test_a_child_that_stays_holds_up_nobody(crime: Commit) -> None:
    case = crime()
    child = int(case.commit("fork and stay"))
    try:
        case.assert_same_worker()
        control_of(case.daemon).do("restart www")
        case.wait_other_worker()
        assert alive(child), "it is the module's business"
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("what", ["block signals", "ignore signals", "handle signals"])
def test_signals_are_put_right_after_the_request(crime: Commit, what: str) -> None:
    """A worker that could not be told to retire would accept connections until it is killed."""
    case = crime()
    case.commit(what)
    assert case.serves() == case.worker
    control_of(case.daemon).do("restart www")
    case.wait_other_worker()
    assert case.totals()["died"] == 0
    case.daemon.assert_quiet()


@pytest.mark.parametrize("what", ["hang", "spin", "block signals and hang"])
def test_a_hanging_request_ends_at_its_deadline(crime: Commit, what: str) -> None:
    case = crime(request_timeout="300ms")
    case.commit(what)
    case.wait_other_worker()
    case.daemon.wait_message("request killed", "www")
    assert case.totals()["request_timeouts"] == 1
    case.daemon.assert_none(["backing off"])


def test_a_worker_that_stops_itself_is_continued_at_its_deadline(crime: Commit) -> None:
    case = crime(request_timeout="500ms", kill_timeout="20s")
    case.commit("stop itself")
    case.assert_same_worker()
    assert case.totals()["request_timeouts"] == 1


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_a_worker_that_becomes_another_user_ends(crime: Commit) -> None:
    case = crime(user="root")
    assert case.commit("change user") == b""
    case.wait_other_worker()
    assert case.totals()["died"] == 1


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_a_worker_without_privileges_stays_who_it_is(crime: Commit) -> None:
    case = crime()
    assert case.commit("change user") == b"1\n", "EPERM"
    case.assert_same_worker()


def test_failures_are_counted_and_cost_nothing(crime: Commit) -> None:
    case = crime()
    for what in ("fail", "fail oddly", "fail"):
        assert case.commit(what) == b""
    case.assert_same_worker()
    wait_until(lambda: case.totals()["handler_failures"] == 3, "three failures")


def test_other_pools_notice_nothing(preforkd: Start, tmp_path: Path) -> None:
    """All crimes at once, over and over, beside a pool that is quiet."""
    address, quiet = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "module", "handler": module("misbehave", tmp_path),
                               "min_spare_workers": 2, "max_workers": 6, "request_timeout": "300ms",
                               "kill_timeout": "100ms", "restart_delay_min": "10ms", "restart_delay_max": "50ms"},
                       "quiet": {"listen": quiet, "handler": "/bin/cat"}}, control=True)
    daemon.may_smash = True
    crimes = ["crash", "exit", "close everything", "close pipes", "block signals", "fork and return", "hang",
              "replace listener", "ignore signals", "smash", "end thread", "keep copy", "leak descriptors"]
    clients = []
    for what in crimes * 2:
        client = connect(address)
        client.sendall(what.encode() + b"\n")
        clients.append(client)
        assert request(quiet, what.encode()) == what.encode()
    for client in clients:
        client.settimeout(0.01)
        try:
            client.recv(1000)
        except OSError:
            pass
        client.close()
    assert request(quiet, b"x") == b"x"
    daemon.assert_quiet("quiet")

    def serves() -> bool:
        try:
            return ask(address, "echo hello") == b"hello\n"
        except OSError:
            return False

    wait_until(serves, "the pool serves again", 20)
