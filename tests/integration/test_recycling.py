"""Workers that have served enough are replaced: by requests, by age, by memory; ahead, and only so many at a time."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from control import control_of
from daemon import SLOW, Daemon, Life, alive, burst, connect, request, stays, tcp4, wait_until
from methods import SHELLS_PID, not_at_touch
from served import Served, Watch, most_at_once, per_worker, processes_below, served

Start = Callable[..., Daemon]
Program = Callable[[str], str]

DEBUG = {"log_level": "debug"}  # for Daemon.lives()


def wait_idle(daemon: Daemon, count: int) -> None:
    """Wait until the master knows so many workers that wait for a connection; before that they start, and in a full pool
    one that starts counts as the replacement of one that has gone."""
    wait_until(lambda: control_of(daemon).pool()["counts"]["idle"] == count, f"{count} idle workers")


def one_after_another(address: str, count: int) -> list[Served]:
    return [served(request(address)) for _ in range(count)]


# --- by requests ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("keys", [
    {"scaling": "static", "max_workers": 1},
    {"min_spare_workers": 1, "max_spare_workers": 1, "max_workers": 1},
    {"min_spare_workers": 1, "max_spare_workers": 1, "max_workers": 5},
    {"scaling": "static", "max_workers": 3},
], ids=["one", "no room", "room", "three"])
def test_exactly_max_requests(preforkd: Start, program: Program, keys: dict[str, object]) -> None:
    """Without jitter, one client after another: every worker that has gone served exactly so many."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "0"], "max_requests": 5,
                               "max_requests_jitter": "0%", "max_recycling": 10, **keys}}, control=True)
    counts = per_worker(one_after_another(address, 100))
    gone = {worker: count for worker, count in counts.items() if not alive(worker)}
    assert len(gone) >= 100 // 5 - 5 - int(str(keys["max_workers"]))
    assert set(gone.values()) == {5}, counts
    assert max(counts.values()) == 5
    assert control_of(daemon).pool()["totals"]["recycled"] >= len(gone)
    told = [text for text in control_of(daemon).decisions() if text.startswith("recycling worker")]
    assert told and all("(max_requests, 5 requests)" in text for text in told), "with its last request"


def test_jitter_spreads_the_ends(preforkd: Start, program: Program) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": [program("wait"), "0"], "max_requests": 20,
                      "max_requests_jitter": "50%", "scaling": "static", "max_workers": 1}})
    counts = list(per_worker(one_after_another(address, 300)).values())[:-1]
    assert len(counts) >= 300 // 30 - 1
    assert all(10 <= count <= 30 for count in counts), counts
    assert len(set(counts)) > 1, f"no jitter: {counts}"


def test_a_stopped_master_is_not_waited_for_again(preforkd: Start) -> None:
    """A worker that asked in vain serves on at full speed, and goes when the master is back."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_requests": 2, "max_requests_jitter": "0%",
                               "scaling": "static", "max_workers": 1}})
    [worker] = daemon.wait_workers(1)
    daemon.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        for _ in range(30):
            assert request(address, b"x") == b"x"
        took = time.monotonic() - begun
    finally:
        daemon.send_signal(signal.SIGCONT)
    assert took < 5 * SLOW, f"{took:.1f} s for 30 requests"
    wait_until(lambda: not alive(worker), "the end of a worker that asked long ago")
    assert request(address, b"x") == b"x"


def test_the_replacement_is_there_first(preforkd: Start) -> None:
    """A worker in its last request has a replacement; when it goes, nothing has to be started. (Without
    min_spare_workers nothing but recycling would start another worker here.)"""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_requests": 1, "max_requests_jitter": "0%",
                               "min_spare_workers": 0, "max_spare_workers": 1, "start_workers": 1, "max_workers": 4}},
                      master=DEBUG)
    [first] = daemon.wait_workers(1)
    with connect(address) as chat:
        chat.sendall(b"last\n")
        assert chat.recv(100) == b"last\n"
        second = next(worker for worker in daemon.wait_workers(2) if worker != first)
        assert request(address, b"x") == b"x", "served by the replacement"
    wait_until(lambda: not alive(first), "the end of the first")
    assert Life("forked", second, "recycle") in daemon.lives()


@pytest.mark.parametrize("scaling", ["static", "dynamic"])
def test_recycling_stays_within_max_workers(preforkd: Start, program: Program, scaling: str) -> None:
    """A worker that serves its last request still counts: no more requests at once than max_workers, whatever goes; but for
    one that was let go while it was idle, and got a connection in that moment."""
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": [program("wait"), "30"], "max_requests": 1, "max_recycling": 4,
                      "max_requests_jitter": "0%", "scaling": scaling, "max_workers": 4}})
    assert 1 < most_at_once(map(served, burst(address, 60))) <= 5


def test_never_more_than_max_recycling_at_once(preforkd: Start, program: Program) -> None:
    """Every worker wants to go after every request, one may."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "30"], "max_requests": 1,
                               "max_requests_jitter": "0%", "max_recycling": 1, "scaling": "static",
                               "max_workers": 4}}, control=True)
    daemon.wait_workers(4)
    with Watch(lambda: processes_below(daemon), pause=0) as watch:
        answers = [served(reply) for reply in burst(address, 80)]
    assert most_at_once(answers) == 4
    # One idle worker that goes may still be there when the one in its place is.
    assert 3 <= watch.least and watch.most <= 5
    assert control_of(daemon).pool()["totals"]["recycled"] >= 5


@not_at_touch(SHELLS_PID)
def test_later(preforkd: Start, tmp_path: Path) -> None:
    """While another's recycling is not over, a worker that has served enough serves on, and is replaced afterwards."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/sh -c 'echo $PPID; cat'", "max_requests": 1,
                               "max_requests_jitter": "0%", "max_recycling": 1, "scaling": "static",
                               "max_workers": 2}}, master={"control": tmp_path / "control.sock"})
    wait_idle(daemon, 2)
    with connect(address) as chat:
        first = int(chat.recv(100))
        other = int(request(address))
        assert other != first
        begin = time.monotonic()
        assert [int(request(address)) for _ in range(20)] == [other] * 20, "nobody else is there"
        assert time.monotonic() - begin < 15, "it is told at once, not after waiting for a word"
    wait_until(lambda: not alive(first), "the end of the first")
    wait_until(lambda: request(address) and not alive(other), "the end of the other")


@not_at_touch(SHELLS_PID)
def test_who_asks_first_goes_first(preforkd: Start, tmp_path: Path) -> None:
    """Several ask before the master looks: the one that has served enough for longest is let go, wherever it stands in the
    master's list."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/sh -c 'echo $PPID; cat'", "max_requests": 1,
                               "max_requests_jitter": "0%", "max_recycling": 1, "scaling": "static",
                               "max_workers": 4}}, master={**DEBUG, "control": tmp_path / "control.sock"})
    wait_idle(daemon, 4)
    daemon.send_signal(signal.SIGSTOP)
    try:
        chats, pids = [], []
        for _ in range(4):  # each has begun when the next comes
            chats.append(connect(address))
            pids.append(int(chats[-1].recv(100)))
    finally:
        daemon.send_signal(signal.SIGCONT)
    control = control_of(daemon)
    gone = wait_until(lambda: [text for text in control.decisions() if text.startswith("recycling worker ")], "one that goes")
    assert gone[-1].startswith(f"recycling worker {pids[0]} ")
    for chat in chats:
        chat.close()


def test_nobody_goes_while_workers_cannot_start(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """Those of the old generation have served enough, and the new ones' user may not enter their directory any more."""
    closed = tmp_path / "closed"
    closed.mkdir(0o755)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_requests": 1, "max_requests_jitter": "0%",
                               "scaling": "static", "max_workers": 2, "restart_delay_min": "1h",
                               "restart_delay_max": "1h", "directory": str(closed)}},
                      master={**DEBUG, "control": tmp_path / "control.sock"})
    before = daemon.wait_workers(2)
    daemon.may_leak = True  # the scoreboard of the workers that are not replaced
    closed.chmod(0o700)
    control_of(daemon).do("restart www")
    daemon.wait_message("backing off")
    for _ in range(10):
        assert request(address, b"x") == b"x"
    assert daemon.wait_workers(2) == before


def test_nobody_goes_without_the_replacement_there_is_room_for(preforkd: Start) -> None:
    """The master is out of descriptors, so that no process can be made."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_requests": 1, "max_requests_jitter": "0%",
                               "min_spare_workers": 0, "max_spare_workers": 1, "start_workers": 1, "max_workers": 4,
                               "restart_delay_min": "1h", "restart_delay_max": "1h"}}, control=True)
    before = daemon.wait_workers(1)
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, hard))
    for _ in range(5):
        assert request(address, b"x") == b"x"
    assert daemon.workers() == before
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))  # a leak checker needs some at its end, too
    pool = control_of(daemon).pool()
    assert (pool["totals"]["start_failures"], pool["totals"]["forked"]) == (1, 1), "no process could be made"


def test_nothing_is_lost_when_all_recycle_all_the_time(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_requests": 1, "max_requests_jitter": "0%",
                               "max_recycling": 10, "max_workers": 12}})
    with ClientPool([address], count=8, pause=0.005) as clients:
        clients.wait_served(400)
    daemon.assert_quiet()


# --- by age ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("scaling", ["static", "dynamic"])
def test_age_replaces_idle_workers(preforkd: Start, scaling: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_worker_age": "500ms", "max_recycling": 1,
                               "scaling": scaling, "max_workers": 3, **({} if scaling == "static" else
                               {"min_spare_workers": 2, "max_spare_workers": 3, "start_workers": 3})}}, control=True)
    before = set(daemon.wait_workers(3))
    with ClientPool([address], count=1) as clients, Watch(lambda: processes_below(daemon), pause=0) as watch:
        for _ in range(2):
            wait_until(lambda: not before & set(daemon.workers()), "nobody of the old ones")
            before = set(daemon.workers())
        clients.wait_served(10)
    assert 2 <= watch.least and watch.most <= 5  # the one that goes may not have ended when the next does
    assert any("(max_worker_age, " in text for text in control_of(daemon).decisions())


def test_age_replaces_workers_that_are_never_idle(preforkd: Start, program: Program) -> None:
    """One that is always busy goes between two requests. A late answer of the master lets it serve beside the one that
    replaces it, once more."""
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": [program("wait"), "50"], "max_worker_age": "500ms",
                      "scaling": "static", "max_workers": 2}})
    answers = [served(reply) for reply in burst(address, 80)]
    assert len(per_worker(answers)) >= 4
    assert most_at_once(answers) in (2, 3)


def test_a_long_request_is_not_cut_by_age(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_worker_age": "200ms",
                               "scaling": "static", "max_workers": 2}})
    before = daemon.wait_workers(2)
    with connect(address) as chat:
        wait_until(lambda: sum(map(alive, before)) <= 1, "the end of the idle one")
        chat.sendall(b"still here\n")
        assert chat.recv(100) == b"still here\n"
        [busy] = [worker for worker in before if alive(worker)]
        stays(lambda: alive(busy), "it serves", 0.6)
    wait_until(lambda: not alive(busy), "its end after the request")


# --- by memory ------------------------------------------------------------------------------------------------------

def test_memory(preforkd: Start, program: Program) -> None:
    """No worker is as small as the limit, so each goes after one request."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "0"], "max_worker_memory": "4K",
                               "scaling": "static", "max_workers": 1}}, control=True)
    assert set(per_worker(one_after_another(address, 10)).values()) == {1}
    assert any("(max_worker_memory, 1 request)" in text for text in control_of(daemon).decisions())


def test_workers_below_the_memory_limit_stay(preforkd: Start, program: Program) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": [program("wait"), "0"], "max_worker_memory": "256M",
                      "scaling": "static", "max_workers": 1}})
    assert len(per_worker(one_after_another(address, 10))) == 1


def test_recycling_is_counted(preforkd: Start, program: Program) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [program("wait"), "0"], "max_requests": 2,
                               "max_requests_jitter": "0%", "scaling": "static", "max_workers": 1}}, control=True)
    gone = len(per_worker(one_after_another(address, 11))) - 1
    assert control_of(daemon).pool()["totals"]["recycled"] == gone == 5
