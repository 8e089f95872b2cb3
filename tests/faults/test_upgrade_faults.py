"""Faults in an upgrade after the execution, where there is no running program any more to go on: none loses the master.

The program that was executed tries again, and then executes the previous one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients import ClientPool
from control import Control, control_of
from daemon import BINARY, Daemon, request, tcp4, wait_until
from faults import Faults, needs_plain_build, numbers

Start = Callable[..., Daemon]

ROLE = "--take-over="
FUNCTIONS = {"malloc": errno.ENOMEM, "calloc": errno.ENOMEM, "realloc": errno.ENOMEM, "mmap64": errno.ENOMEM,
             "mmap": errno.ENOMEM, "madvise": errno.ENOMEM, "epoll_create1": errno.EMFILE, "epoll_ctl": errno.ENOSPC,
             "epoll_wait": errno.EINTR, "signalfd": errno.EMFILE, "socket": errno.EMFILE, "connect": errno.EAGAIN,
             "getsockname": errno.ENOBUFS, "getsockopt": errno.ENOBUFS, "setsockopt": errno.ENOBUFS,
             "memfd_create": errno.EMFILE, "fstat64": errno.EIO, "fstat": errno.EIO, "stat64": errno.EIO,
             "stat": errno.EIO, "read": errno.EIO, "readlink": errno.EIO, "sendmsg": errno.EAGAIN,
             "sigaction": errno.EINVAL, "sigprocmask": errno.EINVAL, "getrlimit64": errno.EFAULT,
             "getrlimit": errno.EFAULT, "open64": errno.EMFILE, "open": errno.EMFILE, "fcntl64": errno.EMFILE,
             "fcntl": errno.EMFILE}


@pytest.fixture
def faulty(preforkd: Start, tmp_path: Path) -> tuple[Daemon, Control, Faults]:
    needs_plain_build()
    faults = Faults(tmp_path / "faults")
    faults.clear()
    pools = {"www": {"listen": [tcp4(), str(tmp_path / "sock")], "handler": "/bin/cat", "scaling": "static",
                     "max_workers": 3},
             "mail": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2}}
    daemon = preforkd(pools, master={"control": tmp_path / "control.sock"}, popen={"env": faults.environment()})
    for name in pools:
        daemon.wait_workers(int(str(pools[name]["max_workers"])), name)
    return daemon, control_of(daemon), faults


def status_of(control: Control) -> Any:
    """None if the fault that is left hits this very question."""
    try:
        status = control.ask("status")
        return status if status["ok"] else None
    except (OSError, ValueError, KeyError):
        return None


def serves(daemon: Daemon) -> None:
    for pool in daemon.pools.values():
        for address in pool["listen"] if isinstance(pool["listen"], list) else [pool["listen"]]:
            assert request(str(address), b"x") == b"x"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_fault_after_the_execution(faulty: tuple[Daemon, Control, Faults], pytestconfig: pytest.Config,
                                     function: str) -> None:
    """The n-th call of a function fails: the upgrade succeeds nevertheless, or the previous program goes on."""
    daemon, control, faults = faulty
    workers = sorted(daemon.workers("www") + daemon.workers("mail"))
    for number in numbers(pytestconfig.getoption("--long", False)):
        faults.set(ROLE, function, number, error=FUNCTIONS[function])
        with contextlib.suppress(OSError, ValueError):  # the fault may hit the client's own connection
            control.ask("upgrade", timeout=30)
        wait_until(lambda: status_of(control), f"{number}: an answer")
        assert status_of(control)["master"]["pid"] == daemon.pid, number
        hit = faults.hits
        serves(daemon)
        assert sorted(daemon.workers("www") + daemon.workers("mail")) == workers, number
        if not hit:
            break  # there are no more calls; a master that runs goes on to make some of these, though


@pytest.mark.parametrize("function", ["malloc", "mmap64", "epoll_create1", "fstat64"])
def test_a_program_that_never_can(faulty: tuple[Daemon, Control, Faults], tmp_path: Path, function: str) -> None:
    """What fails every time leads back to the previous program, under load, and the command says so."""
    daemon, control, faults = faulty
    program = tmp_path / "preforkd-copy"
    shutil.copy(BINARY, program)
    with ClientPool([str(daemon.pools["mail"]["listen"])], count=4) as clients:
        faults.set(f"{program}&--take-over=", function, 1, 1000000, FUNCTIONS[function])
        clients.wait_served(20)
        reply = control.ask(f"upgrade {program}", timeout=30)
        clients.wait_served(20)
    assert not reply["ok"] and reply["problems"][0]["text"] == "the other program was executed and could not take over"
    assert os.readlink(f"/proc/{daemon.pid}/exe") == str(BINARY)
    assert control.do("status")["master"]["pid"] == daemon.pid
    faults.clear()
    assert control.do(f"upgrade {program}", timeout=30)["program"] == str(program)
