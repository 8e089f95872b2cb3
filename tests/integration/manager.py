"""A service manager for tests: hears sd_notify(3), keeps descriptors, passes sockets. No systemd needed.

    manager = Manager(tmp_path)
    daemon = preforkd({...}, **manager.options(), ready=False)
    manager.wait("READY=1")
"""

from __future__ import annotations

import array
import os
import re
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon import BINARY, SLOW, Timeout, clean_environment


@dataclass
class Message:
    """One datagram: its lines in order, when it came, and what came with it."""

    lines: list[str]
    at: float
    fds: list[int] = field(default_factory=list)

    def value(self, name: str) -> str | None:
        return next((line.partition("=")[2] for line in self.lines if line.startswith(f"{name}=")), None)


class Manager:
    """The other end of NOTIFY_SOCKET. Close it at the end (`with Manager(…) as manager`)."""

    def __init__(self, directory: Path, store_max: int = 0) -> None:
        self.path = directory / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.path.chmod(0o777)
        self.messages: list[Message] = []
        self.store_max = store_max
        self.store: dict[str, int] = {}
        self.used: list[socket.socket] = []

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()
        for fd in self.store.values():
            os.close(fd)
        for listener in self.used:
            listener.close()

    # what is heard

    def receive(self, timeout: float = 0.0) -> bool:
        """Take one message, if one comes in time; the store is kept as systemd would."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            if not selector.select(timeout):
                return False
        data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(64 * 4), socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content)
        message = Message(data.decode().split("\n"), time.monotonic(), list(fds))
        self.messages.append(message)
        name = message.value("FDNAME") or "stored"
        if "FDSTORE=1" in message.lines:
            assert len(fds) == 1 and name not in self.store, message
            self.store[name] = fds[0]
        elif "FDSTOREREMOVE=1" in message.lines:
            os.close(self.store.pop(name))
        else:
            assert not fds, message
        return True

    def receive_all(self) -> list[Message]:
        while self.receive():
            pass
        return self.messages

    def wait(self, line: str, timeout: float = 10.0, after: int = 0) -> Message:
        """The first message with a line that fits (a regular expression), of those after number `after`."""
        give_up = time.monotonic() + timeout * SLOW
        seen = after
        while True:
            for message in self.messages[seen:]:
                if any(re.fullmatch(line, heard) for heard in message.lines):
                    return message
            seen = max(after, len(self.messages))
            if not self.receive(max(give_up - time.monotonic(), 0)):
                raise Timeout(f"no {line} in {timeout * SLOW:g} s; heard: {[m.lines for m in self.messages]}")

    def heard(self, name: str) -> list[str]:
        """Every value of a variable so far."""
        self.receive_all()
        return [value for message in self.messages if (value := message.value(name)) is not None]

    # what is passed

    def options(self, sockets: Sequence[tuple[str, socket.socket]] = (), **environment: str) -> dict[str, Any]:
        """What the fixture `preforkd` needs to start a daemon that finds this manager, `sockets` and the store."""
        variables = clean_environment(NOTIFY_SOCKET=str(self.path), **environment)
        if self.store_max:
            variables["FDSTORE"] = str(self.store_max)
        passed = [(name, listener.fileno()) for name, listener in sockets] + list(self.store.items())
        if not passed:
            return {"popen": {"env": variables}}
        variables |= {"LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": ":".join(name for name, _ in passed)}
        fds = [fd for _, fd in passed]
        return {"popen": {"env": variables, "pass_fds": fds}, "binary": self.starter(fds)}

    def starter(self, fds: Sequence[int]) -> Path:
        """A program that arranges descriptors from 3 on, says whose they are, and becomes preforkd."""
        program = self.path.with_name(f"start{len(self.messages)}")
        program.write_text(f"""#!/usr/bin/python3 -IS
import fcntl, os, sys
above = max({[3 + len(fds), *fds]}) + 1  # a test that has run for long has many descriptors
high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for fd in {list(fds)}]
for fd in {list(fds)}:
    os.close(fd)
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv({str(BINARY)!r}, [{str(BINARY)!r}, *sys.argv[1:]])
""")
        program.chmod(0o755)
        return program

    def listen(self, family: socket.AddressFamily, address: Any) -> socket.socket:
        """A listening socket, as a socket unit makes it."""
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as systemd; connections of earlier tests linger
        listener.bind(address)
        listener.listen(64)
        self.used.append(listener)
        return listener
