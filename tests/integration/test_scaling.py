"""Growth, shrinking and the limits of a pool, in every kind of scaling."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clients import ClientPool
from control import Control, control_of
from daemon import (Daemon, abstract, alive, burst, connect, exchange, port_of, read_all,
                    request, slowness, stays, status_value, tcp4, tcp6, wait_until)
from pools import in_conversation
from served import Watch, handlers, most_at_once, per_worker, processes_below, served

Start = Callable[..., Daemon]
Program = Callable[[str], str]
StartControlled = Callable[[dict[str, object]], tuple[Daemon, Control]]

# What takes this long in a burst must overlap: a pool that grows at the tick of a second would not get there in time.
LONG_MS = 2000


@pytest.fixture
def controlled(preforkd: Start, tmp_path: Path) -> StartControlled:
    """A daemon with a control socket and one pool, `www`, that echoes."""

    def start(keys: dict[str, object]) -> tuple[Daemon, Control]:
        daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", **keys}},
                          master={"control": tmp_path / "control.sock"})
        return daemon, control_of(daemon)

    return start


def decided(daemon: Daemon, pattern: str) -> list[re.Match[str]]:
    """The decisions about the pool `www` that are such, the newest first."""
    return [found for text in control_of(daemon).decisions() if (found := re.fullmatch(pattern, text))]


@contextlib.contextmanager
def chats(address: str, count: int) -> Iterator[list[socket.socket]]:
    """Conversations that keep their workers until they are closed; the first line of each has come back."""
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(count):
            client = stack.enter_context(connect(address))
            client.sendall(b"chat %d\n" % number)
            assert client.recv(100) == b"chat %d\n" % number
            clients.append(client)
        yield clients


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: status_value(pid, "State").startswith("T"), "its standstill")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def still_talks(client: socket.socket) -> bool:
    client.sendall(b"still here\n")
    return client.recv(100) == b"still here\n"


def listen_address(kind: str, tmp_path: Path) -> str:
    return {"tcp4": tcp4, "tcp6": tcp6, "unix": lambda: str(tmp_path / "sock"), "abstract": abstract}[kind]()


# --- dynamic: growth ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "unix", "abstract"])
def test_a_burst_is_answered_at_once(preforkd: Start, program: Program, tmp_path: Path, kind: str,
                                     request: pytest.FixtureRequest) -> None:
    """Thirty clients at two spare workers: all are served at the same time, whatever the socket's queue is read by."""
    if kind == "tcp6":
        request.getfixturevalue("ipv6")
    address = listen_address(kind, tmp_path)
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), str(LONG_MS)], "min_spare_workers": 2,
                               "start_workers": 2, "max_workers": 40}}, control=True)
    daemon.wait_workers(2)
    answers = [served(reply) for reply in burst(address, 30)]
    assert most_at_once(answers) == 30
    # By the first look, which comes with the first request, none or all of the others may be in the queue.
    assert decided(daemon, r"\+\d+ workers? \((spare [01] < 2(, \d+ queued)?|\d+ queued, spare \d+)\)")


@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "unix", "abstract"])
def test_what_waits_is_counted(preforkd: Start, tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    """The master sees the whole queue at its first look, whatever the socket's queue is read by. It is stopped while
    the clients come, so that there is one."""
    if kind == "tcp6":
        request.getfixturevalue("ipv6")
    address = listen_address(kind, tmp_path)
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 2, "start_workers": 2,
                               "max_workers": 100}}, control=True)
    daemon.wait_workers(2)
    with contextlib.ExitStack() as stack:
        with stopped(daemon.pid):
            clients = [stack.enter_context(connect(address)) for _ in range(52)]
            wait_until(lambda: len(handlers(daemon)) == 2, "both workers in use")
        # In batches: other pools and signals are not kept waiting for a large one.
        wait_until(lambda: decided(daemon, r"\+\d+ workers \(spare 0 < 2, 50 queued\)"), "the decision")
        assert all(map(still_talks, clients))
        # A connection that is accepted while the master looks is one that waits, and one that is served.
        wait_until(lambda: 54 <= len(daemon.workers()) <= 57, "two spare workers")
    assert max(int(found[1]) for found in decided(daemon, r"\+(\d+) workers? .*")) <= 32


def test_a_burst_over_several_listeners(preforkd: Start, program: Program, tmp_path: Path) -> None:
    addresses = [tcp4(), tcp4(), str(tmp_path / "sock")]
    daemon = preforkd({"www": {"listen": addresses, "handler": [program("wait"), str(LONG_MS)], "min_spare_workers": 1,
                               "start_workers": 1, "max_workers": 40}})
    daemon.wait_workers(1)
    assert most_at_once(map(served, exchange(addresses * 8))) == 24


def test_the_start_is_decided_with_its_reason(controlled: StartControlled) -> None:
    daemon, control = controlled({"start_workers": 3})
    daemon.wait_workers(3)
    assert control.decisions() == ["+3 workers (start)"]


def test_start_workers_are_all_started(preforkd: Start) -> None:
    """More than are forked in one turn of the loop: the others follow, though the pool needs none of them as spare."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "start_workers": 70, "min_spare_workers": 1,
                               "max_spare_workers": 70, "max_workers": 80}})
    daemon.wait_workers(70)
    stays(lambda: len(daemon.workers()) == 70, "no more than that", 0.3)


def test_spare_workers_are_kept_while_conversations_go_on(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 2, "max_spare_workers": 2,
                               "max_workers": 20}})
    with chats(address, 5):
        daemon.wait_workers(7)
        stays(lambda: len(daemon.workers()) == 7, "five busy and two spare workers", 0.5)


@pytest.mark.parametrize("scaling", ["dynamic", "static", "ondemand"])
def test_never_above_max_workers(preforkd: Start, program: Program, scaling: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "20"], "scaling": scaling,
                               "max_workers": 4}})
    with Watch(lambda: processes_below(daemon)) as watch:
        answers = [served(reply) for reply in burst(address, 60)]
    assert len(per_worker(answers)) >= 4, "all workers are used"
    assert most_at_once(answers) <= 4 and watch.most <= 4


# --- dynamic: shrinking ---------------------------------------------------------------------------------------------

def test_a_surplus_goes_under_light_load(preforkd: Start, program: Program) -> None:
    """First-in-first-out hands every worker a request now and then, so none looks idle for long; the pool shrinks all
    the same, by the lowest number of idle workers."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "-"], "min_spare_workers": 1,
                               "start_workers": 1, "max_spare_workers": 2, "max_workers": 30, "spare_timeout": "1s"}},
                      control=True)
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(connect(address))
        wait_until(lambda: len(handlers(daemon)) == 12, "twelve requests at once")
    begin, answers = time.monotonic(), []
    # One at a time: two idle and one busy worker are left, and none of them is surplus; nor is one that is a moment late to
    # be idle again, when the next request has begun already.
    while len(daemon.workers()) > 4:
        answers += [served(reply) for reply in burst(address, 1)]
        assert time.monotonic() - begin < 30, f"{len(daemon.workers())} workers stay"
    assert time.monotonic() - begin >= 0.9, "not before spare_timeout"
    assert len(per_worker(answers)) > 1, "the light load went round"
    reason = decided(daemon, r"-(\d+) workers? \(idle (\d+) > 2 for 1s\)")[-1]
    assert int(reason[2]) - int(reason[1]) == 2
    stays(lambda: len(daemon.workers()) >= 2, "what max_spare_workers allows stays", 1.5)


def test_a_surplus_stays_as_long_as_it_is_needed_now_and_then(preforkd: Start, program: Program) -> None:
    """Bursts that come more often than spare_timeout find the workers of the last one."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "50"], "min_spare_workers": 1,
                               "start_workers": 1, "max_spare_workers": 1, "max_workers": 30, "spare_timeout": "20s"}},
                      control=True)
    burst(address, 10)
    workers = set(daemon.workers())
    for _ in range(10):
        burst(address, 10)
    assert workers <= set(daemon.workers()), "nobody has gone"
    assert control_of(daemon).pool()["totals"]["retired"] == 0


def test_no_request_is_lost_while_a_pool_shrinks_and_grows(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 1, "start_workers": 1,
                               "max_spare_workers": 1, "max_workers": 30, "spare_timeout": "1ms"}}, control=True)
    for number in range(30):
        replies = burst(address, 12 if number % 2 else 1, b"x")
        assert [(reply.data, reply.error) for reply in replies] == [(b"x", None)] * len(replies)
    assert control_of(daemon).pool()["totals"]["retired"] > 0


# --- saturation -----------------------------------------------------------------------------------------------------

def saturations(daemon: Daemon) -> int:
    """How often the log said so."""
    return len(daemon.messages("saturated", "www"))


def reliefs(daemon: Daemon) -> int:
    return len(daemon.messages("relieved", "www"))


def test_one_warning_for_each_episode_of_saturation(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 3}})
    for episode in (1, 2):
        with chats(address, 3), contextlib.ExitStack() as stack:
            stays(lambda: saturations(daemon) == episode - 1, "no warning while nobody waits", 0.3)
            stack.enter_context(connect(address))
            wait_until(lambda: saturations(daemon) == episode, "the warning")
            # More and more wait; all of that is the same episode.
            for _ in range(20):
                stack.enter_context(connect(address))
            stays(lambda: saturations(daemon) == episode, "one warning an episode", 0.5)
            assert reliefs(daemon) == episode - 1
        wait_until(lambda: reliefs(daemon) == episode, "its end", 20)


def test_sustained_load_is_one_episode(preforkd: Start) -> None:
    """Workers are idle for a moment between two requests; several at the same moment are no end of the episode."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 3}})
    with ClientPool([address], pause=0) as clients:
        for _ in range(20):
            clients.wait_served(100)
        assert saturations(daemon) == 1
        assert reliefs(daemon) == 0


def test_those_that_wait_in_saturation_are_served_in_the_end(preforkd: Start) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 2}})
    with connect(address) as waiting:
        with chats(address, 1):
            pass
        waiting.sendall(b"at last\n")
        assert waiting.recv(100) == b"at last\n"


def test_saturation_ends_in_a_pool_of_one(preforkd: Start) -> None:
    """No threshold of idle workers can tell there; a look now and then does."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 1}})
    with chats(address, 1), connect(address):
        daemon.wait_message("saturated", "www")
    daemon.wait_message("relieved", "www", 20)


def saturation(control: Control) -> tuple[str, int]:
    """The state of the pool, and how many episodes of saturation it counts."""
    pool = control.pool()
    return pool["state"], pool["totals"]["saturations"]


def test_saturated_is_a_pool_with_clients_that_wait(controlled: StartControlled) -> None:
    """State, counter and log are of one mind: a pool of one is not saturated by the one request it serves."""
    daemon, control = controlled({"max_workers": 1})
    address = str(daemon.pools["www"]["listen"])
    with chats(address, 1):
        wait_until(lambda: control.pool()["counts"]["busy"] == 1, "the request")
        stays(lambda: saturation(control) == ("running", 0), "nobody waits", 0.5)
        with connect(address):
            wait_until(lambda: saturation(control) == ("saturated", 1), "somebody waits")
            assert saturations(daemon) == 1 and not reliefs(daemon)
    wait_until(lambda: saturation(control) == ("running", 1), "the end of the episode", 20)
    assert reliefs(daemon) == 1


def test_a_drained_pool_begins_a_new_episode(controlled: StartControlled) -> None:
    daemon, control = controlled({"max_workers": 2})
    address = str(daemon.pools["www"]["listen"])
    for episode in (1, 2):
        with chats(address, 2), connect(address):
            wait_until(lambda: saturation(control) == ("saturated", episode), f"episode {episode}")
            assert saturations(daemon) == episode
            control.do("pause www")
            wait_until(lambda: reliefs(daemon) == episode, f"the end of episode {episode}")
        wait_until(lambda: control.pool()["counts"]["retiring"] == 0, "the end of the requests")
        control.do("resume www")


# --- when_full and max_connections_per_source -----------------------------------------------------------------------

def refused(address: str, host: str = "127.0.0.1") -> bool:
    """True if a connection was accepted and closed without a word; False if it was echoed. Waits for either."""
    with socket.socket() as client:
        client.settimeout(20)
        client.bind((host, 0))
        client.connect(("127.0.0.1", port_of(address)))
        try:
            client.sendall(b"hello\n")
            return client.recv(100) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True


def test_refuse_when_full(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 2, "when_full": "refuse"}}, control=True)
    with chats(address, 2) as clients:
        for _ in range(5):
            begin = time.monotonic()
            assert refused(address)
            assert time.monotonic() - begin < 5, "at once, not when a worker becomes free"
        assert all(map(still_talks, clients))
        clients.pop().close()
        wait_until(lambda: not refused(address), "a place")
    assert control_of(daemon).pool()["totals"]["refused"] >= 5


@pytest.mark.parametrize("scaling", ["dynamic", "static", "ondemand"])
def test_refusing_is_told(controlled: StartControlled, scaling: str) -> None:
    """Once an episode, in the log, to `why` and by the counter; and its end, with what it came to."""
    daemon, control = controlled({"max_workers": 2, "when_full": "refuse", "scaling": scaling})
    address = str(daemon.pools["www"]["listen"])
    for episode in (1, 2):
        with chats(address, 2):
            for _ in range(3):
                assert refused(address)
            wait_until(lambda: saturation(control) == ("saturated", episode), "the episode")
            assert refused(address)
        wait_until(lambda: saturation(control) == ("running", episode), "its end", 20)
        told = control.decisions()
        assert told.count("no longer saturated; 4 connections were refused") == episode, told
        assert len([text for text in told if text.startswith("saturated: 2 workers are all in use")]) == episode, told
        assert saturations(daemon) == episode and control.pool()["totals"]["refused"] == 4 * episode


def test_nobody_refuses_in_a_pool_that_is_not_full(preforkd: Start) -> None:
    """Who refuses goes with the episode: nothing that is refused goes untold."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 1, "when_full": "refuse"}})
    with chats(address, 1):
        assert refused(address)
        daemon.wait_workers(2)
    daemon.wait_message("relieved", "www", 20)
    assert len(daemon.wait_workers(1)) == 1


def test_a_pool_that_refused_serves_as_before(preforkd: Start) -> None:
    """One client after another is never refused, not even in the moment in which a worker becomes idle again."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 1, "when_full": "refuse"}})
    with chats(address, 1):
        assert refused(address)
    wait_until(lambda: not refused(address), "a place")
    wait_until(lambda: not handlers(daemon), "the end of the last handler")
    for _ in range(100):  # while a worker needs less than 50 ms for that moment
        assert request(address, b"x") == b"x" or slowness() > 2


def test_a_pool_that_starts_refuses_nobody_it_has_room_for(preforkd: Start) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 8, "when_full": "refuse",
                      "scaling": "ondemand"}})
    replies = burst(address, 8, b"x")
    assert [(reply.data, reply.error) for reply in replies] == [(b"x", None)] * 8


def test_who_waits_for_a_worker_that_starts_is_not_refused(preforkd: Start, tmp_path: Path) -> None:
    """Though none would be spare then: who comes is served, if later than a refuser has patience."""
    address, script = tcp4(), tmp_path / "program.py"
    script.write_text("import socket, time\ntime.sleep(1)\nlistener = socket.socket(fileno=3)\n"
                      "while True:\n    connection, _ = listener.accept()\n    connection.sendall(b'served')\n    connection.close()\n")
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "handler": ["/usr/bin/python3", str(script)],
                               "max_workers": 2, "min_spare_workers": 2, "when_full": "refuse"}}, control=True)
    control = control_of(daemon)
    control.wait_workers(2)
    for worker in [row["pid"] for row in control.pool(workers=True)["workers"]]:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: control.pool()["counts"]["starting"] == 2, "others that start")
    with connect(address) as first, connect(address) as second:
        control.do("scale www spare_timeout=1h")  # whatever makes the master look meanwhile
        assert read_all(first) == read_all(second) == b"served"
    assert control.pool()["totals"]["refused"] == 0


def test_max_connections_per_source(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 10,
                               "max_connections_per_source": 2}}, control=True)
    with chats(address, 2) as clients:
        assert refused(address)
        assert not refused(address, "127.0.0.2"), "another client"
        assert refused(address)
        assert all(map(still_talks, clients))
        clients.pop().close()
        wait_until(lambda: not refused(address), "a place for the same client")
    totals = control_of(daemon).pool()["totals"]
    assert totals["refused"] >= 2 and totals["refused_source"] == totals["refused"] and totals["refused_full"] == 0


def test_what_is_refused_to_a_source_is_no_request(controlled: StartControlled) -> None:
    """It is counted as refused and as nothing else, and wears no worker out."""
    daemon, control = controlled({"scaling": "static", "max_workers": 3, "max_connections_per_source": 1,
                                  "max_requests": 3, "max_requests_jitter": "0%"})
    address = str(daemon.pools["www"]["listen"])
    workers = daemon.wait_workers(3)
    with chats(address, 1):
        assert all(refused(address) for _ in range(7))
        pool = control.pool(workers=True)
        assert (pool["totals"]["refused"], pool["totals"]["requests"], pool["duration_us"]["p99"]) == (7, 0, 0)
        assert [worker["last_exit"] for worker in pool["workers"]] == [None] * 3
        assert [worker["requests"] for worker in pool["workers"]] == [0] * 3
    wait_until(lambda: control.pool()["totals"]["requests"] == 1, "the one that was served")
    assert not refused(address), "its place is free again"
    assert control.pool()["totals"]["recycled"] == 0 and set(workers) == set(daemon.workers())


@pytest.mark.parametrize("limit", [{"max_workers": 1, "when_full": "refuse"}, {"max_connections_per_source": 1},
                                   {"max_workers": 1, "when_full": "refuse", "listen": abstract()}],
                         ids=["full", "source", "full, UNIX"])
def test_who_is_refused_sees_the_end_and_no_reset(preforkd: Start, limit: dict[str, Any]) -> None:
    """Also who has sent a request already: a close with unread input would reset the connection."""
    pool = {"listen": tcp4(), "handler": "/bin/cat", **limit}
    preforkd({"www": pool})
    with in_conversation(pool["listen"]):
        for _ in range(5):
            with connect(pool["listen"]) as client:
                client.sendall(b"x" * 20000)
                assert read_all(client) == b""


def test_a_killed_worker_gives_its_clients_place_back(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 4,
                               "max_connections_per_source": 1}})
    with chats(address, 1):
        [busy] = [worker for worker in daemon.workers() if worker in map(parent, handlers(daemon))]
        os.kill(busy, signal.SIGKILL)
        wait_until(lambda: not alive(busy), "its end")
        wait_until(lambda: not refused(address), "a place")
        for handler in handlers(daemon):
            with contextlib.suppress(ProcessLookupError):  # those of refused connections are just ending
                os.kill(handler, signal.SIGKILL)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


# --- ondemand -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["tcp4", "unix"])
def test_ondemand_starts_none_until_a_connection_waits(preforkd: Start, program: Program, tmp_path: Path,
                                                      kind: str) -> None:
    address = listen_address(kind, tmp_path)
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), str(LONG_MS)], "scaling": "ondemand",
                               "max_workers": 20, "spare_timeout": "300ms"}}, control=True)
    stays(lambda: not daemon.workers(), "no worker without a connection", 0.3)
    for _ in range(2):
        assert most_at_once(map(served, burst(address, 8))) == 8
        daemon.wait_workers(0)
    assert decided(daemon, r"\+\d+ workers? \(\d+ queued, spare 0\)")
    assert decided(daemon, r"-\d+ workers? \(idle \d+ > 0 for 300ms\)")


def test_ondemand_serves_one_after_another(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "ondemand",
                               "spare_timeout": "1ms"}})
    for number in range(50):
        assert request(address, b"%d" % number) == b"%d" % number
    daemon.wait_workers(0)


# --- static ---------------------------------------------------------------------------------------------------------

def test_static_replaces_those_that_were_killed(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 4}})
    before = daemon.wait_workers(4)
    for pid in before[:3]:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(alive, before[:3])), "their end")
    after = daemon.wait_workers(4)
    assert before[3] in after
    for pid in before[:3]:
        daemon.wait_message("worker died", "www", worker=pid)
    assert len(daemon.messages("worker died")) == 3
    daemon.assert_none(["backing off"])  # a kill is no fault of the pool
    assert request(address, b"x") == b"x"


def test_the_death_of_a_busy_worker(preforkd: Start) -> None:
    """It is told, and another worker serves."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 1}})
    [worker] = daemon.wait_workers(1)
    with chats(address, 1):
        below = handlers(daemon)
        os.kill(worker, signal.SIGKILL)
        daemon.wait_message("worker died", worker=worker)
        for handler in below:
            os.kill(handler, signal.SIGKILL)
    assert request(address, b"x") == b"x"


# --- several pools, and rest ----------------------------------------------------------------------------------------

def test_pools_do_not_share_their_limits(preforkd: Start, program: Program) -> None:
    full, other = tcp4(), tcp4()
    daemon = preforkd({"full": {"listen": full, "handler": "/bin/cat", "max_workers": 2},
                       "www": {"listen": other, "handler": [program("wait"), str(LONG_MS)], "max_workers": 20}})
    with chats(full, 2), connect(full):
        daemon.wait_message("saturated", "full")
        assert most_at_once(map(served, burst(other, 12))) == 12
        assert len(daemon.workers("full")) == 2
    assert not saturations(daemon)


def test_max_workers_follows_ttin_and_ttou(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2}})
    daemon.wait_workers(2)
    for number, count in ((signal.SIGTTIN, 3), (signal.SIGTTIN, 4), (signal.SIGTTOU, 3), (signal.SIGTTOU, 2)):
        daemon.send_signal(number)
        daemon.wait_workers(count)


@pytest.mark.parametrize("scaling", ["dynamic", "static", "ondemand", "adaptive"])
def test_an_idle_master_sleeps(preforkd: Start, scaling: str) -> None:
    """Tickless: once a burst and its surplus are over, nothing wakes the master, whatever deadlines are configured."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": [address, tcp4()], "handler": "/bin/cat", "scaling": scaling,
                               "max_workers": 10, "spare_timeout": "200ms", "request_timeout": "1h",
                               "detach_after": "1h", "max_requests": 1000, "max_worker_age": "1h",
                               "max_spare_workers": None if scaling == "static" else 2}})
    burst(address, 20)
    spares = {"dynamic": 2, "static": 10, "ondemand": 0, "adaptive": 2}[scaling]
    wait_until(lambda: len(daemon.workers()) <= max(spares, 2), "the end of the surplus")

    daemon.wait_asleep(2, 30)
