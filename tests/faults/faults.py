"""What fails, in which processes, and which calls; see inject.c, whose other side this is."""

from __future__ import annotations

import ctypes
import enum
import errno
import mmap
import re
import subprocess
from pathlib import Path

import pytest

from daemon import BINARY, ROOT, clean_environment

INJECTOR = BINARY.parents[2] / "tests/faults/inject.so"
NAMES = re.findall(r"^X\((\w+)\)$", (ROOT / "tests/faults/functions.inc").read_text(), re.MULTILINE)

MEMORY, DESCRIPTORS, ODD = errno.ENOMEM, errno.EMFILE, errno.EPERM

# The errors worth trying for each function: what a shortage, a broken disk, a signal, or a filter of system calls makes of
# it. The first one is tried with most numbers.
ERRORS: dict[str, tuple[int, ...]] = {
    "__getdelim": (MEMORY, errno.EIO),
    "__poll_chk": (MEMORY, errno.EINTR),
    "accept4": (DESCRIPTORS, errno.ECONNABORTED, errno.EINTR, MEMORY, ODD, errno.EAGAIN),
    "access": (errno.EIO, errno.EACCES),
    "bind": (MEMORY, errno.EADDRINUSE, errno.EACCES),
    "calloc": (MEMORY,),
    "chdir": (errno.EIO, errno.EACCES),
    "chmod": (errno.EIO, ODD),
    "chroot": (errno.EIO, ODD),
    "close": (errno.EIO, errno.EINTR),
    "close_range": (MEMORY, errno.ENOSYS),
    "closedir": (errno.EIO,),
    "connect": (errno.EAGAIN, errno.ECONNREFUSED, errno.EINTR),
    "dup2": (errno.EBUSY, errno.EINTR, DESCRIPTORS),
    "dup3": (errno.EBUSY, errno.EINTR, DESCRIPTORS),
    "epoll_create1": (DESCRIPTORS, MEMORY),
    "epoll_ctl": (errno.ENOSPC, MEMORY, ODD),
    "epoll_wait": (errno.EINTR, errno.EINVAL),
    "eventfd": (DESCRIPTORS, MEMORY),
    "execve": (MEMORY, errno.EAGAIN, errno.ETXTBSY, errno.EIO),
    "execveat": (MEMORY, errno.ETXTBSY, errno.EIO),
    "faccessat": (errno.EIO, ODD),
    "fchmod": (errno.EIO, ODD),
    "fchownat": (errno.EIO, ODD),
    "fclose": (errno.EIO,),
    "fcntl64": (DESCRIPTORS, ODD),
    "fflush": (errno.ENOSPC, errno.EIO),
    "fgets": (errno.EIO,),
    "fgetxattr": (errno.EIO, errno.EOPNOTSUPP),
    "fopen64": (DESCRIPTORS, MEMORY, errno.EIO),
    "fork": (errno.EAGAIN, MEMORY),
    "fputs": (errno.ENOSPC,),
    "fstat64": (errno.EIO, MEMORY),
    "fstatat64": (errno.EIO, errno.EACCES),
    "fstatvfs64": (errno.EIO,),
    "ftruncate64": (errno.ENOSPC, ODD, errno.EINTR),
    "fwrite": (errno.ENOSPC,),
    "getcwd": (MEMORY, errno.ENOENT),
    "getdelim": (MEMORY, errno.EIO),
    "getgrnam_r": (errno.EIO, errno.ENFILE, MEMORY),
    "getgrouplist": (MEMORY,),
    "getgroups": (ODD,),
    "getpeername": (errno.ENOBUFS, errno.ENOTCONN),
    "getpgid": (ODD,),
    "getpriority": (ODD,),
    "getpwnam_r": (errno.EIO, errno.ENFILE, MEMORY),
    "getpwuid_r": (errno.EIO, errno.ENFILE, MEMORY),
    "getrandom": (errno.EAGAIN, errno.ENOSYS),
    "getresgid": (ODD,),
    "getresuid": (ODD,),
    "getrlimit64": (ODD,),
    "getsockname": (errno.ENOBUFS,),
    "getsockopt": (errno.ENOBUFS, ODD),
    "getxattr": (errno.EIO, errno.EOPNOTSUPP),
    "if_nametoindex": (errno.ENODEV,),
    "ioctl": (errno.EIO, ODD),
    "kill": (ODD,),
    "lchown": (errno.EIO, ODD),
    "listen": (errno.EADDRINUSE, errno.ENOBUFS),
    "lstat64": (errno.EIO, errno.EACCES),
    "madvise": (MEMORY, errno.EINVAL),
    "malloc": (MEMORY,),
    "memfd_create": (DESCRIPTORS, MEMORY, errno.ENOSYS),
    "mkdir": (errno.ENOSPC, errno.EACCES),
    "mkdirat": (errno.ENOSPC, errno.EACCES),
    "mmap64": (MEMORY, ODD),
    "munmap": (MEMORY,),
    "open64": (DESCRIPTORS, errno.ENFILE, errno.EIO, errno.EINTR, errno.EACCES),
    "openat64": (DESCRIPTORS, errno.ENFILE, errno.EIO, errno.EACCES),
    "opendir": (DESCRIPTORS, errno.EACCES, MEMORY),
    "pidfd_open": (DESCRIPTORS, errno.ENOSYS),
    "pidfd_send_signal": (ODD,),
    "pipe2": (DESCRIPTORS, errno.ENFILE),
    "poll": (MEMORY, errno.EINTR),
    "ppoll": (errno.EINTR, MEMORY),
    "prctl": (ODD,),
    "pread64": (errno.EIO, errno.EINTR),
    "pthread_create": (errno.EAGAIN, MEMORY),
    "pthread_key_create": (MEMORY, errno.EAGAIN),
    "pthread_setspecific": (MEMORY,),
    "pwritev64v2": (errno.EAGAIN, errno.ENOSPC, errno.EIO),
    "read": (errno.EIO, errno.EINTR, errno.EAGAIN),
    "readdir64": (errno.EIO,),
    "readlink": (errno.EIO, errno.EACCES),
    "readlinkat": (errno.EIO, MEMORY),
    "realloc": (MEMORY,),
    "reallocarray": (MEMORY,),
    "realpath": (errno.EIO, MEMORY),
    "recv": (MEMORY, errno.EINTR, errno.EAGAIN, errno.ECONNRESET),
    "recvfrom": (MEMORY, errno.EINTR),
    "recvmsg": (MEMORY, errno.EINTR, errno.EAGAIN),
    "scandir64": (MEMORY, errno.EACCES),
    "send": (errno.ENOBUFS, errno.EINTR, errno.EAGAIN, errno.EPIPE),
    "sendmsg": (errno.EAGAIN, errno.ENOBUFS, MEMORY, errno.EINTR),
    "sendto": (errno.EAGAIN, errno.ENOBUFS, errno.EINTR),
    "setenv": (MEMORY,),
    "setgroups": (MEMORY, ODD),
    "setitimer": (ODD,),
    "setpgid": (ODD, errno.ESRCH),
    "setpriority": (errno.EACCES, ODD),
    "setresgid": (errno.EAGAIN, ODD),
    "setresuid": (errno.EAGAIN, ODD),
    "setrlimit64": (ODD,),
    "setsid": (ODD,),
    "setsockopt": (MEMORY, errno.ENOPROTOOPT, ODD),
    "shutdown": (errno.ENOTCONN,),
    "sigaction": (errno.EINVAL,),
    "signal": (errno.EINVAL,),
    "signalfd": (DESCRIPTORS, MEMORY),
    "sigprocmask": (errno.EINVAL,),
    "socket": (DESCRIPTORS, errno.ENOBUFS, errno.EACCES),
    "socketpair": (DESCRIPTORS, MEMORY),
    "splice": (errno.EAGAIN, MEMORY, errno.EINVAL),
    "stat64": (errno.EIO, MEMORY, errno.EACCES),
    "syscall": (ODD, errno.ENOSYS),
    "timerfd_create": (DESCRIPTORS, MEMORY),
    "unlink": (errno.EIO, errno.EACCES),
    "unlinkat": (errno.EIO, errno.EACCES),
    "vfork": (errno.EAGAIN, MEMORY),
    "wait4": (errno.EINTR,),
    "waitid": (errno.EINTR,),
    "waitpid": (errno.EINTR,),
    "write": (errno.EAGAIN, errno.EINTR, errno.ENOSPC, errno.EPIPE),
}


# Where an error would say of the machine what is not so. To a worker, a pipe to the master that is full or has no reader is
# no failure; and the mask of signals, which cannot fail for what it is given, is what its orders arrive by.
OTHERWISE: dict[tuple[str, str], tuple[int, ...]] = {
    ("WORKER", "write"): (MEMORY, errno.EINTR),
    ("WORKER", "sigprocmask"): (),
}


class Role(enum.IntFlag):
    """The processes whose calls count; the same numbers as in inject.c. A child is of no kind until it says so."""

    MASTER = 1 | 2
    PREFLIGHT = 4 | 8
    WORKER = 16 | 8
    CONFIGURATION = 32 | 8
    CONTROL = 64
    LOG = 128 | 8


class Age(enum.IntFlag):
    """Whether a process was made before the fault was armed, or since then."""

    BEFORE = 1
    SINCE = 2
    ANY = 3


class _Control(ctypes.Structure):
    _fields_ = [("roles", ctypes.c_uint32), ("epoch", ctypes.c_uint32), ("ages", ctypes.c_uint32),
                ("function", ctypes.c_int32), ("first", ctypes.c_int64), ("times", ctypes.c_int64),
                ("calls", ctypes.c_int64), ("error", ctypes.c_int32), ("hits", ctypes.c_int32),
                ("place", ctypes.c_uint64), ("counts", ctypes.c_uint64 * len(NAMES)), ("program", ctypes.c_char * 512)]


class Faults:
    """What fails; it may be changed while the processes run. Close it at the end (`with Faults(…) as faults`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(ctypes.sizeof(_Control)))
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._control = _Control.from_buffer(self._memory)
        self.clear()

    def __enter__(self) -> Faults:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        del self._control
        self._memory.close()

    def environment(self, **more: str) -> dict[str, str]:
        """That of a process whose calls may fail."""
        return {**clean_environment(), "LD_PRELOAD": str(INJECTOR), "FAULTS": str(self.path), **more}

    def arm(self, role: Role, function: str | None, number: int = 1, times: int = 1, error: int = MEMORY,
            ages: Age = Age.ANY, program: str = "") -> None:
        """The n-th call from now on fails, and those after it as often as `times` says; without a function, all are counted.

        With a program, only those that execute it are `Age.SINCE`.
        """
        control = self._control
        self.clear()
        control.epoch += 1
        control.roles, control.ages, control.program = role, ages, program.encode()
        control.first, control.times, control.calls, control.error = number, times, 0, error
        control.hits = control.place = 0
        ctypes.memset(ctypes.addressof(control) + _Control.counts.offset, 0, _Control.counts.size)
        if function is not None:
            control.function = self._last = NAMES.index(function)

    def again(self) -> None:
        """After clear(): what was armed goes on, and so does its count; what has been made since then is `Age.BEFORE`."""
        self._control.epoch += 1
        self._control.function = self._last

    def clear(self) -> None:
        """Nothing fails any more."""
        self._control.function = len(NAMES)

    @property
    def hits(self) -> int:
        """How many calls have failed since arm()."""
        return int(self._control.hits)

    @property
    def calls(self) -> int:
        """How often the function was called since arm(), whatever came of it."""
        return int(self._control.calls)

    def counts(self) -> dict[str, int]:
        """How often each function was called since arm(), of those that were."""
        return {name: count for name, count in zip(NAMES, self._control.counts) if count}

    def place(self, program: Path) -> str:
        """Where the program was that has met the last fault, as far as that can be told: for people."""
        if not self.hits:
            return "not hit"
        result = subprocess.run(["addr2line", "-sfpe", str(program), f"{max(self._control.place - 1, 0):#x}"],
                                capture_output=True, text=True, check=False)
        return result.stdout.strip()


def errors(role: Role, function: str) -> tuple[int, ...]:
    """What is tried in processes of a role, the most likely one first."""
    return OTHERWISE.get((str(role.name), function), ERRORS[function])


def numbers(count: int, most: int) -> list[int]:
    """Which of so many calls fail: the first 14 and then ever fewer; of these, `most` at most."""
    found = list(range(1, min(count, 14) + 1))
    while found and found[-1] < count:
        found.append(min(found[-1] * 7 // 5, count))
    if len(found) > most:
        found = [found[index * (len(found) - 1) // max(most - 1, 1)] for index in range(most)]
    return sorted(set(found))


def needs_plain_build() -> None:
    """A sanitizer wraps the same functions, and wants to be loaded first."""
    if b"__asan_init" in BINARY.read_bytes():
        pytest.skip("needs a build without sanitizers")
