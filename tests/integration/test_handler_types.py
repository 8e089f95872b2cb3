"""What holds for every handler, whatever its type: each test runs for each row of handler_kinds.KINDS."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from control import Control, control_of
from daemon import (Daemon, alive, burst, connect, read_all, refuses, request, stays, tcp4, tcp6, wait_until)
from handler_kinds import KINDS, Keys, Kind
from pools import in_conversation
from programs import COMING_OR_GOING
from served import most_at_once, served, who_serves

Start = Callable[..., Daemon]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


class Pool:
    """A daemon whose pool "www" is of the kind under test, and its clients."""

    def __init__(self, start: Start, kind: Kind, directory: Path) -> None:
        self.start, self.kind, self.directory = start, kind, directory

    def serve(self, keys: Keys | None = None, master: Keys | None = None, **more: object) -> Daemon:
        """Serve with the kind's echo handler, or with `keys` of another of its handlers."""
        self.address = str(more.pop("listen", "")) or tcp4()
        pools: dict[str, Keys] = {"www": {"listen": self.address, **(keys or self.kind.echo(self.directory)), **more},
                                  **self.kind.behind(self.directory)}
        self.daemon = self.start(pools, control=True, master=master or {})
        return self.daemon

    @property
    def control(self) -> Control:
        return control_of(self.daemon)

    def totals(self) -> dict[str, int]:
        return self.control.pool()["totals"]

    def counts(self) -> dict[str, int]:
        return self.control.pool()["counts"]

    def rows(self) -> list[dict[str, Any]]:
        return self.control.pool(workers=True)["workers"]

    def workers(self) -> list[int]:
        """Their pids, whatever ps shows of them."""
        return sorted(row["pid"] for row in self.rows() if row["pid"])

    def wait_workers(self, count: int) -> list[int]:
        """Wait until there are so many, and all of them have started."""
        found: list[dict[str, Any]] = []

        def as_many() -> bool:
            found[:] = self.rows()
            return len(found) == count and not any(row["state"] in COMING_OR_GOING for row in found)

        wait_until(as_many, f"{count} workers", 20)
        return sorted(row["pid"] for row in found)

    def wait_requests(self, count: int) -> None:
        """A client sees the end of its connection before the request is counted."""
        if self.kind.is_watched:
            wait_until(lambda: self.totals()["requests"] >= count, f"{count} requests")
        assert self.totals()["requests"] == (count if self.kind.is_watched else 0)

    def wait_idle(self, count: int) -> None:
        """Wait until so many workers are idle; of those of which nobody knows that, until so many have started."""
        state = "idle" if self.kind.is_watched else "unwatched"
        wait_until(lambda: self.counts()[state] == count and self.counts()["starting"] == 0, f"{count} {state} workers")

    def wait_rolled(self, count: int) -> None:
        """Wait until so many workers are new and have started, and one old one still serves."""
        def rolled() -> bool:
            rows = self.rows()
            new = [row for row in rows if row["generation"] == max(row["generation"] for row in rows)]
            return len(new) == count and len(rows) == count + 1 and not [row for row in new if row["state"] == "starting"]

        wait_until(rolled, f"{count} new workers and an old one", 20)

    def serving(self, client: socket.socket) -> int:
        """Who serves that client, the only one."""
        if not self.kind.is_watched:
            return who_serves(client, self.workers())
        [worker] = [row["pid"] for row in self.rows() if row["busy"]]
        return worker


@pytest.fixture
def pool(preforkd: Start, kind: Kind, tmp_path: Path) -> Pool:
    return Pool(preforkd, kind, tmp_path)


@pytest.fixture
def watched(kind: Kind) -> None:
    """For what needs that somebody tells when a handler is busy; preforkd.conf(5), accounting, says what that is."""
    if not kind.is_watched:
        pytest.skip("nothing is known of its requests")


def says(client: socket.socket, text: bytes = b"still here\n") -> None:
    """A conversation goes on."""
    client.sendall(text)
    received = b""
    while len(received) < len(text) and (chunk := client.recv(65536)):
        received += chunk
    assert received == text


def end(client: socket.socket) -> None:
    """… and ends as both sides want it."""
    client.shutdown(socket.SHUT_WR)
    assert read_all(client) == b""
    client.close()


@pytest.fixture
def talk() -> Iterator[Callable[[str], socket.socket]]:
    """Clients in conversation, closed at the end."""
    with ExitStack() as stack:
        yield lambda address: stack.enter_context(in_conversation(address))


Talk = Callable[[str], socket.socket]


# --- serving --------------------------------------------------------------------------------------------------------

def test_it_serves(pool: Pool) -> None:
    """Nothing, little, and more than every buffer holds; one client after another, and many at once."""
    daemon = pool.serve(max_workers=8)
    data = bytes(range(256)) * 4096
    for sent in (b"", b"x", data):
        assert request(pool.address, sent) == sent
    replies = burst(pool.address, 20, data[:200_000])
    assert [reply.error for reply in replies] == [None] * 20
    assert all(reply.data == data[:200_000] for reply in replies)
    pool.wait_requests(23)
    totals = pool.totals()
    assert (totals["died"], totals["handler_failures"], totals["handler_deaths"], totals["lost"]) == (0, 0, 0, 0)
    assert (totals["busy_ms"] > 0) == pool.kind.is_watched
    daemon.assert_quiet()


def test_on_every_listener(pool: Pool, ipv6: None, tmp_path: Path) -> None:
    addresses = [tcp4(), tcp6(), str(tmp_path / "socket"), "@" + tmp_path.name]
    daemon = pool.serve(pool.kind.echo(pool.directory), max_workers=4)
    daemon.pools["www"]["listen"] = addresses
    daemon.hup("reloaded")
    for _ in range(3):
        for address in addresses:
            assert request(address, address.encode()) == address.encode()
    pool.wait_requests(12)
    daemon.assert_quiet()


def test_a_client_that_resets_its_connection_harms_nobody(pool: Pool) -> None:
    daemon = pool.serve(scaling="static", max_workers=1)
    for _ in range(5):
        client = in_conversation(pool.address)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    assert request(pool.address, b"x") == b"x"
    pool.wait_requests(6)
    daemon.assert_quiet()


def test_requests_are_counted_while_they_are_served(pool: Pool, talk: Talk, watched: None) -> None:
    pool.serve(scaling="static", max_workers=3)
    pool.wait_idle(3)
    clients = [talk(pool.address) for _ in range(2)]
    assert pool.counts()["busy"] == 2
    shown = [worker for worker in pool.control.pool(workers=True)["workers"] if worker["busy"]]
    assert len(shown) == 2 and all(worker["requests"] == 0 for worker in shown)
    for client in clients:
        end(client)
    pool.wait_requests(2)
    pool.wait_idle(3)


# --- the size of the pool -------------------------------------------------------------------------------------------

def test_it_grows_and_shrinks(pool: Pool, watched: None) -> None:
    daemon = pool.serve(min_spare_workers=1, max_spare_workers=2, max_workers=10, spare_timeout="300ms")
    with ExitStack() as stack:
        for count in range(1, 7):
            stack.enter_context(in_conversation(pool.address))
            wait_until(lambda: pool.counts()["idle"] >= 1, f"a spare worker beside {count} busy ones")
        assert pool.counts()["busy"] == 6
    wait_until(lambda: pool.counts()["total"] == 2, "two workers again")
    assert any("below" in text or "spare" in text for text in pool.control.decisions())
    pool.wait_requests(6)
    daemon.assert_quiet()


def test_ondemand(pool: Pool) -> None:
    daemon = pool.serve(scaling="ondemand", max_workers=4, max_spare_workers=1, min_spare_workers=0,
                        spare_timeout="200ms")
    assert pool.workers() == []
    assert request(pool.address, b"x") == b"x"
    wait_until(lambda: pool.counts()["total"] <= 1, "at most one worker is left")
    assert request(pool.address, b"x") == b"x"
    daemon.assert_quiet()


def test_max_workers_holds_and_others_wait(pool: Pool) -> None:
    if not pool.kind.wait:
        pytest.skip("needs a handler that says who served")
    pool.serve(pool.kind.wait(pool.directory, "100"), max_workers=3, min_spare_workers=1, max_spare_workers=3)
    answers = [served(reply) for reply in burst(pool.address, 15)]
    assert most_at_once(answers) <= 3
    pool.wait_requests(15)


def test_saturation_is_told(pool: Pool, talk: Talk) -> None:
    daemon = pool.serve(max_workers=2, max_spare_workers=2)
    talk(pool.address), talk(pool.address)
    with connect(pool.address) as waiting:
        waiting.sendall(b"x")
        daemon.wait_message("saturated", "www")
        assert pool.totals()["saturations"] == 1
        assert any("saturated" in text for text in pool.control.decisions())


def test_a_full_pool_may_refuse(pool: Pool, talk: Talk) -> None:
    pool.serve(max_workers=1, max_spare_workers=1, when_full="refuse")
    first = talk(pool.address)
    with connect(pool.address) as refused:
        try:
            assert refused.recv(1) == b""
        except ConnectionResetError:
            pass
    says(first)
    wait_until(lambda: pool.totals()["refused_full"] == 1, "one refused")


def test_max_connections_per_source(pool: Pool, talk: Talk, watched: None) -> None:
    pool.serve(scaling="static", max_workers=4, max_connections_per_source=2)
    first, _ = talk(pool.address), talk(pool.address)
    with connect(pool.address) as third:
        try:
            assert third.recv(1) == b""
        except ConnectionResetError:
            pass
    wait_until(lambda: pool.totals()["refused_source"] == 1, "one refused")
    end(first)
    pool.wait_requests(1)
    talk(pool.address)


# --- workers end ----------------------------------------------------------------------------------------------------

def test_a_retired_worker_finishes_its_request(pool: Pool, talk: Talk) -> None:
    daemon = pool.serve(scaling="static", max_workers=2, reload_surge="100%")  # who is busy may be asked first
    client = talk(pool.address)
    busy = pool.serving(client)
    pool.control.do("restart www")
    pool.wait_rolled(2)
    for _ in range(3):
        says(client, b"x" * 100_000)
    assert alive(busy)
    end(client)
    wait_until(lambda: not alive(busy), "its end after the request")
    pool.wait_requests(1)
    assert pool.totals()["aborted"] == 0
    daemon.assert_quiet()


def test_a_signal_from_a_person_retires(pool: Pool, talk: Talk) -> None:
    if pool.kind.is_program:
        pytest.skip("TERM does to a program what the program makes of it")
    daemon = pool.serve(scaling="static", max_workers=1)
    [worker] = pool.wait_workers(1)
    client = talk(pool.address)
    os.kill(worker, signal.SIGTERM)
    for _ in range(3):
        says(client)
    end(client)
    wait_until(lambda: not alive(worker), "its end after the request")
    pool.wait_workers(1)
    daemon.assert_quiet()


def test_recycling_by_requests(pool: Pool, watched: None) -> None:
    daemon = pool.serve(scaling="static", max_workers=2, max_requests=5, max_requests_jitter="0%")
    number = 0
    while pool.totals()["recycled"] < 8:  # each serves on until another may take its place, which takes as long as it takes
        for _ in range(10):
            number += 1
            assert request(pool.address, b"%d" % number) == b"%d" % number
        assert number < 2000
    pool.wait_requests(number)
    assert any("max_requests" in text for text in pool.control.decisions())
    daemon.assert_quiet()


def test_recycling_by_age(pool: Pool, watched: None) -> None:
    daemon = pool.serve(scaling="static", max_workers=1, max_worker_age="200ms")
    [first] = pool.wait_workers(1)
    wait_until(lambda: not alive(first), "a worker that is too old is replaced")
    assert request(pool.address, b"x") == b"x"
    daemon.assert_quiet()


def test_no_connection_is_lost_by_retirements(pool: Pool) -> None:
    """Restarts, one after another, while clients come and go."""
    daemon = pool.serve(min_spare_workers=2, max_spare_workers=4, max_workers=8, max_requests=20)
    failures: list[object] = []
    stop = threading.Event()

    def ask() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                reply = request(pool.address, b"%d" % number)
                if reply != b"%d" % number:
                    failures.append(reply)
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            pool.control.do("restart www")
            time.sleep(0.1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:3]
    wait_until(lambda: pool.counts()["old"] == 0, "one generation")
    daemon.assert_quiet()


def test_kill_worker(pool: Pool, talk: Talk) -> None:
    daemon = pool.serve(scaling="static", max_workers=2)
    pool.wait_workers(2)
    client = talk(pool.address)
    busy = pool.serving(client)
    pool.control.do(f"kill-worker {busy}")
    wait_until(lambda: not alive(busy), "its end")
    try:
        assert read_all(client) == b""
    except ConnectionResetError:
        pass
    pool.wait_workers(2)
    pool.wait_idle(2)
    totals = pool.totals()
    assert (totals["died"], totals["aborted"]) == (0, int(pool.kind.is_watched))
    daemon.assert_quiet()


def test_sigkill_from_outside(pool: Pool, talk: Talk) -> None:
    """It is a death, its place is free again, and nobody backs off."""
    daemon = pool.serve(scaling="static", max_workers=2)
    pool.wait_workers(2)
    busy = pool.serving(talk(pool.address))
    os.kill(busy, signal.SIGKILL)
    wait_until(lambda: pool.totals()["died"] == 1, "it is counted")
    pool.wait_workers(2)
    pool.wait_idle(2)
    assert request(pool.address, b"x") == b"x"
    daemon.assert_none(["backing off"])


# --- waiting --------------------------------------------------------------------------------------------------------

def test_waits_are_measured(pool: Pool, talk: Talk, watched: None) -> None:
    """How long a connection was in the queue, to the kernel's tick. The sums survive an upgrade, and the worker."""
    daemon = pool.serve(scaling="static", max_workers=1)
    pool.wait_workers(1)
    first = talk(pool.address)
    with connect(pool.address) as second:
        second.sendall(b"x")
        second.shutdown(socket.SHUT_WR)
        time.sleep(0.5)  # what is measured
        says(first)
        end(first)
        assert read_all(second) == b"x"
    pool.wait_requests(2)

    def check() -> None:
        waits = pool.control.pool()["wait_us"]
        assert waits["measured"] == 2
        assert 250_000 <= waits["p99"] < 20_000_000 and waits["p50"] < 250_000

    check()
    assert pool.control.ask("upgrade", timeout=30)["ok"]
    check()
    pool.control.do("restart www")
    wait_until(lambda: pool.control.pool()["totals"]["retired"] >= 1, "the worker is replaced")
    pool.wait_workers(1)
    check()
    daemon.assert_quiet()


# --- deadlines ------------------------------------------------------------------------------------------------------

def ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_request_timeout(pool: Pool, talk: Talk, watched: None) -> None:
    """TERM is enough for a handler that waits for its client; the worker stays where it was not the worker that waited."""
    daemon = pool.serve(scaling="static", max_workers=1, request_timeout="1500ms", kill_timeout="20s")
    [worker] = pool.wait_workers(1)
    client = talk(pool.address)
    assert ended(client)
    daemon.wait_message("request timed out", "www")
    wait_until(lambda: pool.totals()["request_timeouts"] == 1, "one timeout")
    pool.wait_requests(1)
    assert request(pool.address, b"x") == b"x"
    assert (pool.workers() != [worker]) == pool.kind.is_program
    daemon.assert_none(["request killed", "worker died", "backing off"])


def test_kill_timeout(pool: Pool, watched: None) -> None:
    """What TERM does not end, KILL does; only in a worker that serves itself does this take the worker."""
    if not pool.kind.stubborn:
        pytest.skip("needs a handler that does not obey")
    daemon = pool.serve(pool.kind.stubborn(pool.directory), scaling="static", max_workers=1, request_timeout="1s",
                        kill_timeout="1s")
    [worker] = pool.wait_workers(1)
    for number in (1, 2):
        with connect(pool.address) as client:
            assert client.recv(100) == b"begun\n"
            assert ended(client)
            daemon.wait_messages(number, "request killed", "www")
            pool.wait_requests(number)
    assert (pool.wait_workers(1) != [worker]) == pool.kind.in_process
    totals = pool.totals()
    assert (totals["request_timeouts"], totals["handler_deaths"], totals["died"]) == (2, 2, 0)
    daemon.assert_quiet()


def test_a_slow_request_is_logged_once(pool: Pool, talk: Talk, watched: None) -> None:
    """It goes on; the next one has its own time."""
    daemon = pool.serve(scaling="static", max_workers=1, request_slowlog_timeout="1s")
    for number in (1, 2):
        client = talk(pool.address)
        daemon.wait_messages(number, "request slow", "www")
        stays(lambda count=number: len(daemon.messages("request slow", "www")) == count, "it is logged once", 0.3)
        says(client)
        end(client)
        pool.wait_requests(number)
    assert request(pool.address, b"x") == b"x"
    pool.wait_requests(3)
    assert pool.totals()["slow"] == 2
    daemon.assert_none(["request timed out", "worker died", "backing off"])


def test_detach_after(pool: Pool, talk: Talk, watched: None) -> None:
    daemon = pool.serve(detach_after="100ms", scaling="static", max_workers=1)
    [worker] = pool.wait_workers(1)
    client = talk(pool.address)
    wait_until(lambda: pool.totals()["detached"] == 1, "it is detached")
    assert request(pool.address, b"x") == b"x", "another worker serves"
    says(client)
    end(client)
    wait_until(lambda: not alive(worker), "the end of the detached worker")
    daemon.assert_quiet()


# --- the daemon -----------------------------------------------------------------------------------------------------

def test_a_reload_makes_a_new_generation(pool: Pool, talk: Talk) -> None:
    daemon = pool.serve(scaling="static", max_workers=2, reload_surge="100%")
    old = pool.wait_workers(2)
    client = talk(pool.address)
    daemon.pools["www"]["environment"] = "A=1"
    assert pool.control.pool()["generation"] == 1
    daemon.hup("reloaded")
    pool.wait_rolled(2)
    assert len(set(pool.workers()) & set(old)) == 1
    says(client)
    end(client)
    wait_until(lambda: not set(old) & set(pool.workers()), "the end of the old one")
    assert request(pool.address, b"x") == b"x"
    daemon.assert_quiet()


def test_a_reload_of_limits_touches_no_worker(pool: Pool) -> None:
    daemon = pool.serve(scaling="static", max_workers=2)
    workers = pool.wait_workers(2)
    daemon.pools["www"]["request_timeout"] = "1h"
    daemon.hup("reloaded")
    assert pool.workers() == workers


def test_a_removed_pool_serves_who_has_come(pool: Pool, talk: Talk) -> None:
    daemon = pool.serve(scaling="static", max_workers=1)
    client = talk(pool.address)
    keys = daemon.pools.pop("www")
    daemon.pools["other"] = {"listen": tcp4(), "handler": "/bin/cat"}
    daemon.hup("reloaded")
    wait_until(lambda: refuses(pool.address), "nobody listens")
    says(client)
    end(client)
    daemon.pools["www"] = keys
    daemon.hup("reloaded")
    assert request(pool.address, b"x") == b"x"
    daemon.assert_quiet()


def test_pause_and_resume(pool: Pool, talk: Talk) -> None:
    daemon = pool.serve(scaling="static", max_workers=2)
    client = talk(pool.address)
    pool.wait_workers(2)  # one whose pid is not known yet may take a connection before it is told to go
    pool.control.do("pause www")
    wait_until(lambda: len(pool.workers()) == 1, "idle workers go")
    with connect(pool.address) as waiting:
        waiting.sendall(b"x")
        says(client)
        end(client)
        wait_until(lambda: not pool.workers(), "all workers go")
        pool.control.do("resume www")
        assert waiting.recv(1) == b"x"
    daemon.assert_quiet()


def test_an_upgrade_keeps_conversations_and_counts(pool: Pool, talk: Talk) -> None:
    daemon = pool.serve(scaling="static", max_workers=2)
    workers = pool.wait_workers(2)
    assert request(pool.address, b"x") == b"x"
    pool.wait_requests(1)
    client = talk(pool.address)
    assert pool.control.ask("upgrade", timeout=30)["ok"]
    says(client)
    assert pool.workers() == workers
    end(client)
    pool.wait_requests(2)
    pool.control.do("restart www")
    wait_until(lambda: not set(workers) & set(pool.workers()), "old workers obey the new program")
    assert request(pool.address, b"x") == b"x"
    daemon.assert_quiet()


def test_a_timeout_after_an_upgrade(pool: Pool, talk: Talk, watched: None) -> None:
    """An order of the new program to a worker of the old one."""
    daemon = pool.serve(scaling="static", max_workers=1, request_timeout="2s")
    pool.wait_workers(1)
    client = talk(pool.address)
    assert pool.control.ask("upgrade", timeout=30)["ok"]
    assert ended(client)
    wait_until(lambda: pool.totals()["request_timeouts"] == 1, "one timeout")
    pool.wait_requests(1)
    daemon.assert_none(["worker died"])


def test_a_stop_lets_requests_end(pool: Pool, talk: Talk) -> None:
    daemon = pool.serve(scaling="static", max_workers=2)
    workers = pool.wait_workers(2)
    client = talk(pool.address)
    mark = daemon.log_mark()
    daemon.send_signal(signal.SIGTERM)
    daemon.wait_message("stopping", after=mark)
    wait_until(lambda: len([pid for pid in workers if alive(pid)]) == 1, "idle workers go")
    for _ in range(3):
        says(client)
    assert daemon.running()
    end(client)
    assert daemon.wait_end() == 0
    daemon.assert_quiet()


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM], ids=["at once", "when shutdown_timeout is over"])
def test_a_stop_does_not_wait_for_ever(pool: Pool, talk: Talk, number: int) -> None:
    daemon = pool.serve(scaling="static", max_workers=1, master={"shutdown_timeout": "300ms"})
    client = talk(pool.address)
    daemon.send_signal(number)
    assert daemon.wait_end() == 0
    assert ended(client)


def test_the_masters_death_spares_requests(pool: Pool, talk: Talk) -> None:
    """… and the next master can listen there at once."""
    daemon = pool.serve(scaling="static", max_workers=3)
    workers = pool.wait_workers(3)
    client = talk(pool.address)
    busy = pool.serving(client)
    daemon.kill()
    wait_until(lambda: not any(alive(worker) for worker in workers if worker != busy), "the end of idle workers")
    if not pool.kind.is_program:  # it cannot be interrupted, so it has the listener until it waits again
        wait_until(lambda: refuses(pool.address), "nobody listens")
    if pool.kind.name != "redirect":  # what it leads to has ended with its last request
        says(client)
    stays(lambda: alive(busy), "the busy worker stays", 0.2)
    client.close()
    wait_until(lambda: not alive(busy), "the end of the worker after its request")
    wait_until(lambda: refuses(pool.address), "nobody listens")


def test_the_masters_death_gives_shutdown_timeout(pool: Pool, talk: Talk) -> None:
    if pool.kind.is_program:
        pytest.skip("no deadline ends the request of a program that accepts itself")
    daemon = pool.serve(scaling="static", max_workers=1, master={"shutdown_timeout": "300ms"})
    [worker] = pool.wait_workers(1)
    client = talk(pool.address)
    daemon.kill()
    assert ended(client)
    wait_until(lambda: not alive(worker), "the end of the worker")
