"""The scoreboards of a daemon, as its workers have them: to be looked at, and written into."""

from __future__ import annotations

import mmap
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon import Daemon, open_descriptors

SLOTS = 4 * 64 + 65536 // 8
SLOT = 512
# Of a slot: the lines that only its worker writes in its place.
WORKER_LINES = [range(128), range(192, 320), range(448, 512)]


def boards(daemon: Daemon, pool: str = "www") -> dict[int, int]:
    """Inode → descriptor of the master, the oldest first."""
    found = {}
    for fd, target in open_descriptors(daemon.pid).items():
        if target.startswith(f"/memfd:preforkd:{pool} "):
            with suppress(FileNotFoundError):  # closed meanwhile
                found[os.stat(f"/proc/{daemon.pid}/fd/{fd}").st_ino] = fd
    return found


@contextmanager
def mapped(daemon: Daemon, fd: int) -> Iterator[mmap.mmap]:
    with open(f"/proc/{daemon.pid}/fd/{fd}", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        yield memory


@contextmanager
def scoreboard(daemon: Daemon, pool: str = "www") -> Iterator[mmap.mmap]:
    """The only one of a pool."""
    [fd] = boards(daemon, pool).values()
    with mapped(daemon, fd) as memory:
        yield memory


def board_of(pid: int) -> int | None:
    """The inode of the scoreboard that a process has mapped."""
    inodes = {int(line.split()[4]) for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
              if "/memfd:preforkd:" in line}
    assert len(inodes) <= 1
    return inodes.pop() if inodes else None


def scribble(memory: mmap.mmap, slots: int, words: int) -> None:
    """Write so many words of garbage into the lines of the workers of some slots."""
    for _ in range(words):
        line = random.choice(WORKER_LINES)
        at = SLOTS + random.randrange(slots) * SLOT + random.choice(line) // 8 * 8
        value = random.choice([0, 2**64 - 1, random.getrandbits(64), random.getrandbits(8), random.getrandbits(32)])
        memory[at:at + 8] = value.to_bytes(8, "little")
