"""A program that never can take over, however often it tries: the previous one goes on. (One fault: test_faults.py.)"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from control import Control, control_of
from daemon import BINARY, Daemon, tcp4
from faults import ERRORS, Age, Faults, Role, needs_plain_build

Start = Callable[..., Daemon]


@pytest.fixture
def faulty(preforkd: Start, tmp_path: Path, faults: Faults) -> tuple[Daemon, Control]:
    needs_plain_build()
    pools = {"www": {"listen": [tcp4(), str(tmp_path / "sock")], "handler": "/bin/cat", "scaling": "static",
                     "max_workers": 3},
             "mail": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2}}
    daemon = preforkd(pools, control=True, popen={"env": faults.environment()})
    for name in pools:
        daemon.wait_workers(int(str(pools[name]["max_workers"])), name)
    return daemon, control_of(daemon)


@pytest.mark.parametrize("function", ["malloc", "mmap64", "epoll_create1", "fstat64"])
def test_a_program_that_never_can(faulty: tuple[Daemon, Control], faults: Faults, tmp_path: Path,
                                  function: str) -> None:
    """What fails every time leads back to the previous program, under load, and the command says so."""
    daemon, control = faulty
    program = tmp_path / "preforkd-copy"
    shutil.copy(BINARY, program)
    with ClientPool([str(daemon.pools["mail"]["listen"])], count=4) as clients:
        faults.arm(Role.MASTER, function, 1, 1_000_000, ERRORS[function][0], Age.SINCE, str(program))
        clients.wait_served(20)
        reply = control.ask(f"upgrade {program}", timeout=30)
        clients.wait_served(20)
    assert faults.hits > 1
    assert not reply["ok"] and reply["problems"][0]["text"] == "the other program was executed and could not take over"
    assert os.readlink(f"/proc/{daemon.pid}/exe") == str(BINARY)
    assert control.do("status")["master"]["pid"] == daemon.pid
    faults.clear()
    assert control.do(f"upgrade {program}", timeout=30)["program"] == str(program)
