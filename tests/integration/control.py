"""A client of the control socket, as preforkd-control(7) describes it; without preforkctl, so that both can be tested."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from daemon import SLOW, Daemon, Timeout, read_all, wait_until

# A client as another user: a process of its own, because a process cannot have two users at one time.
CLIENT = """
import socket, sys
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
client.settimeout(10)
try:
    client.connect(sys.argv[1])
except PermissionError:
    sys.exit("EACCES")
client.sendall(sys.argv[2].encode() + b"\\n")
while chunk := client.recv(65536):
    sys.stdout.buffer.write(chunk)
"""


class Control:
    """Asks a daemon; every question is a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def connect(self, timeout: float = 15.0) -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(timeout * SLOW)

        def connected() -> bool:
            try:
                client.connect(str(self.path))
            except BlockingIOError:  # the queue is full, and Python's sockets with a timeout do not wait for it
                return False
            return True

        try:
            wait_until(connected, "a place in the queue", timeout)
        except BaseException:
            client.close()
            raise
        return client

    def send(self, data: bytes, timeout: float = 15.0) -> bytes:
        """What comes back for these very bytes."""
        with self.connect(timeout) as client:
            client.sendall(data)
            return read_all(client)

    def ask(self, line: str, timeout: float = 15.0) -> dict[str, Any]:
        """The reply, whatever it is: one document in one line."""
        reply = self.send(line.encode() + b"\n", timeout)
        assert reply.endswith(b"\n") and reply.count(b"\n") == 1, reply
        document = json.loads(reply)
        assert document["protocol"] == 2
        assert isinstance(document["ok"], bool)
        assert document["ok"] or (document["error"] and document["message"])
        return document

    def do(self, line: str, timeout: float = 15.0) -> dict[str, Any]:
        """The reply of what must succeed."""
        document = self.ask(line, timeout)
        assert document["ok"], document
        assert document["command"] == line.split()[0]
        return document

    def refused(self, line: str, error: str) -> dict[str, Any]:
        """The reply of what must not."""
        document = self.ask(line)
        assert not document["ok"] and document["error"] == error, document
        return document

    def pool(self, name: str = "www", workers: bool = False) -> dict[str, Any]:
        pools = self.do(f"status {name}{' --workers' if workers else ''}")["pools"]
        assert len(pools) == 1, pools
        return pools[0]

    def wait_idle(self, name: str = "www", timeout: float = 10.0) -> None:
        """Until every worker of a pool is idle. A client has its whole answer a moment before its request is counted."""
        def all_idle() -> bool:
            counts = self.pool(name)["counts"]
            return counts["busy"] == 0 and counts["starting"] == 0

        wait_until(all_idle, f"idle workers of {name}", timeout)

    def wait_workers(self, count: int, name: str = "www", timeout: float = 10.0) -> None:
        """Until a pool has so many workers, all of them idle, and none is coming or going: who counts processes sees one
        that the master has not missed yet, and not one that it is about to start."""
        def as_many() -> bool:
            counts = self.pool(name)["counts"]
            return counts["idle"] == counts["total"] == count and counts["starting"] == counts["retiring"] == 0

        wait_until(as_many, f"{count} idle workers of {name}, and no others", timeout)

    def wait_totals(self, name: str = "www", timeout: float = 10.0, **expected: int) -> None:
        """Until a pool has counted exactly so many of each. A worker's end is counted when the master has been told of it,
        which is a moment after /proc shows it."""
        def seen() -> dict[str, int]:
            totals = self.pool(name)["totals"]
            return {key: totals[key] for key in expected}

        try:
            wait_until(lambda: seen() == expected, f"{expected} of {name}", timeout)
        except Timeout as late:
            raise Timeout(f"{late}; they are {seen()}") from None

    def wait_at_rest(self, name: str = "www", timeout: float = 30.0) -> None:
        """Until every worker of a pool is idle and it is no longer saturated, so that none of its figures moves: the time
        it was saturated counts until a second after the last request, in a pool of one or two for up to eleven."""
        self.wait_idle(name, timeout)
        wait_until(lambda: self.pool(name)["state"] != "saturated", f"the end of the saturation of {name}", timeout)

    def decisions(self, name: str = "www", template: bool = False) -> list[str]:
        """What was decided about a pool, or about its templates, the newest first."""
        [pool] = self.do(f"why {name}")["pools"]
        return [decision["text"] for decision in pool["decisions"] if decision["template"] == template]

    def verbs(self, line: str = "reload") -> dict[str, tuple[str, list[str]]]:
        """What a reload says that it does to each pool."""
        return {change["pool"]: (change["verb"], change["options"]) for change in self.do(line)["changes"]}

    def ask_as(self, line: str, user: str, groups: list[int | str] | None = None) -> str:
        """What another user gets to read; EACCES if it cannot connect."""
        result = subprocess.run([sys.executable, "-c", CLIENT, str(self.path), line], user=user, group="nogroup",
                                extra_groups=groups or [], capture_output=True, text=True, timeout=30 * SLOW, check=False)
        return result.stdout or result.stderr.strip()


def let_documents_age() -> None:
    """Workers of status pools and agents have what the master says of itself: it is as good as new for a tenth of a second
    to the master, and to each of them again. After that none of them says what was before."""
    time.sleep(0.25)


def control_of(daemon: Daemon) -> Control:
    return Control(Path(str(daemon.master["control"])))
