"""max_workers_total: a budget of workers that all pools share."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control import Control, control_of
from daemon import (BINARY, SLOW, Daemon, connect, exchange, read_all, request, run_preforkd, stays, tcp4,
                    wait_until)
from pools import in_conversation, static
from served import Watch, processes_below

Start = Callable[..., Daemon]


def pool(scaling: str = "ondemand", **keys: object) -> dict[str, object]:
    return {"listen": tcp4(), "handler": "/bin/cat", "scaling": scaling, "max_workers": 20, "spare_timeout": "1h", **keys}


@pytest.fixture
def sharing(preforkd: Start, tmp_path: Path) -> Callable[..., tuple[Daemon, Control]]:
    """A daemon whose pools share `total` places."""

    def start(total: int, pools: dict[str, dict[str, object]], **master: object) -> tuple[Daemon, Control]:
        daemon = preforkd(pools, master={"control": tmp_path / "control.sock", "max_workers_total": total, **master})
        return daemon, control_of(daemon)

    return start


def address(daemon: Daemon, name: str) -> str:
    return str(daemon.pools[name]["listen"])


def status(control: Control, *arguments: str) -> str:
    """As people see it."""
    return subprocess.run([BINARY.parents[1] / "ctl/preforkctl", "-s", control.path, "status", *arguments], check=True,
                          capture_output=True, text=True, timeout=20 * SLOW).stdout


def used(control: Control) -> int:
    return int(control.do("status")["master"]["total"]["used"])


@contextlib.contextmanager
def talking(daemon: Daemon, name: str, count: int) -> Iterator[list[socket.socket]]:
    """Clients that keep a worker of the pool each."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(in_conversation(address(daemon, name))) for _ in range(count)]


def waiting(daemon: Daemon, name: str) -> socket.socket:
    """A client that has asked for something, and waits for it."""
    client = connect(address(daemon, name))
    client.sendall(b"waits")
    client.shutdown(socket.SHUT_WR)
    return client


def waits(control: Control, name: str) -> bool:
    return int(control.pool(name)["wants"]) > 0


def is_answered(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(5, socket.MSG_PEEK) == b"waits"
    except BlockingIOError:
        return False
    finally:
        client.settimeout(10 * SLOW)


def test_all_places_are_in_use(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    """A pool within its own limit waits, is told to be saturated, and goes on when another pool is done."""
    daemon, control = sharing(3, {"a": pool(), "b": pool()})
    with talking(daemon, "a", 3) as clients:
        with waiting(daemon, "a") as more:
            daemon.wait_message("saturated", "a")
            [text] = [text for text in control.decisions("a") if text.startswith("saturated")]
            assert text == ("saturated: 3 workers are in use, 1 connection waits; the workers of all pools are as many as "
                            "max_workers_total = 3 allows")
            assert control.pool("a")["state"] == "saturated" and used(control) == 3
            assert "max_workers_total: 3 of 3 in use\n" in status(control)
            assert "  wants      1 more; max_workers_total allows none at present\n" in status(control, "a")
            stays(lambda: processes_below(daemon) <= 3, "three workers", 0.3)
            clients[0].close()
            assert read_all(more) == b"waits"


def test_idle_workers_are_given_back(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    """One pool has every place and needs none of them; the other gets what it wants at once, and then the first again."""
    daemon, control = sharing(3, {"a": pool(max_spare_workers=3), "b": pool(max_spare_workers=3)})
    for name in ("a", "b", "a", "b"):
        with talking(daemon, name, 3):
            daemon.wait_workers(3, name)
            assert used(control) == 3
        control.wait_idle(name)
    # Three times one pool waits for the end of the other's worker: that is told when it takes a tenth of a second.
    assert len(daemon.messages("saturated")) <= 1
    assert any(text == "-1 worker (max_workers_total: another pool waits)" for text in control.decisions("a"))


def test_down_to_the_minimum(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    """A pool keeps its spare workers, but for another one that has no worker at all."""
    daemon, control = sharing(4, {"a": pool("dynamic", min_spare_workers=2, max_spare_workers=4, start_workers=4),
                                  "b": pool(max_spare_workers=3), "c": pool(max_spare_workers=3)})
    daemon.wait_workers(4, "a")
    with talking(daemon, "b", 2), waiting(daemon, "b") as third:
        daemon.wait_workers(2, "a")
        wait_until(lambda: waits(control, "b"), "b's third client waits")
        with talking(daemon, "c", 1):
            daemon.wait_workers(1, "a")
            assert not is_answered(third)
        assert read_all(third) == b"waits"  # c had no more use for it
    control.wait_idle("b")
    with talking(daemon, "a", 3):
        daemon.wait_workers(3, "a")


def test_the_longest_wait_first(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    """Each keeps its place until it ends, so that one after the other gets one."""
    daemon, control = sharing(4, {name: pool() for name in "abcd"})
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(talking(daemon, name, 1)) for name in "abcd"]
        clients = {}
        for name in "cbd":
            clients[name] = stack.enter_context(connect(address(daemon, name)))
            clients[name].sendall(b"waits")
            wait_until(lambda name=name: waits(control, name), f"{name} waits")
            stays(lambda name=name: waits(control, name), f"{name} has waited longer than the next", 0.05)
        busy[0][0].close()
        for name in "cbd":
            client = clients.pop(name)
            assert client.recv(5) == b"waits"
            stays(lambda: not any(map(is_answered, clients.values())), "the others wait", 0.05)
            client.close()


def test_a_busy_pool_starves_nobody(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    """Clients without end of one pool, which is never idle; the other pool has no worker, and then is served."""
    daemon, _ = sharing(2, {"a": pool(), "b": pool()})
    end = threading.Event()

    def clients_without_end() -> None:
        while not end.is_set():
            assert request(address(daemon, "a"), b"x" * 1000, timeout=30 * SLOW)

    threads = [threading.Thread(target=clients_without_end) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(daemon.workers("a")) == 2, "all workers are a's")
        for _ in range(3):
            assert request(address(daemon, "b"), b"waits", timeout=30 * SLOW) == b"waits"
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_one_place_is_shared(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    daemon, control = sharing(1, {name: pool() for name in "abc"})
    replies = exchange([address(daemon, name) for name in "abc" * 5], b"hello", timeout=60 * SLOW)
    assert [reply.data for reply in replies] == [b"hello"] * 15
    assert used(control) <= 1


def test_ten_pools(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    """Of every kind, all at once, and never more workers than there may be."""
    kinds = [pool(), pool("dynamic", min_spare_workers=1, max_spare_workers=5), pool(max_requests=2, max_spare_workers=2)]
    pools = {f"p{i}": {**kinds[i % 3], "listen": tcp4()} for i in range(9)}
    daemon, control = sharing(6, {**pools, "s": {"listen": tcp4(), **static(2)}})
    daemon.wait_workers(2, "s")
    with Watch(lambda: processes_below(daemon)) as watch:
        replies = exchange([address(daemon, name) for name in sorted(daemon.pools) * 12], b"hello", timeout=120 * SLOW)
    assert [reply.data for reply in replies] == [b"hello"] * 120
    assert watch.most <= 6
    daemon.wait_workers(2, "s")
    for name in daemon.pools:
        control.wait_at_rest(name)
    daemon.assert_quiet()
    # Nobody wants anything, and nobody looks.
    daemon.wait_asleep()


def test_a_roll_without_a_place(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    """Old workers go first, a few at a time."""
    daemon, control = sharing(4, {"a": {"listen": tcp4(), **static(4), "reload_surge": "25%"}})
    before = daemon.wait_workers(4, "a")
    with Watch(lambda: processes_below(daemon)) as watch:
        generation = control.do("restart a")["generation"]
        daemon.wait_workers(4, "a", without=before)
    assert watch.most <= 4 and watch.least >= 2
    assert control.pool("a")["generation"] == generation
    with talking(daemon, "a", 4):  # busy ones, too, when they have ended
        before = daemon.workers("a")
        control.do("restart a")
    daemon.wait_workers(4, "a", without=before)


def test_reload_changes_it(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    daemon, control = sharing(6, {"a": pool(max_spare_workers=6), "b": pool(max_spare_workers=6)})
    with talking(daemon, "a", 4), talking(daemon, "b", 2):
        with waiting(daemon, "b") as more:
            wait_until(lambda: waits(control, "b"), "b waits")
            daemon.master["max_workers_total"] = 7
            daemon.hup("reloaded")
            assert read_all(more) == b"waits"
    control.wait_idle("a")
    daemon.master["max_workers_total"] = 2
    daemon.hup("reloaded")
    wait_until(lambda: used(control) == 2, "two workers of all pools")
    daemon.master["max_workers_total"] = 0
    daemon.hup("reloaded")
    with talking(daemon, "a", 4):
        daemon.wait_workers(4, "a")
    assert used(control) == 0


def test_it_survives_an_upgrade(sharing: Callable[..., tuple[Daemon, Control]]) -> None:
    daemon, control = sharing(3, {"a": pool(), "b": pool()})
    with talking(daemon, "a", 3) as clients, waiting(daemon, "b") as client:
        wait_until(lambda: waits(control, "b"), "b waits")
        daemon.send_signal(signal.SIGUSR2)
        daemon.wait_message("upgraded")
        stays(lambda: used(control) == 3 and processes_below(daemon) <= 3, "three workers", 0.3)
        assert waits(control, "b")
        clients[0].close()
        assert read_all(client) == b"waits"


def test_a_total_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "preforkd.conf"
    a = "[a]\nlisten = 127.0.0.1:1\nhandler = /bin/cat\nuser = nobody\nscaling = static\nmax_workers = 4\n"
    b = "[b]\nlisten = 127.0.0.1:2\nhandler = /bin/cat\nuser = nobody\nmin_spare_workers = 2\n"
    file.write_text(f"[preforkd]\nmax_workers_total = 4\n{a}{b}")
    result = run_preforkd("-t", "-c", file)
    assert result.returncode == 78
    assert (f"{file}:2: max_workers_total: 4 is not enough: static pools always have 4 workers, and a worker of another "
            "pool counts 1; expected at least 5") in result.stderr
    file.write_text(f"[preforkd]\nmax_workers_total = 5\n{a}{b}")
    result = run_preforkd("-t", "-c", file)
    assert result.returncode == 0 and f"{file}:2: max_workers_total: 5 leaves no room for all" in result.stderr
    file.write_text(f"[preforkd]\nmax_workers_total = 4\n{a}")
    result = run_preforkd("-t", "-c", file)
    assert result.returncode == 0 and "max_workers_total" not in result.stderr
