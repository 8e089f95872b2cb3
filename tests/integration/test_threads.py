"""threads_per_worker: a worker process with several threads is retired, recycled, killed and counted as one, and serves as
many connections at once as it has threads."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from clients import ClientPool
from control import control_of
from daemon import (SLOW, Daemon, alive, connect, format_config, is_sanitized, open_descriptors, read_all, request,
                    run_preforkd, stays, tcp4, wait_until)
from datagrams import Client, udp
from modules import module
from served import resident_kb, signal_worker

Start = Callable[..., Daemon]
BAD_CONFIG = 78
THREADS = 4


def asking(place: Path, **keys: object) -> dict[str, object]:
    """The keys of a pool of one process whose module does what its clients say."""
    return {"handler_type": "module", "handler": [module("threads", place), "ask"], "threads_per_worker": THREADS,
            "scaling": "static", "max_workers": THREADS, **keys}


def echoing(**keys: object) -> dict[str, object]:
    return {"handler_type": "builtin", "handler": "echo", "threads_per_worker": THREADS, **keys}


class Asked:
    """A client that has told the module what to do: the process and the thread that serve it, and what comes then."""

    def __init__(self, address: str, what: str) -> None:
        self.socket = connect(address)
        self.socket.sendall(what.encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            byte = self.socket.recv(1)
            assert byte, f"{what}: {line!r}"
            line += byte
        self.pid, self.tid = map(int, line.split())

    def rest(self) -> bytes:
        """What is said until the end; a reset is an end."""
        with self.socket:
            try:
                return read_all(self.socket)
            except ConnectionResetError:
                return b"reset"

    def end(self) -> bytes:
        self.socket.shutdown(socket.SHUT_WR)
        return self.rest()


@contextmanager
def held(address: str, count: int) -> Iterator[list[Asked]]:
    """So many requests that last until the end of the block."""
    with ExitStack() as stack:
        asked = [Asked(address, "hold") for _ in range(count)]
        for one in asked:
            stack.enter_context(one.socket)
        yield asked


def counts(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["counts"])


def totals(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["totals"])


# --- the configuration ----------------------------------------------------------------------------------------------

def check(directory: Path, **keys: object) -> tuple[int, str]:
    """`preforkd -t` with one pool."""
    path = directory / "checked.conf"
    path.write_text(format_config({"www": {"listen": "127.0.0.1:1", **keys}}))
    result = run_preforkd("-t", "-c", path)
    return result.returncode, result.stderr


def test_a_module_must_say_that_it_is_thread_safe(tmp_path: Path) -> None:
    keys = {"handler_type": "module", "handler": [module("serve", tmp_path), "echo"]}
    status, said = check(tmp_path, **keys, threads_per_worker=2)
    assert status == BAD_CONFIG and "does not say that it is thread-safe (PREFORK_MODULE_THREAD_SAFE)" in said
    assert check(tmp_path, **keys, threads_per_worker=1)[0] == 0
    assert check(tmp_path, **asking(tmp_path)) == (0, "preforkd: the configuration is good: 1 pool\n")


@pytest.mark.parametrize("keys", [{"handler": "/bin/cat"}, {"handler": "/bin/cat", "handler_type": "listener"}],
                         ids=["inetd", "listener"])
def test_programs_have_no_threads_of_ours(tmp_path: Path, keys: dict[str, object]) -> None:
    status, said = check(tmp_path, **keys, threads_per_worker=2)
    assert status == BAD_CONFIG and "threads_per_worker: only what is loaded into a worker can be served by threads" in said


def test_max_workers_counts_threads(tmp_path: Path) -> None:
    status, said = check(tmp_path, **echoing(max_workers=3))
    assert status == BAD_CONFIG and "threads_per_worker: max_workers, which counts threads, is 3" in said
    status, said = check(tmp_path, **echoing(max_workers=18))
    assert status == 0 and "18 is no multiple of threads_per_worker (4); there will be at most 16" in said
    status, said = check(tmp_path, **echoing(max_workers=16, limit_nofile="64"))
    assert status == BAD_CONFIG and "limit_nofile" in said and "expected at least 69" in said


# --- serving --------------------------------------------------------------------------------------------------------

def test_one_process_serves_as_many_at_once(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path)}}, control=True)
    [worker] = daemon.wait_workers(1)
    with held(address, THREADS) as clients:
        assert {client.pid for client in clients} == {worker}
        assert len({client.tid for client in clients} - {worker}) == THREADS
        pool = control_of(daemon).pool(workers=True)
        assert (pool["counts"]["total"], pool["counts"]["busy"], pool["counts"]["idle"]) == (THREADS, THREADS, 0)
        assert [row["pid"] for row in pool["workers"]] == [worker] * THREADS
        with connect(address) as waiting:  # max_workers is reached
            waiting.sendall(b"who\n")
            stays(lambda: counts(daemon)["total"] == THREADS, "one too many", 0.2)
            assert [client.end() for client in clients] == [b"end\n"] * THREADS
            assert read_all(waiting).split()[0] == str(worker).encode()
    wait_until(lambda: counts(daemon)["idle"] == THREADS, "idle again")
    assert totals(daemon)["requests"] == THREADS + 1
    assert daemon.said("init") == 1


def test_the_pool_grows_and_shrinks_by_processes(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(
        tmp_path, scaling="dynamic", min_spare_workers=1, max_spare_workers=2, start_workers=1, max_workers=14,
        spare_timeout="300ms")}}, control=True)
    daemon.wait_workers(1)
    with held(address, THREADS - 1) as clients:
        stays(lambda: len(daemon.workers()) == 1, "one is spare", 0.2)
        last = Asked(address, "hold")  # none is spare now
        daemon.wait_workers(2)
        with held(address, 8) as others:
            daemon.wait_workers(3)
            pool = control_of(daemon).pool()
            assert (pool["counts"]["total"], pool["counts"]["idle"]) == (12, 0), "14 are rounded down"
            assert len({client.pid for client in [*clients, last, *others]}) == 3
            for client in others:
                client.end()
        assert last.end() == b"end\n"
        # One has three busy threads, and the others are idle. Nine are spare, and two may be: a whole process goes.
        daemon.wait_workers(2)
        assert counts(daemon)["busy"] == THREADS - 1
        assert [client.end() for client in clients] == [b"end\n"] * (THREADS - 1)
    daemon.wait_workers(1)
    stays(lambda: len(daemon.workers()) == 1, "it stays", 0.7)
    assert [text for text in control_of(daemon).decisions() if text.startswith("+1 worker of 4 threads (")]
    daemon.assert_quiet()


def test_an_idle_pool_rests(preforkd: Start) -> None:
    """Rounding makes no turn follow another: the thresholds are where a whole process is surplus."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **echoing(min_spare_workers=5, max_spare_workers=5, max_workers=16,
                                                            spare_timeout="100ms")}}, control=True)
    workers = daemon.wait_workers(2)
    for number in range(50):
        assert request(address, b"%d" % number) == b"%d" % number
    daemon.wait_asleep(2, 30)
    assert daemon.workers() == workers


def test_a_lowered_limit_takes_the_process_with_the_most_idle_threads(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(
        tmp_path, scaling="dynamic", min_spare_workers=0, max_spare_workers=16, start_workers=16, max_workers=16)}},
        control=True)
    daemon.wait_workers(4)
    with ExitStack() as stack:
        clients: list[Asked] = []
        while len({client.pid for client in clients}) < 4:  # each process has a busy thread
            clients.append(Asked(address, "hold"))
            stack.enter_context(clients[-1].socket)
        kept = {client.pid: client for client in clients}
        assert all(client.end() == b"end\n" for client in clients if client is not kept[client.pid])
        wait_until(lambda: counts(daemon)["busy"] == 4, "each has one busy thread")
        control_of(daemon).do("scale www max_workers=8 max_spare_workers=8 start_workers=8")
        wait_until(lambda: counts(daemon)["total"] == 8, "two processes are left")
        stays(lambda: len(daemon.workers()) <= 4, "none is started", 0.3)
        assert all(client.end() == b"end\n" for client in kept.values()), "and every request ends"
    daemon.wait_workers(2)
    daemon.assert_quiet()


def test_source_limits_count_connections(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, max_connections_per_source=3)}}, control=True)
    daemon.wait_workers(1)
    with held(address, 3):
        with connect(address) as refused:
            assert read_all(refused) == b""
        assert totals(daemon)["refused_source"] == 1


def test_datagrams(preforkd: Start, tmp_path: Path) -> None:
    """Each thread has its own datagram; at random moments workers are told to go, and nothing is lost."""
    tcp, datagrams = tcp4(), udp()
    daemon = preforkd({"www": {"listen": [tcp, datagrams], **echoing(scaling="static", max_workers=8)},
                       "one": {"listen": (alone := udp()), **echoing(scaling="static", max_workers=8)}})
    dice, told = random.Random(4), set()
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(address)) for address in (datagrams, alone) for _ in range(6)]
        while len(told) < 20:
            for number, client in enumerate(clients):
                client.send(b"%d " % number * 200)
            for pool in ("www", "one"):
                if dice.random() < 0.1 and (workers := daemon.workers(pool)):
                    worker = dice.choice(workers)
                    told.add(worker)
                    signal_worker(worker, signal.SIGWINCH)
            for number, client in enumerate(clients):
                assert client.socket.recv(65536) == b"%d " % number * 200
            assert request(tcp, b"x") == b"x"
    daemon.assert_quiet()


# --- retiring -------------------------------------------------------------------------------------------------------

@pytest.fixture(params=["tcp", "unix", "several"])
def listen(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    return {"tcp": [tcp4()], "unix": [str(tmp_path / "sock")],
            "several": [tcp4(), str(tmp_path / "sock"), tcp4()]}[request.param]


@pytest.mark.parametrize("number", [signal.SIGWINCH, signal.SIGTERM], ids=["retire signal", "SIGTERM"])
def test_no_connection_is_lost_by_retiring(preforkd: Start, listen: list[str], number: int) -> None:
    """At random moments, with threads that are idle, busy or between."""
    daemon = preforkd({"www": {"listen": listen, **echoing(scaling="static", max_workers=16)}})
    dice, told = random.Random(1), set()
    with ClientPool(listen, count=12, pause=0.002) as clients:
        while len(told) < 120:
            workers = daemon.workers()
            if workers:
                worker = dice.choice(workers)
                told.add(worker)
                signal_worker(worker, number)
        clients.wait_served(100)
    daemon.assert_quiet()
    daemon.wait_workers(4)


@pytest.mark.long
def test_two_thousand_retirements_lose_nothing(preforkd: Start, tmp_path: Path) -> None:
    """Under load, on one listener and on several."""
    single, several = [tcp4()], [tcp4(), str(tmp_path / "sock")]
    pools = {"www": {"listen": single, **echoing(scaling="static", max_workers=16)},
             "more": {"listen": several, **echoing(scaling="static", max_workers=16)}}
    daemon = preforkd(pools)
    dice, told = random.Random(2), 0
    with ClientPool([*single, *several], count=12, pause=0.001) as clients:
        before: set[int] = set()
        while told < 2000:
            workers = {worker for pool in pools for worker in daemon.workers(pool)}
            for worker in workers - before:
                if dice.random() < 0.5:
                    signal_worker(worker, signal.SIGWINCH)
                    before.add(worker)
                    told += 1
            before &= workers
        clients.wait_served(100)
    daemon.assert_quiet()


def test_no_connection_is_left_waiting_by_retiring(preforkd: Start, tmp_path: Path) -> None:
    """A connection whose thread is told to go just when it was woken for it, and that is the only one: nobody else would
    be woken."""
    addresses = [tcp4(), str(tmp_path / "sock")]
    daemon = preforkd({"www": {"listen": addresses, **echoing(scaling="static", max_workers=8, restart_delay_min="1ms",
                                                              restart_delay_max="1ms")}})
    dice = random.Random(3)
    for number in range(100):
        workers = daemon.wait_workers(2)
        with connect(dice.choice(addresses), 5) as client:
            for worker in workers:
                signal_worker(worker, signal.SIGWINCH)
            client.sendall(b"%d" % number)
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"%d" % number
    daemon.assert_none(["worker died"])


def test_idle_threads_leave_at_once_and_busy_ones_at_their_end(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path)}}, control=True)
    [worker] = daemon.wait_workers(1)
    with held(address, 2) as clients:
        signal_worker(worker, signal.SIGWINCH)
        wait_until(lambda: len(os.listdir(f"/proc/{worker}/task")) == 3, "two of four threads have left")
        assert [client.end() for client in clients] == [b"end\n"] * 2
    wait_until(lambda: not alive(worker), "its end")
    daemon.wait_workers(1)
    daemon.wait_said("done after 2")
    assert daemon.said("done after 2") == 1
    daemon.assert_quiet()


def test_a_retired_process_holds_no_listener(preforkd: Start, listen: list[str], tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": listen, **asking(tmp_path)}}, control=True)
    [worker] = daemon.wait_workers(1)
    inodes = set(open_descriptors(worker).values())
    with held(listen[0], 1) as clients:
        signal_worker(worker, signal.SIGWINCH)

        def open_listeners() -> int:
            return sum(link.startswith("socket:") and link in inodes for link in open_descriptors(worker).values())

        # What is left is the socket to the log process, if there is one.
        sockets = sum(link.startswith("socket:") for link in inodes)
        wait_until(lambda: open_listeners() == sockets - len(listen), "its listeners are gone")
        assert clients[0].end() == b"end\n"


def test_a_module_that_blocks_signals_does_not_keep_its_worker(preforkd: Start, tmp_path: Path) -> None:
    """The mask is put right after each request, in each thread."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path)}}, control=True)
    [worker] = daemon.wait_workers(1)
    served: Counter[int] = Counter()
    while len(served) < THREADS or min(served.values()) < 3:
        asked = Asked(address, "block")
        served[asked.tid] += 1
        asked.rest()
    control_of(daemon).wait_idle()
    signal_worker(worker, signal.SIGWINCH)
    wait_until(lambda: not alive(worker), "its end")
    daemon.assert_quiet()


def test_reload_replaces_processes(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **echoing(scaling="static", max_workers=16)}}, control=True)
    before = set(daemon.wait_workers(4))
    control = control_of(daemon)
    with ClientPool([address], count=8, pause=0.002) as clients:
        for threads in (8, 1, 3, 4):
            daemon.pools["www"]["threads_per_worker"] = threads
            daemon.pools["www"]["max_workers"] = 16 if threads != 3 else 15
            daemon.write_config()
            assert control.verbs()["www"][0] == "roll"
            clients.wait_served(20)
            wait_until(lambda: not set(daemon.workers()) & before, "all are replaced")
            before = set(daemon.wait_workers((15 if threads == 3 else 16) // threads))
            assert counts(daemon)["old"] == 0
        control.do("restart www")
        wait_until(lambda: not set(daemon.workers()) & before, "all are replaced")
        clients.wait_served(20)
    daemon.wait_workers(4)
    assert counts(daemon)["total"] == 16
    daemon.assert_quiet()


# --- recycling ------------------------------------------------------------------------------------------------------

def test_requests_of_all_threads_are_counted_together(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, max_requests=20, max_requests_jitter="0%")}},
                      control=True)
    served: dict[int, int] = {}
    for _ in range(200):
        asked = Asked(address, "who")
        asked.rest()
        served[asked.pid] = served.get(asked.pid, 0) + 1
    # One after another: a process serves 20, and some more while the answer is under way.
    assert len(served) >= 3 and min(list(served.values())[:-1]) >= 20, served
    wait_until(lambda: totals(daemon)["requests"] == 200, "all requests")
    wait_until(lambda: totals(daemon)["recycled"] >= len(served) - 1, "all but the last are recycled")
    assert totals(daemon)["died"] == 0
    daemon.assert_quiet()


def test_recycling_under_load_loses_nothing(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **echoing(scaling="static", max_workers=16, max_requests=50,
                                                            max_worker_age="700ms", max_recycling=2)}}, control=True)
    with ClientPool([address], count=12, pause=0.001) as clients:
        clients.wait_served(3000, timeout=60)
        wait_until(lambda: totals(daemon)["recycled"] >= 10, "ten are recycled")
    daemon.assert_quiet()
    assert totals(daemon)["died"] == 0


def test_others_are_served_to_their_end(preforkd: Start, tmp_path: Path) -> None:
    """A process that is let go while one of its threads serves for long."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, max_requests=5, max_requests_jitter="0%")}},
                      control=True)
    [worker] = daemon.wait_workers(1)
    with held(address, 1) as [client]:
        others = []
        while not others or others[-1].pid == worker:
            others.append(Asked(address, "who"))
            others[-1].rest()
            assert len(others) < 50
        assert client.pid == worker and alive(worker)
        assert client.end() == b"end\n"
    wait_until(lambda: not alive(worker), "its end")
    daemon.assert_quiet()


def test_a_leak_is_bounded(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, max_worker_memory="64M")}}, control=True)
    [worker] = daemon.wait_workers(1)
    if is_sanitized(worker):
        pytest.skip("figures of memory say little under AddressSanitizer")
    largest, asked_for = 0, 0
    while totals(daemon)["recycled"] < 3:  # each serves on until another may take its place
        asked_for += 1
        assert asked_for < 300
        asked = Asked(address, f"leak {4 << 20}")
        asked.rest()
        try:
            largest = max(largest, resident_kb(asked.pid))
        except (OSError, KeyError):
            pass  # it has ended
    assert largest < (64 + 64) << 10
    daemon.assert_quiet()


# --- deadlines ------------------------------------------------------------------------------------------------------

def test_a_deadline_interrupts_its_own_thread(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, request_timeout="2s", kill_timeout="30s")}},
                      control=True)
    [worker] = daemon.wait_workers(1)
    for number in (1, 2):
        obedient = Asked(address, "obedient")
        time.sleep(1)
        sleepers = [Asked(address, "sleep 1200"), Asked(address, "sleep 1200")]
        assert obedient.rest() == b""
        assert [sleeper.rest() for sleeper in sleepers] == [b"slept\n"] * 2
        wait_until(lambda: totals(daemon)["handler_failures"] == number, "it has failed")
        assert totals(daemon)["request_timeouts"] == number
    assert daemon.workers() == [worker]
    wait_until(lambda: daemon.said("interrupted") == 2, "both are told")
    daemon.assert_none(["request killed", "worker died"])


def test_each_deadline_is_kept(preforkd: Start, tmp_path: Path) -> None:
    """All threads at once, and one that takes its time delays the others by no more than that."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, request_timeout="300ms", kill_timeout="5s")}},
                      control=True)
    [worker] = daemon.wait_workers(1)
    begun = time.monotonic()
    clients = [Asked(address, "late 300"), *(Asked(address, "obedient") for _ in range(3))]
    for client in clients:
        assert client.rest() == b""
    assert 0.25 < time.monotonic() - begun < 3 * SLOW
    wait_until(lambda: totals(daemon)["request_timeouts"] == 4, "four are interrupted")
    wait_until(lambda: counts(daemon)["idle"] == 4, "all are idle")
    assert daemon.workers() == [worker]
    daemon.assert_none(["request killed", "worker died"])


def test_a_request_that_does_not_obey_costs_its_process(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, request_timeout="1s", kill_timeout="400ms",
                                                           max_workers=8)}}, control=True)
    workers = daemon.wait_workers(2)
    stubborn = Asked(address, "stubborn")
    time.sleep(0.5)
    with held(address, 3) as others:
        assert stubborn.rest() in (b"", b"reset")
        wait_until(lambda: not alive(stubborn.pid), "its end")
        companions = [client for client in others if client.pid == stubborn.pid]
    wait_until(lambda: totals(daemon)["handler_deaths"] == 1, "it is counted")
    assert totals(daemon)["died"] == 0
    [survivor] = set(workers) - {stubborn.pid}
    assert survivor in daemon.workers()
    if companions:
        wait_until(lambda: daemon.told("others ended") == [len(companions)], "what it costs is told")
    daemon.wait_workers(2)


def test_a_late_order_does_not_hit_the_next_request(preforkd: Start) -> None:
    """Requests that end about when their deadline is over, many times: whoever comes next is served."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **echoing(scaling="static", max_workers=4, request_timeout="30ms",
                                                            kill_timeout="10s")}}, control=True)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        with connect(address) as client, connect(address) as other:
            time.sleep(0.029)
            for one in (client, other):
                one.shutdown(socket.SHUT_WR)
                try:
                    read_all(one)
                except ConnectionResetError:
                    pass
        begun = time.monotonic()
        try:
            reply = request(address, b"x")
        except ConnectionResetError:
            reply = b""
        assert reply == b"x" or time.monotonic() - begun > 0.025, "its own time was not over"
    daemon.assert_none(["backing off", "worker died"])


def who(address: str) -> int:
    """Which process serves a client."""
    asked = Asked(address, "who")
    asked.rest()
    return asked.pid


def test_detaching_takes_the_whole_process(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, detach_after="200ms", max_detached_workers=4)}},
                      control=True)
    [worker] = daemon.wait_workers(1)
    with held(address, 2) as clients:
        wait_until(lambda: counts(daemon)["detached"] == THREADS, "it is detached")
        # Those of its threads that have not learned of it may still accept.
        wait_until(lambda: who(address) != worker, "its threads accept no more")
        assert worker not in [who(address) for _ in range(10)]
        assert [client.end() for client in clients] == [b"end\n"] * 2
    wait_until(lambda: not alive(worker), "its end")
    assert totals(daemon)["detached"] == 1
    daemon.assert_quiet()


# --- what goes wrong ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["crash", "exit", "end"])
def test_a_crash_takes_its_process(preforkd: Start, tmp_path: Path, how: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, max_workers=8)}}, control=True)
    workers = daemon.wait_workers(2)
    for _ in range(8):  # the pool has served: no back-off
        Asked(address, "who").rest()
    with held(address, 4) as clients:
        crash = Asked(address, how)
        assert crash.rest() in (b"", b"reset")
        wait_until(lambda: not alive(crash.pid), "its end")
        assert all(client.end() == b"end\n" for client in clients if client.pid != crash.pid)
        [survivor] = set(workers) - {crash.pid}
        assert survivor in daemon.workers()
    daemon.wait_workers(2)
    wait_until(lambda: counts(daemon)["idle"] == 8, "no slot is lost")
    assert totals(daemon)["died"] == 1
    daemon.wait_message("worker died", worker=crash.pid)


def test_kill_worker_counts_the_requests_that_it_ends(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path)}}, control=True)
    [worker] = daemon.wait_workers(1)
    with held(address, 3):
        control_of(daemon).do(f"kill-worker {worker}")
        control_of(daemon).wait_totals(aborted=3)
    daemon.wait_workers(1)
    wait_until(lambda: counts(daemon)["idle"] == THREADS, "its successor is idle")


def test_a_stopped_process_serves_nobody(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path)}}, control=True)
    [worker] = daemon.wait_workers(1)
    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: counts(daemon)["busy"] == THREADS, "it counts as busy")
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: counts(daemon)["idle"] == THREADS, "all its threads are idle again")


def test_a_closed_descriptor_ends_the_worker(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path)}}, control=True)
    [worker] = daemon.wait_workers(1)
    Asked(address, "close").rest()

    def has_ended() -> bool:
        """A thread that waits in accept has its number already: it shows when the one that has closed it accepts."""
        if alive(worker):
            Asked(address, "who").rest()  # served, whoever it is
        return not alive(worker)

    wait_until(has_ended, "its end")
    daemon.wait_message("worker died", worker=worker)
    daemon.wait_workers(1)


def test_the_masters_death_ends_all_threads(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, max_workers=8)}}, control=True)
    workers = daemon.wait_workers(2)
    with held(address, 1) as [client]:
        [other] = set(workers) - {client.pid}
        os.kill(daemon.pid, signal.SIGKILL)
        wait_until(lambda: not alive(other), "the end of the idle one")
        assert client.end() == b"end\n"
    wait_until(lambda: not alive(client.pid), "the end of the busy one")


# --- upgrades -------------------------------------------------------------------------------------------------------

def test_upgrades_take_processes_with_all_their_slots_over(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **asking(tmp_path, max_workers=8)}}, control=True)
    workers = daemon.wait_workers(2)
    for _ in range(10):
        Asked(address, "who").rest()
    wait_until(lambda: totals(daemon)["requests"] == 10, "all are counted")
    control_of(daemon).wait_workers(8)
    with held(address, 5) as clients:
        daemon.send_signal(signal.SIGUSR2)
        daemon.wait_message("upgraded")
        now = counts(daemon)
        assert (now["total"], now["busy"], now["idle"]) == (8, 5, 3)
        assert daemon.workers() == workers
        assert [client.end() for client in clients] == [b"end\n"] * 5
    wait_until(lambda: totals(daemon)["requests"] == 15, "nothing is counted twice")
    with held(address, 8):
        os.kill(workers[0], signal.SIGWINCH)
    new = daemon.wait_workers(2, without=workers[:1])
    wait_until(lambda: counts(daemon)["idle"] == 8, "eight slots")
    pids = [row["pid"] for row in control_of(daemon).pool(workers=True)["workers"]]
    assert sorted(pids) == sorted(new * THREADS)


def test_upgrades_under_load(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **echoing(scaling="static", max_workers=8, max_requests=100)}}, control=True)
    with ClientPool([address], count=8, pause=0.002) as clients:
        for _ in range(3):
            mark = daemon.log_mark()
            daemon.send_signal(signal.SIGUSR2)
            daemon.wait_message("upgraded", after=mark)
            clients.wait_served(50)
    assert totals(daemon)["died"] == 0
