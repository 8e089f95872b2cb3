"""Processes that do what a hostile worker, or a process of its user, could do; each without end."""

from __future__ import annotations

import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from daemon import AS_ROOT, POOL_USER

# All begin as root and go on as the user of the pool; 0: as they are.
BECOME = """
import os, signal, sys
def become(user):
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    print("begun", flush=True)
"""

# WORKER USER: wakes the master by all pipes and eventfds of a worker.
WAKER = BECOME + """
import ctypes
PIDFD_OPEN, PIDFD_GETFD = 434, 438
worker = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
pidfd = libc.syscall(PIDFD_OPEN, worker, 0)
stderr = os.readlink(f"/proc/{worker}/fd/2")
found = [int(number) for number in os.listdir(f"/proc/{worker}/fd")
         if (target := os.readlink(f"/proc/{worker}/fd/{number}")).startswith(("pipe:", "anon_inode:[eventfd"))
         and target != stderr]
fds = [libc.syscall(PIDFD_GETFD, pidfd, number, 0) for number in found]
become(int(sys.argv[2]))
while True:
    for fd in fds:
        try:
            os.write(fd, (1).to_bytes(8, "little"))
        except OSError:
            pass
"""

# The same, for records of connections (base/connection_ring.h), of nothing that has been: all cells are filled without end,
# and it says that one was dropped.
RECORDER = WAKER.replace('("pipe:", "anon_inode:[eventfd")', '"pipe:"').replace("become(int(sys.argv[2]))", """
import mmap, struct
master = open(f"/proc/{worker}/stat").read().rpartition(")")[2].split()[1]
board = next(number for number in os.listdir(f"/proc/{master}/fd")
             if os.readlink(f"/proc/{master}/fd/{number}").startswith("/memfd:preforkd:www "))
with open(f"/proc/{master}/fd/{board}", "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
CELLS, RECORD = 1024, 256
ring = len(memory) - 128 - CELLS * (8 + RECORD)
for cell in range(CELLS):
    at = ring + 128 + CELLS * 8 + cell * RECORD
    memory[at:at + 12] = struct.pack("<QI", 0x02637066bd1e91c7, 0)
become(int(sys.argv[2]))
""").replace("while True:", """while True:
    number = struct.unpack_from("<I", memory, ring + 64)[0]
    for number in range(number, number + CELLS):
        struct.pack_into("<Q", memory, ring + 128 + number % CELLS * 8, number % 2**32 // CELLS << 32 | 1)
    struct.pack_into("<II", memory, ring + 64, (number + 1) % 2**32, 1)""").replace('(1).to_bytes(8, "little")', 'b"\\1"')

# USER SIGNAL…: sends the signals in turn to all that the user may signal.
KILLER = BECOME + """
become(int(sys.argv[1]))
numbers = [int(number) for number in sys.argv[2:]]
for number in numbers:
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
while True:
    for number in numbers:
        try:
            os.kill(-1, number)
        except ProcessLookupError:
            pass
"""

# MASTER FD USER: writes garbage into the memory of a scoreboard, which the master has open as FD.
SCRIBBLER = BECOME + """
import mmap
with open(f"/proc/{sys.argv[1]}/fd/{sys.argv[2]}", "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
become(int(sys.argv[3]))
used = min(len(memory), 65536)
while True:
    memory[:used] = os.urandom(used)
"""

# USER: takes a processor, and does nothing else.
IDLER = BECOME + """
become(int(sys.argv[1]))
while True:
    pass
"""


@contextmanager
def culprit(program: str, *arguments: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"begun\n"
            yield process
        finally:
            process.kill()


def pool_user() -> int:
    return pwd.getpwnam(POOL_USER).pw_uid if AS_ROOT else 0
