"""Faults while a pool serves by something else than a program on stdin, waits for its address, or the log is a file; see
campaign.py."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

from daemon import Daemon, Pools, endpoint, request, tcp4, wait_until
from datagrams import Client, udp
from faults import Age, Faults, Role
from modules import module
from scenarios import QUICK, Live, Load, Start, Worker, static
from short_lived import Starts

Keys = dict[str, Any]

# A program that accepts itself, and echoes. It blocks in accept(2), where it can be retired; or, with more listeners than
# one, in select(2).
ECHO = ["/usr/bin/perl", "-e", r"""
    my ($data, $wanted) = ("", "");
    my @listeners = map { open(my $listener, "+<&=$_") or die; vec($wanted, $_, 1) = 1; $listener } 3..2 + $ENV{LISTEN_FDS};
    for (;;) {
        my $ready = $wanted;
        select($ready, undef, undef, undef) if @listeners > 1;
        for my $listener (grep { vec($ready, fileno($_), 1) } @listeners) {
            accept(my $client, $listener) or next;
            syswrite($client, $data) while sysread($client, $data, 4096);
            close($client);
        }
    }""".replace("\n", " ")]


def a_module(directory: Path) -> Keys:
    return {"handler_type": "module", "handler": [module("serve", directory), "echo"]}


def a_builtin(_: Path) -> Keys:
    return {"handler_type": "builtin", "handler": "echo"}


def a_listener(_: Path) -> Keys:
    return {"handler_type": "listener", "handler": ECHO, "accounting": "preload"}


def a_copied_program(_: Path) -> Keys:
    return {"handler": "/bin/cat", "start_method": "forkserver"}


def a_rolled_back_program(_: Path) -> Keys:
    return {"handler": "/bin/cat", "start_method": "snapshot", "copy": "rollback"}


def an_unwatched_listener(_: Path) -> Keys:
    return {**a_listener(_), "accounting": "none"}


class Listeners(Load):
    """As `load`, with programs that accept themselves; those that report nothing are there and serve."""

    name = "load, listener"

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        super().__init__(start, directory, faults)
        self.www, self.unwatched = [self.www[0]] * 2, tcp4()

    def prepare(self) -> None:
        """Nobody is killed: TERM from outside is the program's own affair."""

    def pools(self) -> Pools:
        listener = a_listener(self.directory)
        growing = {**super().pools()["mail"], **listener}
        return {"www": {**growing, "listen": self.www[0]}, "mail": {**growing, "listen": self.mail},
                "unwatched": static(2, listen=self.unwatched, **an_unwatched_listener(self.directory))}


class Datagrams(Worker):
    """A worker answers datagrams, and stream clients from the same pool's kind."""

    name = "worker that serves"
    ages = Age.BEFORE
    worker_serves = True

    def __init__(self, start: Start, directory: Path, faults: Faults, role: Role = Role.WORKER) -> None:
        super().__init__(start, directory, faults, "datagrams", a_builtin)
        self.role = role
        self.udp = udp()

    def pools(self) -> Pools:
        return {"one": static(2, listen=self.one, **self.keys), "udp": static(2, listen=self.udp, **self.keys)}

    def steady(self) -> list[str]:
        return [self.one]

    def act(self) -> bool:
        for number in range(6):
            if not self.is_answered(b"%d" % number, 1):
                self.lost.append(f"datagram {number} has no answer")
        return True

    def is_answered(self, data: bytes, timeout: float) -> bool:
        with Client(self.udp, timeout) as client, contextlib.suppress(TimeoutError):
            client.send(data)
            return client.socket.recv(65536) == data
        return False

    def restore(self) -> None:
        wait_until(lambda: self.is_answered(b"x", 0.5), "datagrams are answered", 5)


class WaitService(Live):
    """A program is started for a datagram, answers it and ends: none that the kernel has accepted is lost."""

    name = "load, wait service"

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        super().__init__(start, directory, faults)
        self.www, self.udp = tcp4(), udp()

    def pools(self) -> Pools:
        answer = ["/usr/bin/perl", "-e", 'alarm 1; open(my $socket, "+<&=0") or die; '
                  'my $sender = recv($socket, my $data, 4096, 0); send($socket, $data, 0, $sender)']
        return {"www": static(1, listen=self.www),
                "wait": {**QUICK, "listen": self.udp, "handler_type": "listener", "listen_fd": 0, "accounting": "none",
                         "scaling": "ondemand", "max_workers": 1, "handler": answer}}

    def steady(self) -> list[str]:
        return [self.www]

    def act(self) -> bool:
        for number in range(3):
            with Client(self.udp, 10) as client:
                client.send(b"%d" % number)
                try:
                    if client.socket.recv(4096) != b"%d" % number:
                        self.lost.append(f"datagram {number} has a wrong answer")
                except OSError as error:
                    self.lost.append(f"datagram {number}: {error!r}")
        return True

    def restore(self) -> None:
        with Client(self.udp, 5) as client:
            client.send(b"x")
            assert client.socket.recv(4096) == b"x"


class LogFile(Live):
    """Handlers say something, and the log file is opened anew: whatever fails in the log process or in the master, the log
    goes on afterwards."""

    ages = Age.ANY

    def __init__(self, start: Start, directory: Path, faults: Faults, role: Role = Role.LOG) -> None:
        super().__init__(start, directory, faults)
        self.role = role
        self.name = "log process" if role == Role.LOG else "load, log file"
        self.www = tcp4()
        self.path = directory / "logs" / "log"
        self.path.parent.mkdir(mode=0o755, exist_ok=True)
        self.master = {"log_target": f"file:{self.path}"}
        self.log_pid = 0

    def pools(self) -> Pools:
        return {"www": static(2, listen=self.www, handler=["/bin/sh", "-c", "cat; echo word >&2"])}

    def act(self) -> bool:
        for _ in range(4):
            try:
                if request(self.www, b"x", 15) != b"x":
                    self.lost.append("no answer")
            except OSError as error:
                self.lost.append(repr(error))
        return self.ask("reopen-logs")

    def begin(self) -> None:
        self.log_pid = 0
        self.path.unlink(missing_ok=True)
        super().begin()

    def restore(self) -> None:
        """What is asked for now is in the file. A log process that has ended is followed by another, ever later: then
        everything is made anew."""
        mark = self.running.log_mark()
        self.control.do("reload")
        self.running.wait_message("reloaded", after=mark, timeout=10)
        pid = self.log_process()
        if self.log_pid not in (0, pid):
            self.begin()
        else:
            self.log_pid = pid

    def log_process(self) -> int:
        for child in Path(f"/proc/{self.running.pid}/task/{self.running.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/cmdline").read_text().startswith("preforkd: log "):
                    return int(child)
        raise AssertionError("there is no log process")


class PartialStarts(Starts):
    """A start without one of the addresses, which somebody else has: the other pools serve, and that one does as soon as it
    can."""

    def __init__(self, start: Start, directory: Path, faults: Faults) -> None:
        super().__init__(start, directory, faults)
        self.name = "start, partial"
        self.late = tcp4()
        self.other: socket.socket | None = None
        self.master = {"partial_start": True}

    def pools(self) -> Pools:
        return {**super().pools(), "late": static(1, listen=self.late)}

    def launch(self) -> Daemon:
        self.release()
        family, target = endpoint(self.late)
        self.other = socket.socket(family, socket.SOCK_STREAM)
        self.other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.other.bind(target)
        self.other.listen()
        return super().launch()

    def release(self) -> None:
        if self.other:
            self.other.close()
        self.other = None

    def check_serves(self, daemon: Daemon) -> None:
        self.release()
        super().check_serves(daemon)

    def end(self) -> None:
        self.release()
        super().end()
