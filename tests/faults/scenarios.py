"""What is done to a daemon while calls fail; see campaign.py."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any

from campaign import ClientsLost, MasterLost
from clients import ClientPool
from control import Control, control_of
from daemon import (SLOW, Daemon, Pools, Timeout, connect, preload_object, read_all, refuses, request, stat_fields, tcp4,
                    wait_until)
from faults import Age, Faults, Role
from pools import STUBBORN

Start = Callable[..., Daemon]

# Short delays, because every fault of a worker's start must pass.
QUICK = {"restart_delay_min": "5ms", "restart_delay_max": "50ms", "handler": "/bin/cat"}


class Sink:
    """A service manager that takes every message, and keeps what it must know."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.unlink(missing_ok=True)
        self.is_ready = False
        self.stored: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self._socket, 65536, 8)
            lines = dict(line.partition("=")[::2] for line in data.decode().splitlines())
            if data == b"end":
                return
            self.is_ready = ("READY" in lines or self.is_ready) and "RELOADING" not in lines
            if "FDSTORE" in lines:
                self.stored[lines["FDNAME"]] += 1
                self.wrong += [] if len(fds) == 1 else [data.decode()]
            if "FDSTOREREMOVE" in lines:
                self.stored[lines["FDNAME"]] -= 1
            for fd in fds:
                os.close(fd)

    def knows(self) -> list[tuple[str, int]]:
        """What it holds: each listener once."""
        return sorted((name, count) for name, count in self.stored.items() if count)

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", str(self.path))
        self._thread.join(10)
        self._socket.close()


class Live:
    """One daemon that all faults happen to, and clients that never rest during the operation."""

    name = ""
    role = Role.MASTER
    ages = Age.ANY
    clients = 2
    worker_serves = False  # the faults hit the very workers that serve
    managed = False
    master: dict[str, Any] = {}  # what its section of the configuration has besides

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        self.start = start
        self.directory = directory
        self.faults = faults
        self.daemon: Daemon | None = None
        self.sink: Sink | None = None
        self.lost: list[str] = []
        self.served = 0
        self.expected: Any = None

    # what differs

    def pools(self) -> Pools:
        raise NotImplementedError

    def act(self) -> bool:
        """The operation; False: it was refused, with a reason."""
        raise NotImplementedError

    def prepare(self) -> None:
        pass

    def restore(self) -> None:
        """Back to the state before the operation, while nothing fails."""

    def steady(self) -> list[str]:
        """The addresses that serve before, during and after the operation."""
        return addresses_of(self.pools())

    # the frame

    @property
    def running(self) -> Daemon:
        assert self.daemon
        return self.daemon

    @property
    def control(self) -> Control:
        return control_of(self.running)

    def begin(self) -> None:
        self.end()
        more = {}
        if self.managed:
            self.sink = Sink(self.directory / "notify")
            more = {"NOTIFY_SOCKET": str(self.sink.path), "FDSTORE": "64"}
        self.lost = []
        self.expected = None
        environment = self.faults.environment(**preload_object(self.directory), **more)
        self.daemon = self.start(self.pools(), master=self.master, control=True, popen={"env": environment})
        self.prepare()
        self.operate()  # what is opened at the first one stays open
        self.settle(0)

    def end(self) -> None:
        if self.daemon and self.daemon.running():
            self.daemon.may_leak = True  # it was looked at
            self.daemon.kill(signal.SIGTERM)
        if self.sink:
            self.sink.close()
        self.daemon = self.sink = None

    def operate(self) -> bool:
        load = ClientPool(self.steady(), self.clients, pause=0.002, reply_timeout=10)
        load.__enter__()
        try:
            return self.act()
        finally:
            load.__exit__(AssertionError, None, None)  # settle() says what was lost
            self.lost += load.lost
            self.served += load.served

    def ask(self, line: str, timeout: float = 20.0) -> bool:
        """A command, whose answer the fault itself may prevent. False: it was refused, with a reason."""
        try:
            reply = self.control.ask(line, timeout)
        except TimeoutError as late:
            raise MasterLost(f"{line}: no answer in {timeout * SLOW:g} s") from late
        except (OSError, ValueError, AssertionError):
            return True  # not known
        if reply["ok"]:
            return True
        assert reply["message"], reply
        return False

    def settle(self, hits: int) -> int:
        self.check_alive()
        self.check_serves()
        excused = self.check_clients(hits)
        self.restore()
        self.check_layout()
        return excused

    def check_alive(self) -> None:
        if not self.running.running():
            raise MasterLost(f"it has ended with status {self.running.process.returncode}: {self.running.log()[-600:]}")
        try:
            status = self.control.ask("status", 10)
        except (OSError, ValueError, AssertionError) as error:
            raise MasterLost(f"it does not answer: {error!r}") from error
        if not status["ok"] or status["master"]["pid"] != self.running.pid:
            raise MasterLost(f"it answers {status}")

    def check_serves(self) -> None:
        for address in self.steady():
            try:
                wait_until(lambda: serves(address), f"{address} serves", 5)
            except Timeout as late:
                raise ClientsLost(str(late), 1) from late

    def check_clients(self, hits: int) -> int:
        """Those that were lost in the operation, less those that failed workers held."""
        lost, self.lost = self.lost, []
        excused = min(len(lost), hits) if self.worker_serves else 0
        if len(lost) > excused:
            raise ClientsLost(f"{len(lost)} lost, {excused} excused: {lost}", len(lost) - excused)
        return excused

    def worker_pids(self, name: str = "") -> list[int]:
        """From the daemon, because a look at all of /proc takes longer than everything else."""
        pools = self.control.do(f"status {name} --workers")["pools"]
        return sorted(worker["pid"] for pool in pools for worker in pool["workers"])

    def layout(self) -> Any:
        """What must come back: its descriptors, and how many workers each pool has."""
        descriptors = sorted(self.running.descriptors().items())  # before a client of the control socket is one of them
        totals = {pool["name"]: pool["counts"]["total"] for pool in self.control.do("status")["pools"]}
        return totals, descriptors, self.sink.knows() if self.sink else []

    def layout_at_rest(self) -> Any:
        """Once the pools have taken their sizes: when it has been the same for a second."""
        looks: list[tuple[float, Any]] = []

        def is_at_rest() -> bool:
            found = self.layout()
            if not looks or looks[0][1] != found:
                looks[:] = [(time.monotonic(), found)]
            return time.monotonic() - looks[0][0] >= 1

        wait_until(is_at_rest, "the pools take their sizes", 20)
        return looks[0][1]

    def check_layout(self) -> None:
        if self.expected is None:
            self.expected = self.layout_at_rest()
        seen: list[Any] = []

        def is_back() -> bool:
            seen[:] = [self.layout()]
            return bool(seen[0] == self.expected)

        try:
            wait_until(is_back, "workers and descriptors as before", 10)
        except Timeout as late:
            raise AssertionError(f"{late}: {self.expected}, now {seen}") from late
        if self.sink:
            assert not self.sink.wrong, f"the service manager has heard {self.sink.wrong}"
            wait_until(lambda: self.sink and self.sink.is_ready, "the service manager knows that it is ready", 5)

    def check_rest(self) -> None:
        """It does not spin, and collects its children."""
        wait_until(lambda: not zombies(self.running.pid), "zombies are collected", 5)
        before = cpu_seconds(self.running.pid)
        time.sleep(0.05)
        assert cpu_seconds(self.running.pid) - before < 0.03, "the master spins"


def addresses_of(pools: Pools) -> list[str]:
    found: list[str] = []
    for options in pools.values():
        listen = options["listen"]
        found += [listen] if isinstance(listen, str) else listen  # type: ignore[arg-type,operator]
    return found


def cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def zombies(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if (stat_fields(int(child)) or ["X"])[0] == "Z"]


def serves(address: str) -> bool:
    try:
        return request(address, b"x", 5) == b"x"
    except OSError:
        return False


def static(count: int, **keys: object) -> dict[str, Any]:
    return {**QUICK, "scaling": "static", "max_workers": count, **keys}


class Commands(Live):
    """Every command and signal that changes nothing for good."""

    name = "commands"

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        super().__init__(start, directory, faults)
        self.www, self.mail = [tcp4(), str(directory / "www.sock")], tcp4()

    def pools(self) -> Pools:
        return {"www": static(3, listen=self.www), "mail": static(1, listen=self.mail)}

    def act(self) -> bool:
        lines = ["status --workers", "status www", "why", "config", "version", "reload --dry-run", "scale www max_workers=5",
                 "scale mail max_workers=2", "restart www", "scale www max_workers=2", "bad \"command"]
        for line in lines:
            self.ask(line)
        for number in (signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU):
            self.running.send_signal(number)
        return True

    def restore(self) -> None:
        self.control.do("reload")
        for pool in ("www", "mail"):
            self.control.do(f"restart {pool}")


class Load(Live):
    """A burst for which a pool grows, and after which it shrinks; workers are recycled, and one is killed."""

    name = "load"
    victim = 0

    def prepare(self) -> None:
        self.victim = self.worker_pids("www")[0]

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        super().__init__(start, directory, faults)
        self.www, self.mail = [tcp4(), str(directory / "www.sock")], tcp4()

    def pools(self) -> Pools:
        growing = {**QUICK, "min_spare_workers": 1, "max_spare_workers": 1, "max_workers": 6, "spare_timeout": "20ms"}
        noisy = {**growing, "handler": ["/bin/sh", "-c", "cat; echo word >&2"], "max_requests": 3}
        return {"www": {**growing, "listen": self.www}, "mail": {**noisy, "listen": self.mail}}

    def act(self) -> bool:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(self.www[number % 2])) for number in range(5)]
            clients += [stack.enter_context(connect(self.mail)) for _ in range(3)]
            for client in clients:
                client.sendall(b"x")
                client.shutdown(socket.SHUT_WR)
            for client in clients:
                self.read(client)
        with contextlib.suppress(ProcessLookupError):
            if self.victim:
                os.kill(self.victim, signal.SIGTERM)
        return True

    def read(self, client: socket.socket) -> None:
        try:
            if read_all(client) != b"x":
                self.lost.append("a client of the burst has no answer")
        except OSError as error:
            self.lost.append(f"a client of the burst: {error!r}")


class Reload(Live):
    """Pools and listeners are added, removed, moved and changed; the start is the smaller configuration or the larger."""

    def __init__(self, start: Start, directory: Path, faults: Faults, grows: bool = True, managed: bool = False,
                 role: Role = Role.MASTER) -> None:
        super().__init__(start, directory, faults)
        self.name = f"reload that {'adds' if grows else 'removes'}" + (", managed" if managed else "") + (
            ", its child" if role == Role.CONFIGURATION else "")
        self.managed, self.role = managed, role
        self.www, self.mail, self.moving, self.extra = tcp4(), tcp4(), tcp4(), tcp4()
        self.path = str(directory / "www.sock")
        small: Pools = {"www": static(2, listen=[self.www, self.moving]), "mail": static(1, listen=self.mail)}
        large: Pools = {"www": static(2, listen=[self.www, self.path], nice=1),
                        "mail": static(2, listen=self.mail, backlog=100), "moved": static(1, listen=self.moving),
                        "new": static(1, listen=self.extra)}
        self.before, self.after = (small, large) if grows else (large, small)

    def pools(self) -> Pools:
        return self.before

    def steady(self) -> list[str]:
        return [self.www, self.mail, self.moving]

    def configure(self, pools: Pools) -> None:
        self.running.pools = {name: dict(options) for name, options in pools.items()}
        self.running.write_config()

    def prepare(self) -> None:
        self.configure(self.after)

    def act(self) -> bool:
        self.succeeded = self.ask("reload")
        return self.succeeded

    def restore(self) -> None:
        """One or the other is in force as a whole; then the reload succeeds."""
        names = self.pool_names({"running", "saturated", "backing off"})
        assert names in (sorted(self.before), sorted(self.after)), f"a mixture is in force: {names}"
        self.check_open(self.before if names == sorted(self.before) else self.after)
        for pools in (self.after, self.before):
            self.configure(pools)
            self.control.do("reload")
            self.check_open(pools)

    def check_open(self, pools: Pools) -> None:
        """Not by a connection to a TCP address that must be closed: while it is drained it would not answer for a second."""
        for address in (self.path, self.extra):
            if address in addresses_of(pools):
                wait_until(lambda: serves(address), f"{address} serves", 5)
        if "new" not in pools:
            wait_until(lambda: "new" not in self.pool_names(), "the pool is gone", 5)
            wait_until(lambda: refuses(self.path), f"{self.path} is closed", 5)

    def pool_names(self, states: Set[str] = frozenset({"running", "saturated", "backing off", "closing"})) -> list[str]:
        return sorted(pool["name"] for pool in self.control.do("status")["pools"] if pool["state"] in states)


class Upgrade(Live):
    """The same program is executed again. Faults in the running program, in its trial, or in the one that takes over."""

    def __init__(self, start: Start, directory: Path, faults: Faults, part: str) -> None:
        super().__init__(start, directory, faults)
        self.name = f"upgrade, {part}"
        self.role = Role.PREFLIGHT if part == "the preflight" else Role.MASTER
        self.ages = Age.SINCE if part == "the new program" else Age.BEFORE if part == "the old program" else Age.ANY
        self.managed = True
        self.www, self.mail = [tcp4(), str(directory / "www.sock")], tcp4()
        self.workers: list[int] = []

    def pools(self) -> Pools:
        return {"www": static(2, listen=self.www), "mail": static(1, listen=self.mail)}

    def begin(self) -> None:
        self.workers = []
        super().begin()

    def act(self) -> bool:
        return self.ask("upgrade", 30)

    def restore(self) -> None:
        workers = self.worker_pids()
        assert self.workers in ([], workers), f"workers were lost: {self.workers}, now {workers}"
        self.workers = workers


class Deadlines(Live):
    """Requests that take too long: their handlers are ended by force, and those of others are not."""

    def __init__(self, start: Start, directory: Path, faults: Faults, role: Role = Role.MASTER) -> None:
        super().__init__(start, directory, faults)
        self.role, self.worker_serves = role, role == Role.WORKER
        self.ages = Age.BEFORE if role == Role.WORKER else Age.ANY
        self.name = "deadlines" if role == Role.MASTER else "worker that ends its handler"
        self.www, self.slow = tcp4(), tcp4()

    def pools(self) -> Pools:
        return {"www": static(2, listen=self.www),
                "slow": static(2, listen=self.slow, handler=STUBBORN, request_timeout="30ms", kill_timeout="30ms")}

    def steady(self) -> list[str]:
        return [self.www]

    def act(self) -> bool:
        for client in [connect(self.slow, 15) for _ in range(3)]:
            with client, contextlib.suppress(ConnectionError):
                read_all(client)  # until the handler's end; a timeout is a request that is never ended
        return True


class Refuse(Live):
    """A pool that is full closes further connections, by a process of its own; then it serves again."""

    def __init__(self, start: Start, directory: Path, faults: Faults, role: Role = Role.MASTER) -> None:
        super().__init__(start, directory, faults)
        self.role, self.worker_serves = role, role == Role.WORKER
        self.name = "refusals" if role == Role.MASTER else "worker that refuses"
        self.www, self.full = tcp4(), tcp4()

    def pools(self) -> Pools:
        return {"www": static(1, listen=self.www), "full": static(1, listen=self.full, when_full="refuse")}

    def steady(self) -> list[str]:
        return [self.www]

    def act(self) -> bool:
        with connect(self.full, 15) as client:
            try:
                client.sendall(b"x")
                reply = client.recv(1)
                for _ in range(3 if reply else 0):
                    with connect(self.full, 15) as other, contextlib.suppress(ConnectionError):
                        read_all(other)  # a timeout is a connection that is neither served nor refused
                client.shutdown(socket.SHUT_WR)
                reply += read_all(client)
            except OSError as error:
                reply = repr(error).encode()
        self.lost += [] if reply == b"x" else [f"the client that was being served: {reply!r}"]
        return True

    def restore(self) -> None:
        """It serves again. Then the pool is made anew, because it would be called saturated for a second."""
        wait_until(lambda: serves(self.full), "the pool serves again", 5)
        pools = self.running.pools
        for wanted in ({"www": pools["www"]}, pools):
            self.running.pools = wanted
            self.running.write_config()
            self.control.do("reload")


class Worker(Live):
    """A worker starts, serves, or ends. What serves is a program on stdin, or what the keys of the pools say."""

    role = Role.WORKER

    def __init__(self, start: Start, directory: Path, faults: Faults, kind: str = "",
                 keys: Callable[[Path], dict[str, Any]] = lambda _: {}) -> None:
        super().__init__(start, directory, faults)
        self.one, self.several = tcp4(), [tcp4(), str(directory / "several.sock")]
        self.keys = keys(directory)
        self.name += f", {kind}" if kind else ""

    def pools(self) -> Pools:
        return {"one": static(2, listen=self.one, **self.keys), "several": static(2, listen=self.several, **self.keys)}

    def restart(self) -> None:
        """New workers take the place of all."""
        for pool in ("one", "several"):
            self.control.do(f"restart {pool}")
        for pool in ("one", "several"):
            wait_until(lambda: self.is_new(pool), f"the new workers of {pool}", 10)

    def is_new(self, pool: str) -> bool:
        counts = self.control.pool(pool)["counts"]
        return bool(counts["old"] == 0 and counts["idle"] + counts["busy"] + counts["unwatched"] == 2 == counts["total"])


class WorkerStart(Worker):
    name = "worker that starts"
    ages = Age.SINCE
    clients = 0

    def act(self) -> bool:
        self.restart()
        return True


class WorkerServes(Worker):
    name = "worker that serves"
    ages = Age.BEFORE
    worker_serves = True

    def act(self) -> bool:
        for address in [self.one] * 4 + self.several * 3:
            try:
                if request(address, b"x" * 1000, 15) != b"x" * 1000:
                    self.lost.append(f"{address}: no answer")
            except OSError as error:
                self.lost.append(f"{address}: {error!r}")
        return True


class WorkerEnds(Worker):
    name = "worker that ends"
    ages = Age.BEFORE
    worker_serves = True

    def act(self) -> bool:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(address, 15)) for address in [self.one, *self.several]]
            for client in clients:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it will have no answer
                    client.sendall(b"x")
            for pool in ("one", "several"):
                self.control.do(f"restart {pool}")
            for client in clients:
                try:
                    client.shutdown(socket.SHUT_WR)
                    if read_all(client) != b"x":
                        self.lost.append("a client of a retired worker has no answer")
                except OSError as error:
                    self.lost.append(f"a client of a retired worker: {error!r}")
        for pool in ("one", "several"):
            wait_until(lambda: self.is_new(pool), f"the new workers of {pool}", 10)
        return True
