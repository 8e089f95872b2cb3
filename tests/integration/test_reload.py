"""SIGHUP: what each kind of change does to the workers, what refuses a reload, and what a thousand reloads leave behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clients import ClientPool
from control import control_of
from daemon import (SLOW, Daemon, abstract, children, connect, free_port, in_mounts_of, is_sanitized,
                    listener_inode, read_all, refuses, request, status_value, stays, tcp4, title, wait_until)
from pools import static

Start = Callable[..., Daemon]


def announced(daemon: Daemon) -> tuple[str, list[str]]:
    """What a reload of the configuration as it is to be would do to the pool `www`."""
    daemon.write_config()
    return control_of(daemon).verbs("reload --dry-run")["www"]


def why_refused(daemon: Daemon) -> list[tuple[int | None, str]]:
    """Reload, which must fail: the problems, as (line, file and text)."""
    daemon.hup_only("reload refused")
    return [(problem["line"], f"{problem['file']}: {problem['text']}")
            for problem in control_of(daemon).refused("reload", "refused")["problems"]]


@contextmanager
def process_census(daemon: Daemon, pool: str = "www") -> Iterator[list[int]]:
    """The largest number of worker processes that were seen at one time, in a list of one number."""
    most = [0]
    end = threading.Event()

    def watch() -> None:
        while not end.is_set():
            most[0] = max(most[0], len(daemon.workers(pool)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        end.set()
        thread.join()


# --- the verbs ------------------------------------------------------------------------------------------------------

def test_nothing_changed_touches_nothing(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(3)}}, control=True)
    control = control_of(daemon)
    workers, inode = daemon.wait_workers(3), listener_inode(address)
    wait_until(lambda: control.pool()["counts"]["idle"] == 3, "ready workers")
    decisions = control.decisions()
    assert announced(daemon) == ("keep", [])
    daemon.hup("reloaded")
    assert control.decisions() == decisions and control.pool()["generation"] == 1
    assert listener_inode(address) == inode
    stays(lambda: daemon.workers() == workers, "the workers stay", 0.3)


@pytest.mark.parametrize(("key", "value"), [
    ("max_workers", 8), ("spare_timeout", "77s"), ("max_requests", 1000), ("max_worker_age", "1h"),
    ("max_connections_per_source", 50), ("queue_timeout", "1h"), ("request_timeout", "1h"), ("kill_timeout", "7s"), ("detach_after", "1h"),
    ("backlog", 33), ("tcp_nodelay", True), ("tcp_keepalive", True), ("when_full", "refuse"), ("reload_surge", "50%"),
])
def test_limits_change_without_touching_a_worker(preforkd: Start, key: str, value: object) -> None:
    """And without touching the request it serves."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 3, "max_spare_workers": 3,
                               "max_workers": 4}}, control=True)
    workers = daemon.wait_workers(3)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        workers = daemon.wait_workers(4)  # three spare ones beside the busy one
        daemon.pools["www"][key] = value
        assert announced(daemon) == ("limits", [key])
        daemon.hup("reloaded")
        assert control_of(daemon).pool()["generation"] == 1
        stays(lambda: set(workers) <= set(daemon.workers()), "the workers stay", 0.3)
        client.sendall(b"y")
        assert client.recv(1) == b"y"


def test_new_limits_hold(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}})
    workers = daemon.wait_workers(2)
    daemon.pools["www"]["max_workers"] = 5
    daemon.hup("reloaded")
    assert set(workers) < set(daemon.wait_workers(5))
    daemon.pools["www"]["max_workers"] = 1
    daemon.hup("reloaded")
    daemon.wait_workers(1)
    assert request(address, b"x") == b"x"


def test_a_lower_limit_waits_for_requests(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(4)}})
    daemon.wait_workers(4)
    clients = [connect(address) for _ in range(4)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    daemon.pools["www"]["max_workers"] = 1
    daemon.hup("reloaded")
    for client in clients:
        with client:
            client.sendall(b"y")
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"y"
    daemon.wait_workers(1)


def test_a_backlog_that_changes_is_in_force(preforkd: Start) -> None:
    """And the effective value is shown as at the start."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1), "backlog": 3}}, control=True)
    assert [listener["backlog"] for listener in control_of(daemon).pool()["listeners"]] == [3]
    daemon.pools["www"]["backlog"] = 44
    daemon.hup("reloaded")
    port = int(address.rpartition(":")[2])
    assert listening_backlog(port) == 44
    assert [listener["backlog"] for listener in control_of(daemon).pool()["listeners"]] == [44]


def listening_backlog(port: int) -> int:
    """What the kernel says of the listening socket (the largest queue), as ss(8) asks it."""
    output = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    return int(output.split()[2])


@pytest.mark.parametrize(("key", "value"), [
    ("handler", ["/bin/cat", "-u"]), ("environment", "A=1"), ("umask", "077"), ("nice", 3), ("directory", "/tmp"),
    ("limit_nofile", "77"), ("no_new_privileges", False), ("stderr", "null"),
])
def test_a_roll_replaces_every_worker(preforkd: Start, key: str, value: object) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(3)}}, control=True)
    workers = daemon.wait_workers(3)
    daemon.pools["www"][key] = value
    assert announced(daemon) == ("roll", [key])
    daemon.hup("reloaded")
    assert control_of(daemon).pool()["generation"] == 2
    wait_until(lambda: not set(daemon.workers()) & set(workers), "the end of the old workers")
    daemon.wait_workers(3)


@pytest.mark.parametrize(("workers", "surge", "extra"), [(10, "25%", 3), (4, "1%", 1), (6, "100%", 6)])
def test_a_roll_stays_within_the_surge(preforkd: Start, workers: int, surge: str, extra: int) -> None:
    """New ones first: never fewer than before, and never more ahead than the surge; by the log, which misses nothing."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(workers, reload_surge=surge)}}, master={"log_level": "debug"})
    before = daemon.wait_workers(workers)
    mark = daemon.log_mark()
    with process_census(daemon) as most, ClientPool([address], count=2):
        daemon.pools["www"]["environment"] = "A=1"
        daemon.hup("reloaded")
        wait_until(lambda: not set(daemon.workers()) & set(before), "the roll")
        daemon.wait_workers(workers)
    ahead = largest = 0
    for life in daemon.lives(after=mark):
        if life.reason == "roll":
            ahead += 1 if life.what == "forked" else -1
        largest = max(largest, ahead)
        assert 0 <= ahead <= extra, daemon.lives(after=mark)
    assert ahead == 0 and largest > 0
    assert most[0] <= workers + extra


def test_a_roll_waits_for_requests_in_flight(preforkd: Start) -> None:
    """Within the surge also while the old ones cannot go; and it goes on when they can."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(8, reload_surge="25%")}})
    old = daemon.wait_workers(8)
    clients = [connect(address) for _ in range(8)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    daemon.pools["www"]["environment"] = "A=1"
    with process_census(daemon) as most:
        daemon.hup("reloaded")
        wait_until(lambda: request(address, b"new", timeout=5) == b"new", "a new worker")
        stays(lambda: set(old) <= set(daemon.workers()), "busy workers stay", 0.3)
        for client in clients:
            with client:
                client.sendall(b"y")
                client.shutdown(socket.SHUT_WR)
                assert read_all(client) == b"y"
        wait_until(lambda: not set(daemon.workers()) & set(old), "the end of the old workers")
        daemon.wait_workers(8)
    assert most[0] <= 10


def test_a_rebind_stays_within_the_surge_too(preforkd: Start) -> None:
    """While the old listener cannot drain the old workers stay, and so the new ones must be few."""
    old_address, new = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": old_address, **static(6, reload_surge="34%")}})
    daemon.wait_workers(6)
    clients = [connect(old_address) for _ in range(6)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    waiting = connect(old_address)  # keeps the old listener from draining
    with process_census(daemon) as most:
        daemon.pools["www"]["listen"] = new
        daemon.hup("reloaded")
        assert request(new, b"new") == b"new"
        waiting.sendall(b"z")
        waiting.shutdown(socket.SHUT_WR)
        assert read_all(waiting) == b"z"
        waiting.close()
        for client in clients:
            client.close()
        wait_until(lambda: len(daemon.workers()) == 6, "the roll")
    # One more than the surge: the worker that serves what waits on the old listener.
    assert most[0] <= 6 + 3 + 1


def test_who_empties_a_closing_listener_takes_nobodys_place(preforkd: Start, tmp_path: Path) -> None:
    """It comes in addition to max_workers, and serves no new connection: none of the others goes because it is there."""
    old_address, new = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": old_address, **static(2, reload_surge="50%")}},
                      master={"log_level": "debug", "control": tmp_path / "control.sock"})
    control = control_of(daemon)
    daemon.wait_workers(2)
    clients = [connect(old_address) for _ in range(2)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    waiting = [connect(old_address) for _ in range(2)]  # the first has the one that helps, the second goes on waiting
    daemon.pools["www"]["listen"] = new
    daemon.hup("reloaded")
    waiting[0].sendall(b"z")
    assert waiting[0].recv(1) == b"z"
    counts = control.pool()["counts"]
    assert counts["total"] == 3 and counts["retiring"] == 1, counts
    assert request(new, b"new") == b"new"
    for client in (*waiting, *clients):
        client.close()
    wait_until(lambda: control.pool()["counts"]["idle"] == 2 and len(daemon.workers()) == 2, "the roll")
    assert not [life for life in daemon.lives() if life.reason == "surplus"]
    assert not [text for text in control.decisions() if text.startswith("-")]


def test_a_roll_of_a_roll(preforkd: Start) -> None:
    """A second change while the first is being rolled out: only the last one's workers stay."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(12, handler="/bin/sh -c 'echo $ROUND'", reload_surge="10%")}})
    daemon.wait_workers(12)
    with process_census(daemon) as most:
        for number in range(1, 8):
            daemon.pools["www"]["environment"] = f"ROUND={number}"
            daemon.hup("reloaded")
        wait_until(lambda: request(address) == b"7\n", "the last round")
        old = set(daemon.workers())
        wait_until(lambda: all(request(address) == b"7\n" for _ in range(24)), "only the last round")
        daemon.wait_workers(12)
    assert most[0] <= 12 + 2, old


def test_new_workers_that_cannot_start_leave_the_old_ones(preforkd: Start, tmp_path: Path) -> None:
    """The directory closes after it was checked: the new generation fails and backs off, the old one serves."""
    address = tcp4()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o755)
    daemon = preforkd({"www": {"listen": address, "directory": closed, **static(3, restart_delay_max="100ms")}}, control=True)
    old = set(daemon.wait_workers(3))
    closed.chmod(0)
    control_of(daemon).do("restart www")
    wait_until(lambda: control_of(daemon).pool()["totals"]["start_failures"] > 0, "a failed start")
    assert daemon.find_message("worker died")
    stays(lambda: old <= set(daemon.workers()), "the old workers stay", 0.5)
    assert request(address, b"x") == b"x"
    closed.chmod(0o755)
    wait_until(lambda: not old & set(daemon.workers()), "the roll goes on", 20)
    assert request(address, b"x") == b"x"


def test_a_directory_that_workers_may_not_enter_is_refused(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}})
    (tmp_path / "closed").mkdir(mode=0)
    daemon.pools["www"]["directory"] = str(tmp_path / "closed")
    daemon.hup("reload refused")
    assert request(address, b"x") == b"x"


def test_pools_come_and_go(preforkd: Start) -> None:
    addresses = [tcp4() for _ in range(3)]
    daemon = preforkd({"one": {"listen": addresses[0], **static(1)}})
    daemon.pools["two"] = {"listen": addresses[1], **static(2)}
    daemon.pools["three"] = {"listen": addresses[2], **static(1)}
    daemon.hup("reloaded")
    for address in addresses:
        assert request(address, b"x") == b"x"
    kept = daemon.wait_workers(2, "two")
    del daemon.pools["one"], daemon.pools["three"]
    daemon.hup("reloaded")
    wait_until(lambda: len(children(daemon.pid)) == 2, "the end of the removed pools")
    assert daemon.workers("two") == kept
    assert refuses(addresses[0]) and refuses(addresses[2])
    assert request(addresses[1], b"x") == b"x"


# --- what refuses a reload ------------------------------------------------------------------------------------------

def assert_untouched(daemon: Daemon, address: str, workers: list[int]) -> None:
    stays(lambda: daemon.workers() == workers, "the workers stay", 0.2)
    assert request(address, b"x") == b"x"


def test_a_bad_file_changes_nothing_and_says_everything(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, control=True)
    workers = daemon.wait_workers(2)
    good = daemon.config.read_text()
    lines = good.splitlines() + ["max_worker = 3", "nice = 99", "[www]", "nonsense", "[other]", "listen = 127.0.0.1:0"]
    daemon.write_raw_config("\n".join(lines) + "\n")
    problems = why_refused(daemon)
    first = len(good.splitlines()) + 1
    assert {line for line, _ in problems} >= {first, first + 1, first + 2, first + 3, first + 5}, problems
    assert all(text.startswith(f"{daemon.config}: ") for _, text in problems), problems
    assert any("max_workers" in text for _, text in problems), "a misspelt key gets a suggestion"
    assert_untouched(daemon, address, workers)
    daemon.hup("reloaded")
    assert_untouched(daemon, address, workers)


def test_a_file_that_is_gone(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, control=True)
    workers = daemon.wait_workers(2)
    daemon.config.unlink()
    assert any(str(daemon.config) in text for _, text in why_refused(daemon))
    assert_untouched(daemon, address, workers)
    daemon.hup("reloaded")


def test_a_configuration_without_pools_is_refused(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, control=True)
    workers = daemon.wait_workers(2)
    daemon.write_raw_config(f"[preforkd]\ncontrol = {control_of(daemon).path}\n")
    assert any("no pool" in text for _, text in why_refused(daemon))
    assert_untouched(daemon, address, workers)


def test_a_listener_that_cannot_be_opened(preforkd: Start) -> None:
    """Phase one is undone: also what could be opened is closed again, and no limit of the new file holds."""
    address, fine = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, control=True)
    workers = daemon.wait_workers(2)
    control_of(daemon).wait_at_rest()  # the master has made them, too
    daemon.wait_asleep()  # and has closed the connection of that question
    before = daemon.descriptors()
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        bad = f"127.0.0.1:{taken.getsockname()[1]}"
        good_pools = {name: dict(options) for name, options in daemon.pools.items()}
        daemon.pools["www"]["max_workers"] = 4
        daemon.pools["new"] = {"listen": fine, **static(1)}
        daemon.pools["bad"] = {"listen": bad, **static(1)}
        daemon.write_config()
        line = daemon.config.read_text().splitlines().index(f"listen = {bad}") + 1
        [(where, text)] = why_refused(daemon)
        assert where == line and text.startswith(f"{daemon.config}: ") and bad in text and "in use" in text
        assert_untouched(daemon, address, workers)
        assert refuses(fine)
        daemon.wait_descriptors(before)
    daemon.hup("reloaded")  # the port is free now
    assert request(bad, b"x") == b"x"
    daemon.wait_workers(4)
    daemon.pools = good_pools
    daemon.hup("reloaded")
    daemon.wait_workers(2)


# --- addresses that change hands ----------------------------------------------------------------------------------------

def says(word: str) -> dict[str, Any]:
    """A pool whose clients can tell it from others: it echoes, the pool's word first."""
    return {"handler": ["/bin/sh", "-c", f"printf {word}:; exec cat"], "min_spare_workers": 2, "max_spare_workers": 4}


@pytest.mark.parametrize("kind", ["tcp", "unix", "abstract", "two listeners"])
def test_a_pool_gets_another_name(preforkd: Start, tmp_path: Path, kind: str) -> None:
    """… again and again, and nobody who connects meanwhile is refused or lost."""
    listen = {"tcp": [tcp4()], "unix": [str(tmp_path / "socket")], "abstract": [abstract()],
              "two listeners": [tcp4(), str(tmp_path / "socket")]}[kind]
    daemon = preforkd({"n0": {"listen": listen, "handler": "/bin/cat", "socket_mode": "0666", "min_spare_workers": 2}})
    files = [os.stat(address).st_ino for address in listen if address.startswith("/")]
    sockets = list(map(listener_inode, listen))
    with ClientPool(listen, count=8) as clients:
        for number in range(1, 8):
            clients.wait_served(10)
            daemon.pools = {f"n{number}": daemon.pools[f"n{number - 1}"]}
            daemon.hup("reloaded")
        clients.wait_served(10)
    assert clients.refused == 0
    assert [os.stat(address).st_ino for address in listen if address.startswith("/")] == files
    assert list(map(listener_inode, listen)) == sockets
    wait_until(lambda: not daemon.workers("n0") and not daemon.workers("n6"), "the end of the former pools")
    daemon.layout_at_start = None


def test_an_address_goes_to_another_pool(preforkd: Start) -> None:
    """And back, and two pools exchange theirs; each is served by the pool whose it is, from the reload on."""
    first, second, third = tcp4(), tcp4(), tcp4()
    daemon = preforkd({"a": {"listen": [first, third], **says("a")}, "b": {"listen": second, **says("b")}})

    def spoken() -> list[bytes]:
        return [request(address, b"x") for address in (first, second, third)]

    def move(a: list[str], b: list[str], expected: list[bytes]) -> None:
        daemon.pools["a"]["listen"], daemon.pools["b"]["listen"] = a, b
        daemon.hup("reloaded")
        # A worker of the old pool may have been given a connection just before; it is retired by now.
        wait_until(lambda: spoken() == expected, "the pools in their new places")
        for _ in range(10):
            assert spoken() == expected

    assert spoken() == [b"a:x", b"b:x", b"a:x"]
    move([first], [second, third], [b"a:x", b"b:x", b"b:x"])
    move([second, third], [first], [b"b:x", b"a:x", b"a:x"])
    move([first, third], [second], [b"a:x", b"b:x", b"a:x"])
    daemon.layout_at_start = None


def test_who_waits_is_served_by_the_new_pool(preforkd: Start) -> None:
    """A request in flight ends as it began; those in the queue are the new pool's."""
    address = tcp4()
    daemon = preforkd({"old": {"listen": address, **says("old"), "min_spare_workers": 1, "max_spare_workers": 1,
                               "max_workers": 1}})
    with connect(address) as busy:
        busy.sendall(b"x")
        begun = b""
        while begun != b"old:x":
            begun += busy.recv(100)
        with connect(address) as waiting:
            waiting.sendall(b"y")
            waiting.shutdown(socket.SHUT_WR)
            daemon.pools = {"new": {"listen": address, **says("new")}}
            daemon.hup("reloaded")
            assert read_all(waiting) == b"new:y"
        busy.sendall(b"z")
        busy.shutdown(socket.SHUT_WR)
        assert read_all(busy) == b"z"
    wait_until(lambda: not daemon.workers("old"), "the end of the old pool")


def test_a_refused_move_moves_nothing(preforkd: Start) -> None:
    address, taken = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}})
    workers = daemon.wait_workers(2)
    with socket.create_server(("127.0.0.1", int(taken.rpartition(":")[2]))):
        daemon.pools = {"renamed": daemon.pools["www"], "other": {"listen": taken, "handler": "/bin/cat"}}
        daemon.hup("reload refused")
        assert_untouched(daemon, address, workers)


def test_a_handler_that_does_not_exist(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, control=True)
    workers = daemon.wait_workers(2)
    daemon.pools["www"]["handler"] = "/no/such/program"
    daemon.write_config()
    assert any("/no/such/program" in text for _, text in why_refused(daemon))
    assert_untouched(daemon, address, workers)


def make_hang(daemon: Daemon) -> Path:
    """The configuration becomes a FIFO that nobody writes: the child that reads it waits."""
    fifo = daemon.config.with_name("fifo")
    os.mkfifo(fifo)
    daemon.config.unlink()
    daemon.config.symlink_to(fifo)
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: any("reading" in title(pid) for pid in children(daemon.pid)), "the child that reads")
    return fifo


def test_a_file_that_hangs_does_not_stop_the_daemon(preforkd: Start) -> None:
    """The child that reads the configuration waits, the daemon serves. It is given up after a while, and a signal that
    comes later is heard."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}})
    workers = daemon.wait_workers(2)
    mark = daemon.log_mark()
    start = time.monotonic()
    make_hang(daemon)
    with ClientPool([address], count=4) as clients:
        while not daemon.find_message("reload refused", after=mark):
            clients.wait_served(1)
            assert time.monotonic() - start < 15 * SLOW
    assert time.monotonic() - start > 4
    daemon.assert_problem("preforkd.conf", "it is a pipe or a device from which nothing comes", after=mark)
    assert daemon.workers() == workers
    assert not any("reading" in title(pid) for pid in children(daemon.pid))
    daemon.config.unlink()
    daemon.hup("reloaded")


def test_a_reload_may_be_asked_for_while_one_hangs(preforkd: Start) -> None:
    """What is being read may be older than the wish: it is read again."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}})
    daemon.wait_workers(2)
    fifo = make_hang(daemon)
    daemon.config.unlink()
    daemon.pools["www"]["max_workers"] = 3
    daemon.hup(None)
    os.close(wait_until(lambda: open_writer(fifo), "the reader"))
    daemon.wait_workers(3)
    assert len(daemon.messages("reloaded")) == 1


def open_writer(fifo: Path) -> int | None:
    """A descriptor to write to a FIFO that somebody reads; None as long as nobody does. Never waits."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def test_a_stop_does_not_wait_for_a_file_that_hangs(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **static(2)}})
    make_hang(daemon)
    start = time.monotonic()
    daemon.stop()
    assert time.monotonic() - start < 4 * SLOW


def test_a_stop_while_the_first_file_hangs(preforkd: Start, tmp_path: Path) -> None:
    """Nothing runs yet; TERM ends it as ever."""
    os.mkfifo(tmp_path / "fifo")
    daemon = preforkd(arguments=["-c", str(tmp_path / "fifo")], ready=False)
    wait_until(lambda: any("reading" in title(pid) for pid in children(daemon.pid)), "the child that reads")
    daemon.stop()


def test_a_user_look_up_that_hangs(preforkd: Start, tmp_path: Path, own_mounts: Path) -> None:
    """In a mount namespace of the daemon's own /etc/passwd becomes a FIFO: the child waits for it, the daemon serves."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, binary=own_mounts)
    workers = daemon.wait_workers(2)
    fifo = tmp_path / "passwd"
    os.mkfifo(fifo)
    in_mounts_of(daemon, "mount", "--bind", str(fifo), "/etc/passwd")
    mark = daemon.log_mark()
    daemon.hup(None)
    wait_until(lambda: any("reading" in title(pid) for pid in children(daemon.pid)), "the child that reads")
    with ClientPool([address], count=4) as clients:
        while not daemon.find_message("reload refused", after=mark):
            clients.wait_served(1)
    daemon.assert_problem("longer than 10 s", "user database", after=mark)
    assert daemon.workers() == workers
    in_mounts_of(daemon, "umount", "/etc/passwd")
    daemon.hup("reloaded")


# --- many of them ---------------------------------------------------------------------------------------------------

def test_signals_in_quick_succession(preforkd: Start) -> None:
    """However many come, the last file is the one that runs. Workers are told to go as soon as they are forked."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1, handler="/bin/sh -c 'echo $ROUND'")}})
    for number in range(100):
        daemon.pools["www"]["environment"] = f"ROUND={number}"
        daemon.hup(None)
    wait_until(lambda: request(address) == b"99\n", "the last file's worker", 4)
    daemon.wait_workers(1)
    daemon.assert_none(["worker stuck"])


def test_two_hundred_reloads_leave_nothing_behind(preforkd: Start, tmp_path: Path) -> None:
    """Descriptors, processes, memory: all verbs in turn, refused ones included."""
    base, moving = tcp4(), [tcp4(), tcp4()]
    path = str(tmp_path / "www.sock")
    daemon = preforkd({"base": {"listen": base, **static(1)}, "www": {"listen": moving[0], **static(2)}})

    def round_of(number: int) -> None:
        www = daemon.pools.setdefault("www", {"listen": moving[0], **static(2)})
        kind = number % 8
        www["environment"] = f"A={number}" if kind == 1 else "A=0"
        www["max_workers"] = 3 if kind == 2 else 2
        www["listen"] = moving[1] if kind == 3 else f"{moving[0]} {path}" if kind == 4 else moving[0]
        www["nice"] = 99 if kind == 5 else 0
        if kind == 6:
            del daemon.pools["www"]
        daemon.hup("reload refused" if kind == 5 else "reloaded")

    def settle() -> int:
        """Back to the start's configuration and at rest; the resident memory (KiB) of the master then."""
        daemon.hup("reloaded")
        wait_until(lambda: len(daemon.workers("base")) == 1 and len(children(daemon.pid)) == 3, "three workers")
        wait_until(lambda: daemon.descriptors() == at_start, "the descriptors of the start")
        return int(status_value(daemon.pid, "VmRSS").split()[0])

    daemon.wait_workers(1, "base")
    daemon.wait_workers(2, "www")
    at_start = wait_until(daemon.descriptors, "the descriptors")
    for number in range(40):  # memory that is kept for later use is got by now
        round_of(number)
    memory = settle()
    for number in range(200):
        round_of(number)
    assert settle() <= memory + (40000 if is_sanitized(daemon.pid) else 400), "the master's memory grows"
    assert request(base, b"x") == b"x" and request(moving[0], b"x") == b"x"
