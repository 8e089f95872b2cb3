"""What is made anew for each fault: a start, a stop, and the programs that people call; see campaign.py."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from campaign import CONTROL_PROGRAM, ClientsLost, MasterLost
from control import control_of
from daemon import BINARY, OUR_BUG, SLOW, Daemon, Pools, Timeout, connect, read_all, tcp4, wait_until
from faults import Age, Faults, Role
from scenarios import Sink, Start, addresses_of, serves, static


class Fresh:
    """A daemon for each fault."""

    name = ""
    role = Role.MASTER
    ages = Age.ANY
    served = 0
    store = {"FDSTORE": "64"}
    master: dict[str, Any] = {}

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        self.directory = directory
        self.faults = faults
        self.www, self.mail = [tcp4(), str(directory / "www.sock")], tcp4()
        self.daemon: Daemon | None = None
        self.sink: Sink | None = None

    def pools(self) -> Pools:
        return {"www": static(2, listen=self.www),
                "mail": static(3, listen=self.mail, scaling="dynamic", max_spare_workers=1, environment="A=b")}

    def launch(self) -> Daemon:
        self.end()
        self.sink = Sink(self.directory / "notify")
        environment = self.faults.environment(NOTIFY_SOCKET=str(self.sink.path), **self.store)
        (self.directory / "log").unlink(missing_ok=True)
        self.daemon = Daemon(self.directory, self.pools(), self.master, control=True, popen={"env": environment})
        return self.daemon

    def begin(self) -> None:
        self.end()

    def end(self) -> None:
        if self.daemon:
            with contextlib.suppress(AssertionError):  # whatever was wrong was said
                self.daemon.may_leak = True
                self.daemon.close()
        if self.sink:
            self.sink.close()
        self.daemon = self.sink = None

    def prepare(self) -> None:
        pass

    def check_rest(self) -> None:
        pass

    def check_serves(self, daemon: Daemon) -> None:
        """One that has said that it is ready is."""
        for address in addresses_of(daemon.pools):
            try:
                wait_until(lambda: serves(address), f"{address} serves", 5)
            except Timeout as late:
                raise MasterLost(f"a daemon that is ready does not serve: {late}") from late
        try:
            assert control_of(daemon).ask("status")["ok"]
        except (OSError, ValueError, AssertionError) as error:
            raise MasterLost(f"it does not answer: {error!r}") from error


class Starts(Fresh):
    """A start: it serves, or ends and says why."""

    ages = Age.SINCE

    def __init__(self, start: Start, directory: Path, faults: Faults, role: Role = Role.MASTER) -> None:
        super().__init__(start, directory, faults)
        self.role = role
        self.name = f"start, {role.name}".lower()

    def operate(self) -> bool:
        daemon = self.launch()

        def is_decided() -> bool:
            return not daemon.running() or bool(self.sink and self.sink.is_ready)

        try:
            wait_until(is_decided, "a start or its end", 15)
        except Timeout as late:
            raise MasterLost(f"neither ready nor ended: {late}: {daemon.log()[-800:]}") from late
        return daemon.running()

    def settle(self, hits: int) -> int:
        daemon = self.daemon
        assert daemon
        if daemon.running():
            self.check_serves(daemon)
            daemon.close()
            return 0
        status, text = daemon.process.returncode, daemon.log()
        assert status > 0 and hits, f"a start that failed ended with status {status}: {text}"
        assert text.strip().splitlines()[-1:] and "preforkd" in text, f"a start that failed said {text!r}"
        daemon.close()
        return 0


class Stops(Fresh):
    """A stop under load: every connection that was accepted is served, and the end is a good one."""

    name = "stop"
    store: dict[str, str] = {}  # listeners in a store stay open, and clients wait there for the next start

    clients: list[socket.socket] = []

    def prepare(self) -> None:
        """More clients than workers: some are being served, the others wait in the queues."""
        self.lost: list[str] = []
        daemon = self.launch().wait_ready()
        self.clients = [connect(address) for address in addresses_of(daemon.pools) * 3]
        for client in self.clients:
            client.sendall(b"x")
        wait_until(lambda: control_of(daemon).pool("www")["counts"]["busy"] == 2, "busy workers")

    def operate(self) -> bool:
        daemon = self.daemon
        assert daemon
        daemon.send_signal(signal.SIGTERM)
        try:
            for client in self.clients:  # all before any is waited for: which of them are being served is not known
                with contextlib.suppress(OSError):  # read() will say so
                    client.sendall(b"y")
                    client.shutdown(socket.SHUT_WR)
            for client in self.clients:
                self.read(client)
            wait_until(lambda: not daemon.running(), "the end", 15)
        except Timeout as late:
            raise MasterLost(f"it does not end: {daemon.log()[-800:]}") from late
        return True

    def read(self, client: socket.socket) -> None:
        with client:
            try:
                reply = read_all(client)
                self.lost += [] if reply == b"xy" else [repr(reply)]
            except OSError as error:
                self.lost.append(repr(error))

    def settle(self, hits: int) -> int:
        daemon = self.daemon
        assert daemon
        self.served += len(self.clients) - len(self.lost)
        if self.lost:
            raise ClientsLost(f"{self.lost}: {daemon.log()[-800:]}", len(self.lost))
        assert daemon.process.returncode == 0, f"status {daemon.process.returncode}: {daemon.log()[-800:]}"
        daemon.close()
        return 0

    def end(self) -> None:
        for client in self.clients:
            client.close()
        super().end()


class Program:
    """A program that is called again and again: what it says is true and whole, or it fails and says why."""

    name = ""
    ages = Age.SINCE
    role = Role.MASTER
    served = 0

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        self.start = start
        self.directory = directory
        self.faults = faults
        self.expected: dict[str, str] = {}
        self.wrong: list[str] = []
        self.is_refused = False

    def commands(self) -> list[list[str]]:
        raise NotImplementedError

    def begin(self) -> None:
        self.wrong = []

    def end(self) -> None:
        pass

    def prepare(self) -> None:
        self.wrong = []
        self.is_refused = False

    def operate(self) -> bool:
        for command in self.commands():
            self.run(command)
        return not self.is_refused

    def run(self, command: list[str]) -> None:
        name = " ".join(command)
        try:
            result = subprocess.run(command, env=self.faults.environment(), stdin=subprocess.DEVNULL, capture_output=True,
                                    text=True, timeout=15 * SLOW, check=False)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"{name}: hangs")
            return
        if result.returncode == 0:
            expected = self.expected.setdefault(name, self.comparable(result.stdout))
            if not self.is_whole(self.comparable(result.stdout), expected):
                self.wrong.append(f"{name}: says {result.stdout!r} instead of {expected!r}")
        elif result.returncode < 0 or not result.stderr.strip():
            self.wrong.append(f"{name}: status {result.returncode}, says {result.stderr!r}")
        self.is_refused |= result.returncode != 0
        if OUR_BUG.search(result.stderr):
            self.wrong.append(f"{name}: {result.stderr}")

    def comparable(self, output: str) -> str:
        return output

    def is_whole(self, output: str, expected: str) -> bool:
        return output == expected

    def settle(self, hits: int) -> int:
        assert not self.wrong, self.wrong
        return 0

    def check_rest(self) -> None:
        pass


class Checks(Program):
    """`preforkd -t` and `-T`."""

    name = "check of a configuration"

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        super().__init__(start, directory, faults)
        self.config = directory / "checked.conf"
        self.config.write_text(f"[www]\nlisten = {tcp4()}\nhandler = /bin/cat\nuser = nobody\n")

    def commands(self) -> list[list[str]]:
        return [[str(BINARY), "-t", "-c", str(self.config)], [str(BINARY), "-T", "-c", str(self.config)]]


    def is_whole(self, output: str, expected: str) -> bool:
        """Without memory, an option that has no effect may be printed too."""
        return set(expected.splitlines()) <= set(output.splitlines())


class Controls(Program):
    """`preforkctl`."""

    name = "preforkctl"
    role = Role.CONTROL

    def begin(self) -> None:
        super().begin()
        if not self.expected:
            self.daemon: Any = self.start({"www": static(2, listen=tcp4())}, control=True)
            self.daemon.wait_workers(2)

    def commands(self) -> list[list[str]]:
        program = [str(CONTROL_PROGRAM), "-s", str(self.daemon.master["control"]), "--timeout", "1"]
        return [[*program, *command] for command in (["status"], ["status", "www", "--workers"], ["why"], ["config"],
                                                     ["--json", "version"])]

    def comparable(self, output: str) -> str:
        """Numbers change."""
        return "\n".join(re.sub(r"(\S*\d\S*\s*)+", "0 ", re.sub(r"\s+", " ", line)) for line in output.splitlines())
