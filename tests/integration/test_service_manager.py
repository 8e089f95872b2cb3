"""What the service manager is told and what it gives, without systemd: order, words, sockets, the store."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (SLOW, Daemon, abstract, connect, context_switches, endpoint, format_config, free_port, listener_inode,
                    open_descriptors, refuses, request, run_preforkd, stays, tcp4, title, wait_until)
from forbidden import fail, needs_to_forbid
from manager import Manager

Start = Callable[..., Daemon]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(tmp_path) as manager:
        yield manager


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Manager]:
    """A manager with a descriptor store."""
    with Manager(tmp_path, store_max=16) as manager:
        yield manager


def pools(**listen: str | list[str]) -> dict[str, dict[str, str | list[str]]]:
    return {name: {"listen": address, "handler": "/bin/cat"} for name, address in listen.items()}


def holds(daemon: Daemon, inode: int) -> bool:
    """True if the master has that socket open."""
    return f"socket:[{inode}]" in open_descriptors(daemon.pid).values()


def test_a_life_in_order(preforkd: Start, manager: Manager) -> None:
    daemon = preforkd(pools(www=tcp4()), **manager.options())
    manager.wait("READY=1")
    manager.wait("STATUS=1 pool, [0-9]+ workers?")
    daemon.stop()
    manager.receive_all()
    words = [line for message in manager.messages for line in message.lines]
    assert words[0] == "READY=1" and words[1].startswith("STATUS="), "ready and why in one message, and nothing before"
    assert "STOPPING=1" in words and "EXTEND_TIMEOUT_USEC=15000000" in words
    stopping = manager.wait("STOPPING=1")
    assert stopping.value("STATUS") and stopping.value("STATUS").startswith("Stopping. 1 pool")
    assert "RELOADING=1" not in words and "WATCHDOG=1" not in words and not manager.heard("ERRNO")


def test_ready_means_that_workers_wait(preforkd: Start, manager: Manager) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "scaling": "static", "max_workers": 3}},
             **manager.options(), ready=False)
    manager.wait("READY=1")
    assert request(address, b"x") == b"x"


def test_ondemand_is_ready_without_a_worker(preforkd: Start, manager: Manager) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "ondemand"}}, **manager.options())
    assert manager.wait("READY=1").value("STATUS") == "1 pool, 0 workers"
    assert daemon.workers() == []


# A pool whose workers do not start, which only they find out: they cannot set their groups.
CANNOT_START = {"user": "nobody", "group": "root", "supplementary_groups": "3"}


def without_setgroups(manager: Manager) -> dict[str, Any]:
    """manager.options() for a daemon that may not call setgroups(2)."""
    options = manager.options()
    options["popen"] |= {"preexec_fn": fail(errno.EPERM, "setgroups"), "extra_groups": []}
    return options


@needs_to_forbid
def test_a_pool_that_backs_off_is_told(preforkd: Start, manager: Manager, as_root: None) -> None:
    """One pool cannot start its workers: the others serve, and STATUS names it."""
    preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "user": "root"},
              "bad": {"listen": tcp4(), "handler": "/bin/cat", **CANNOT_START}},
             **without_setgroups(manager))
    ready = manager.wait("READY=1", 20)
    assert re.match(r"2 pools, [0-9]+ workers?; bad backing off after [12] failed starts?$", ready.value("STATUS") or "")


@needs_to_forbid
def test_a_pool_whose_old_workers_live_backs_off_too(preforkd: Start, manager: Manager, as_root: None) -> None:
    """A reload rolls it to what cannot start: it serves on with what it has, and STATUS says so."""
    pool = {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 1, "user": "root"}
    daemon = preforkd({"www": pool}, **without_setgroups(manager))
    manager.wait("READY=1")
    daemon.pools["www"] = {**pool, **CANNOT_START}
    daemon.hup("reloaded")
    manager.wait(r"STATUS=Reload 1 applied\. 1 pool, [12] workers?; www backing off after [1-9][0-9]* failed starts?", 20)
    assert request(str(pool["listen"]), b"x") == b"x"
    daemon.pools["www"] = pool
    mark = len(manager.messages)
    daemon.hup("reloaded")
    manager.wait(r"STATUS=Reload 2 applied\. 1 pool, [12] workers?", 20, after=mark)


def test_saturated_is_said_when_somebody_waits(preforkd: Start, manager: Manager) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "max_workers": 1}}, **manager.options())
    manager.wait("READY=1")
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        stays(lambda: not any("saturated" in status for status in manager.heard("STATUS")), "nobody waits", 2)
        with connect(address):
            manager.wait("STATUS=1 pool, 1 worker; www saturated")
    manager.wait("STATUS=1 pool, 1 worker", 20, after=len(manager.messages))


@needs_to_forbid
def test_no_pool_that_can_serve_is_a_failed_start(preforkd: Start, manager: Manager, as_root: None) -> None:
    daemon = preforkd({"bad": {"listen": tcp4(), "handler": "/bin/cat", **CANNOT_START}},
                      **without_setgroups(manager), ready=False)
    assert daemon.wait_end() == 1
    manager.receive_all()
    failed = manager.wait("ERRNO=[1-9][0-9]*")
    assert (failed.value("STATUS") or "").startswith("Not started: no pool can serve")
    assert not any("READY=1" in message.lines for message in manager.messages)


def test_a_refused_configuration_says_why(preforkd: Start, manager: Manager, tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text("[www]\nlisten = nowhere\nhandler = /bin/cat\n")
    daemon = preforkd(arguments=["-c", str(path)], **manager.options(), ready=False)
    assert daemon.wait_end() == 78
    failed = manager.wait("ERRNO=22")
    assert (failed.value("STATUS") or "").startswith(f"Not started: {path}:2: listen: ")
    assert not any("READY=1" in message.lines for message in manager.messages)


def test_no_pool_is_no_failure(preforkd: Start, manager: Manager, tmp_path: Path) -> None:
    """The manager is told READY=1, without which it takes every exit code as a failure, and why nothing is served."""
    path = tmp_path / "none.conf"
    path.write_text("[preforkd]\n")
    daemon = preforkd(arguments=["-c", str(path)], **manager.options(), ready=False)
    assert daemon.wait_end() == 3
    assert (manager.wait("READY=1").value("STATUS") or "").startswith("Nothing to serve: ")
    assert not any(line.startswith("ERRNO=") for message in manager.messages for line in message.lines)


def test_an_address_in_use_is_its_errno(preforkd: Start, manager: Manager) -> None:
    taken = manager.listen(socket.AF_INET, ("127.0.0.1", free_port()))
    daemon = preforkd(pools(www=f"127.0.0.1:{taken.getsockname()[1]}"), **manager.options(), ready=False)
    daemon.wait_end()
    manager.wait("ERRNO=98")


def test_reload_applied_and_refused(preforkd: Start, manager: Manager) -> None:
    daemon = preforkd(pools(www=tcp4()), **manager.options())
    manager.wait("READY=1")
    before_us = time.monotonic_ns() // 1000
    for number, (options, result) in enumerate([({"max_workers": 9}, "applied"), ({"max_workers": "x"}, "refused: "),
                                                ({"max_workers": 8}, "applied")], 1):
        seen = len(manager.receive_all())
        daemon.pools["www"].update(options)
        daemon.hup(wait=None)
        reloading = manager.wait("RELOADING=1", after=seen)
        assert before_us <= int(reloading.value("MONOTONIC_USEC") or 0) <= time.monotonic_ns() // 1000
        assert (reloading.value("STATUS") or "").startswith(f"Reload {number} under way. ")
        ready = manager.wait("READY=1", after=manager.messages.index(reloading) + 1)
        assert (ready.value("STATUS") or "").startswith(f"Reload {number} {result}")
        if result != "applied":
            assert re.search(rf"{re.escape(str(daemon.config))}:[0-9]+: max_workers: ", ready.value("STATUS") or "")
        before_us = int(reloading.value("MONOTONIC_USEC") or 0) + 1


def test_status_is_said_once_a_second_at_most(preforkd: Start, manager: Manager) -> None:
    """A pool that grows and shrinks all the time, and a status that keeps up without hurry."""
    address = tcp4()
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "min_spare_workers": 1, "max_spare_workers": 1,
                      "spare_timeout": "100ms"}}, **manager.options())
    manager.wait("READY=1")
    end = time.monotonic() + 3.5
    while time.monotonic() < end:
        clients = [connect(address) for _ in range(4)]
        time.sleep(0.05)
        for client in clients:
            client.close()
        time.sleep(0.2)
    manager.receive_all()
    told = [message.at for message in manager.messages if message.value("STATUS")]
    # All were taken from the queue just now, so their times say nothing: the number of them does.
    assert 2 <= len(told) <= 6, manager.messages
    assert len(set(manager.heard("STATUS"))) > 1


def test_an_idle_daemon_says_nothing_and_does_not_wake(preforkd: Start, manager: Manager) -> None:
    daemon = preforkd(pools(www=tcp4()), **manager.options())
    manager.wait("READY=1")

    def is_quiet() -> bool:
        """The status of the last worker that became ready may still come."""
        before = context_switches(daemon.pid), len(manager.receive_all())
        time.sleep(2)
        return (context_switches(daemon.pid), len(manager.receive_all())) == before

    wait_until(is_quiet, "two quiet seconds", 20)


def test_watchdog_at_half_the_interval(preforkd: Start, manager: Manager) -> None:
    preforkd(pools(www=tcp4()), **manager.options(WATCHDOG_USEC="1000000"))
    manager.wait("READY=1")
    manager.receive_all()
    times = []
    for _ in range(5):
        times.append(manager.wait("WATCHDOG=1", after=len(manager.messages)).at)
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    # One that was heard late makes the next gap short.
    assert statistics.mean(gaps) > 0.4 and max(gaps) < 0.6 * SLOW + 0.3, gaps


def test_watchdog_of_another_process(preforkd: Start, manager: Manager) -> None:
    preforkd(pools(www=tcp4()), **manager.options(WATCHDOG_USEC="200000", WATCHDOG_PID="1"))
    manager.wait("READY=1")
    time.sleep(0.5)
    assert not any("WATCHDOG=1" in message.lines for message in manager.receive_all())


def test_a_manager_that_does_not_read_stops_nothing(preforkd: Start, store: Manager) -> None:
    """More messages than the socket holds: the daemon serves, and nothing is lost once the manager reads again."""
    addresses = [abstract() for _ in range(24)]
    store.store_max = 64
    daemon = preforkd({"www": {"listen": "\n    ".join(addresses), "handler": "/bin/cat"}}, **store.options())
    assert request(addresses[23], b"x") == b"x"
    store.wait("READY=1")
    wait_until(lambda: bool(store.receive_all()) and len(store.store) == 24, "24 stored listeners")
    daemon.stop()
    store.receive_all()


def test_nothing_of_it_reaches_a_handler(preforkd: Start, manager: Manager, program: Callable[[str], str]) -> None:
    address = tcp4()
    listener = manager.listen(socket.AF_INET, ("127.0.0.1", free_port()))
    preforkd({"www": {"listen": address, "handler": "/usr/bin/env", "clear_environment": False},
              "fds": {"listen": "systemd:web", "handler": "/bin/ls -l /proc/self/fd"}},
             **manager.options([("web", listener)], WATCHDOG_USEC="60000000", FDSTORE="4"))
    manager.wait("READY=1")
    names = {line.partition("=")[0] for line in request(address).decode().splitlines()}
    assert not names & {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
                        "FDSTORE"}, names
    descriptors = request(f"127.0.0.1:{listener.getsockname()[1]}").decode()
    assert {line.split()[-3] for line in descriptors.splitlines()[1:]} <= {"0", "1", "2", "3"}, descriptors


# --- socket activation ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["tcp", "path", "abstract"])
def test_activated_sockets(preforkd: Start, manager: Manager, tmp_path: Path, kind: str) -> None:
    """Taken by name; after our end the socket is as it was, and clients wait in it."""
    address = {"tcp": tcp4(), "path": str(tmp_path / "web.sock"), "abstract": abstract()}[kind]
    listener = manager.listen(*endpoint(address))
    if kind == "path":
        os.chmod(address, 0o640)
    daemon = preforkd(pools(www="systemd:web"), **manager.options([("web", listener)]))
    assert holds(daemon, os.fstat(listener.fileno()).st_ino)
    assert request(address, b"x") == b"x"
    daemon.stop()
    assert kind != "path" or os.stat(address).st_mode & 0o777 == 0o640, "its unit decides about the file"
    with connect(address) as client:  # as in the moment between a stop and the next start
        listener.settimeout(5)
        served, _ = listener.accept()
        with served:
            client.sendall(b"y")
            assert served.recv(1) == b"y"


def test_a_socket_that_was_not_passed(preforkd: Start, manager: Manager) -> None:
    other = manager.listen(socket.AF_INET, ("127.0.0.1", free_port()))
    daemon = preforkd(pools(a="systemd:other", www="systemd:web"), **manager.options([("other", other)]), ready=False)
    assert daemon.wait_end() == 1
    line = daemon.config.read_text().splitlines().index("listen = systemd:web") + 1
    daemon.assert_problem(str(daemon.config), 'listen: no socket unit has passed a socket "web"', "passed: other", line=line)


def test_a_socket_that_nobody_listens_on(preforkd: Start, manager: Manager) -> None:
    web = manager.listen(socket.AF_INET, ("127.0.0.1", free_port()))
    daemon = preforkd(pools(www=tcp4()), **manager.options([("web", web)]), ready=False)
    assert daemon.wait_end() == 1
    daemon.assert_problem(str(daemon.config), 'no pool listens on the socket "web"')


def test_sockets_that_are_no_listeners_or_twice(preforkd: Start, manager: Manager) -> None:
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    manager.used.append(datagram)
    first, second = (manager.listen(socket.AF_INET, ("127.0.0.1", free_port())) for _ in range(2))
    daemon = preforkd(pools(a="systemd:dgram", b="systemd:two"),
                      **manager.options([("dgram", datagram), ("two", first), ("two", second)]), ready=False)
    assert daemon.wait_end() == 1
    daemon.assert_problem('listen: "dgram" cannot be used: a program that gets a connection on stdin and stdout cannot serve datagrams')
    daemon.assert_problem('listen: 2 sockets are called "two"')


def test_activated_sockets_and_reload(preforkd: Start, manager: Manager, tmp_path: Path) -> None:
    """A pool comes, goes and comes again; the socket stays at hand by its name."""
    port, address = free_port(), tcp4()
    web = manager.listen(socket.AF_INET, ("127.0.0.1", port))
    daemon = preforkd(pools(www=["systemd:web", address]), master={"control": tmp_path / "control.sock"},
                      **manager.options([("web", web)]))
    daemon.pools["www"]["listen"] = address
    daemon.write_config()
    warned = [problem["text"] for problem in control_of(daemon).do("reload --dry-run")["problems"]]
    assert len(warned) == 1 and warned[0].startswith('no pool listens any more on the socket "web"')
    daemon.hup("reloaded")
    daemon.assert_problem('no pool listens any more on the socket "web"')
    with connect(f"127.0.0.1:{port}") as early:  # waits until somebody takes it
        early.sendall(b"early")
        early.shutdown(socket.SHUT_WR)
        daemon.pools["other"] = {"listen": "systemd:web", "handler": "/bin/cat"}
        daemon.write_config()
        assert control_of(daemon).verbs("reload --dry-run")["other"] == ("add", [])
        daemon.hup("reloaded")
        assert early.recv(100) == b"early"
    assert request(f"127.0.0.1:{port}", b"x") == b"x"
    daemon.pools["third"] = {"listen": "systemd:third", "handler": "/bin/cat"}
    daemon.hup("reload refused")
    assert request(f"127.0.0.1:{port}", b"x") == b"x"
    del daemon.pools["third"]
    daemon.write_config()


def test_the_syntax_of_names(tmp_path: Path) -> None:
    path = tmp_path / "preforkd.conf"
    path.write_text(format_config({"www": {"listen": "systemd:", "handler": "/bin/cat"}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == 78 and "FileDescriptorName=" in result.stderr
    path.write_text(format_config({"www": {"listen": ["systemd:a", "systemd:a"], "handler": "/bin/cat"}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == 78 and "systemd:a is listed twice" in result.stderr


# --- the descriptor store -------------------------------------------------------------------------------------------

class Knocker:
    """Clients one after the other for as long as it takes; counts those that were not served."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.served = 0
        self.errors: list[OSError | str] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                reply = request(self.address, b"x", timeout=30)
                self.served += reply == b"x"
                if reply != b"x":
                    self.errors.append(f"reply {reply!r}")
            except OSError as error:
                self.errors.append(error)

    def __enter__(self) -> Knocker:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


def stored_inodes(store: Manager) -> list[int]:
    """The sockets in a manager's store."""
    store.receive_all()
    return [os.fstat(fd).st_ino for fd in store.store.values()]


def end(daemon: Daemon, way: str) -> None:
    if way == "kill":
        workers = [pid for name in daemon.pools for pid in daemon.workers(name)]
        daemon.kill()
        daemon.may_leak = True
        wait_until(lambda: not any(title(pid) for pid in workers), "the end of the workers", 20)
    else:
        daemon.stop()


@pytest.mark.parametrize("way", ["stop", "kill"])
@pytest.mark.parametrize("kind", ["tcp", "path", "abstract"])
def test_a_successor_serves_who_waited(preforkd: Start, store: Manager, tmp_path: Path, kind: str, way: str) -> None:
    """Restarted or killed under load, and with nobody there for a second: no client notices but by waiting."""
    address = {"tcp": tcp4(), "path": str(tmp_path / "web.sock"), "abstract": abstract()}[kind]
    first = preforkd(pools(www=address), **store.options())
    store.wait("FDSTORE=1")
    assert len(store.store) == 1 and all(":" not in name for name in store.store)
    with Knocker(address) as one, Knocker(address) as two:
        wait_until(lambda: one.served > 20, "requests before")
        end(first, way)
        time.sleep(0.5)
        store.receive_all()
        assert len(store.store) == 1, "still stored after the end"
        [stored] = stored_inodes(store)
        second = preforkd(pools(www=address), **store.options())
        assert listener_inode(address) == stored and holds(second, stored)
        after = one.served, two.served
        wait_until(lambda: one.served > after[0] + 20 and two.served > after[1] + 20, "requests after", 20)
    assert not one.errors and not two.errors
    store.receive_all()
    assert len(store.store) == 1


def test_options_are_applied_to_a_stored_listener(preforkd: Start, store: Manager, tmp_path: Path) -> None:
    address = str(tmp_path / "web.sock")
    first = preforkd({"www": {"listen": address, "handler": "/bin/cat", "socket_mode": "0600"}}, **store.options())
    store.wait("FDSTORE=1")
    first.stop()
    assert os.stat(address).st_mode & 0o777 == 0o600
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "socket_mode": "0666", "backlog": 7}}, **store.options())
    assert os.stat(address).st_mode & 0o777 == 0o666


def test_what_is_not_configured_any_more_is_let_go(preforkd: Start, store: Manager, tmp_path: Path) -> None:
    kept, gone_tcp, gone_path = tcp4(), tcp4(), str(tmp_path / "gone.sock")
    first = preforkd(pools(a=kept, b=[gone_tcp, gone_path]), **store.options())
    wait_until(lambda: bool(store.receive_all()) and len(store.store) == 3, "three stored listeners")
    first.stop()
    assert os.path.exists(gone_path)
    preforkd(pools(a=kept), **store.options())
    wait_until(lambda: bool(store.receive_all()) and len(store.store) == 1, "one stored listener")
    assert refuses(gone_tcp) and refuses(gone_path)
    assert not os.path.exists(gone_path)
    assert request(kept, b"x") == b"x"


def test_a_listener_that_drains_away_leaves_the_store(preforkd: Start, store: Manager, tmp_path: Path) -> None:
    address, other = str(tmp_path / "web.sock"), tcp4()
    daemon = preforkd(pools(www=[address, other]), **store.options())
    wait_until(lambda: bool(store.receive_all()) and len(store.store) == 2, "two stored listeners")
    daemon.pools["www"]["listen"] = other
    daemon.hup("reloaded")
    wait_until(lambda: bool(store.receive_all()) and len(store.store) == 1, "one stored listener")
    assert refuses(address) and not os.path.exists(address)
    daemon.pools["www"]["listen"] = [address, other]
    daemon.hup("reloaded")
    wait_until(lambda: bool(store.receive_all()) and len(store.store) == 2, "two stored listeners again")
    assert request(address, b"x") == b"x"


def test_a_path_that_is_another_s_by_now(preforkd: Start, store: Manager, tmp_path: Path) -> None:
    """The file of a stored socket was removed meanwhile: nobody could reach it, so it is opened anew."""
    address = str(tmp_path / "web.sock")
    first = preforkd(pools(www=address), **store.options())
    store.wait("FDSTORE=1")
    first.stop()
    os.unlink(address)
    [stored] = stored_inodes(store)
    preforkd(pools(www=address), **store.options())
    assert request(address, b"x") == b"x"
    wait_until(lambda: stored not in stored_inodes(store) and len(store.store) == 1, "another stored listener")
    assert stored_inodes(store) == [listener_inode(address)]


def test_ipv6_only_changed_between(preforkd: Start, store: Manager, ipv6: None) -> None:
    address = f"[::]:{free_port()}"
    first = preforkd(pools(www=address), **store.options())
    store.wait("FDSTORE=1")
    first.stop()
    [stored] = stored_inodes(store)
    preforkd({"www": {"listen": address, "handler": "/bin/cat", "ipv6_only": True}}, **store.options())
    assert listener_inode(address) != stored
    assert request(address.replace("[::]", "[::1]"), b"x") == b"x"
    assert refuses(address.replace("[::]", "127.0.0.1"))


def test_more_listeners_than_the_store_holds(preforkd: Start, store: Manager) -> None:
    store.store_max = 2
    preforkd(pools(www=[abstract() for _ in range(3)]), **store.options())
    store.wait("READY=1")
    store.receive_all()
    assert len(store.store) == 2


def test_without_a_store_a_stop_closes(preforkd: Start, manager: Manager, tmp_path: Path) -> None:
    address = str(tmp_path / "web.sock")
    daemon = preforkd(pools(www=address), **manager.options())
    daemon.stop()
    assert not os.path.exists(address)
    manager.receive_all()
    assert not manager.heard("FDSTORE")


def test_a_stop_under_overload_ends(preforkd: Start, store: Manager, tmp_path: Path,
                                    program: Callable[[str], str]) -> None:
    """Who waits at the stop is served; who comes later is the successor's, and does not hold the stop up."""
    address = str(tmp_path / "web.sock")
    daemon = preforkd({"www": {"listen": address, "handler": f"{program('wait')} 200", "max_workers": 2,
                               "max_spare_workers": 2}}, **store.options())
    store.wait("FDSTORE=1")
    stop = threading.Event()
    failures: list[OSError] = []

    def knock() -> None:
        while not stop.is_set():
            try:
                request(address, timeout=60)
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=knock) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        start = time.monotonic()
        daemon.stop(timeout=20)
        assert time.monotonic() - start < 8 * SLOW
        store.receive_all()
        preforkd({"www": {"listen": address, "handler": "/bin/true"}}, **store.options())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_a_second_sigterm_still_ends_it_at_once(preforkd: Start, store: Manager) -> None:
    address = tcp4()
    daemon = preforkd(pools(www=address), **store.options())
    store.wait("FDSTORE=1")
    with connect(address):
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_message("stopping")
        stays(daemon.running, "busy until the request ends", 0.3)
        daemon.stop()
