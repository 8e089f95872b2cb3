"""What a pool did, from its handlers' answers and from /proc: who served, how many at a time, for how long."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from daemon import Daemon, Reply, handlers_of, open_descriptors, status_value


@dataclass(frozen=True)
class Served:
    """One answer of `handler_wait`."""

    pid: int
    worker: int
    begun_ns: int
    ended_ns: int


def served(reply: bytes | Reply) -> Served:
    if isinstance(reply, Reply):
        assert reply.error is None, reply.error
        reply = reply.data
    numbers = reply.split()
    assert len(numbers) == 4, f"no answer of handler_wait: {reply!r}"
    return Served(*map(int, numbers))


def most_at_once(answers: Iterable[Served]) -> int:
    """The largest number of requests that were served at one moment."""
    answers = list(answers)
    moments = sorted([(answer.begun_ns, 1) for answer in answers] + [(answer.ended_ns, -1) for answer in answers])
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


def per_worker(answers: Sequence[Served]) -> dict[int, int]:
    """Requests by worker, in the order in which the workers came."""
    return dict(Counter(answer.worker for answer in answers))


def who_serves(client: socket.socket, processes: Iterable[int]) -> int:
    """Which of these processes has the other end of a client's TCP connection."""
    local, remote = (f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"
                     for host, port in (client.getpeername(), client.getsockname()))
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    [inode] = [row[9] for row in table if row[1:3] == [local, remote]]
    [found] = [pid for pid in processes if f"socket:[{inode}]" in open_descriptors(pid).values()]
    return found


def handlers(daemon: Daemon, pool: str = "www") -> list[int]:
    """The handlers a pool runs now."""
    return [child for worker in daemon.workers(pool) for child in handlers_of(worker)]


def resident_kb(pid: int) -> int:
    return int(status_value(pid, "VmRSS").split()[0])


class Watch:
    """Looks again and again, in a thread, and keeps what it saw: for what must not be exceeded at any moment."""

    def __init__(self, look: Callable[[], int], pause: float = 0.01) -> None:
        self.look = look
        self.pause = pause
        self.seen: list[int] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._end.is_set():
            self.seen.append(self.look())
            self._end.wait(self.pause)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join(30)
        assert self.seen, "nothing was looked at"

    @property
    def most(self) -> int:
        return max(self.seen)

    @property
    def least(self) -> int:
        return min(self.seen)


def processes_below(daemon: Daemon) -> int:
    """The children of the master: workers and refusers of every pool, those included that have only just been forked.
    While a configuration is read, the child that reads it is one of them. At one moment: walking through /proc takes so
    long that some would be counted after others have taken their place."""
    at_once = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
    before, now = [""], at_once.read_text().split()
    while now != before:
        before, now = now, at_once.read_text().split()
    return len(now)


def signal_worker(pid: int, number: int) -> None:
    """Signal a worker that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
