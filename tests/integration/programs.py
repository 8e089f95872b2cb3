"""Handlers that accept their connections themselves (`handler_type = listener`): how tests find them and talk to them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from control import Control, control_of
from daemon import BINARY, Daemon, children, connect, read_all, request, wait_until

BUILD = BINARY.parents[2]
LIBRARY = BUILD / "src/lib/libprefork.so.0"
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


def example(name: str, directory: Path) -> list[str]:
    """A program of examples/, copied to where every user can execute it, with the library that it needs."""
    program = Path(__file__).resolve().parents[2] / "examples/hello.py" if name == "python" \
        else BUILD / f"examples/hello_{name}"
    for source in (program, LIBRARY):
        shutil.copy(source, directory)
        (directory / source.name).chmod(0o755)
    target = str(directory / program.name)
    return [PYTHON, target] if name == "python" else [target]


def command(address: str, line: str, timeout: float = 20.0) -> str:
    """What `handler_acceptor` answers."""
    return request(address, line.encode() + b"\n", timeout, half_close=False).decode()


def begin(address: str, line: str) -> Any:
    """A client whose command has been sent."""
    client = connect(address)
    client.sendall(line.encode() + b"\n")
    return client


def end(client: Any) -> str:
    with client:
        return read_all(client).decode()


def talk_open(address: str) -> Any:
    """A client whose request is being served, until it ends it."""
    client = begin(address, "echo")
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    return client


# States of workers that do not serve yet, or no more.
COMING_OR_GOING = {"launching", "starting", "retiring", "ending", "killed"}


def rows(daemon: Daemon, pool: str = "www") -> list[dict[str, Any]]:
    """A pool's workers as the control socket shows them, oldest first."""
    return control_of(daemon).pool(pool, workers=True)["workers"][::-1]


def wait_rows(daemon: Daemon, count: int, state: str = "idle", pool: str = "www", timeout: float = 15.0) -> list[int]:
    """Wait until a pool has so many workers, all in that state; their pids, oldest first."""
    found: list[dict[str, Any]] = []

    def as_many() -> bool:
        found[:] = rows(daemon, pool)
        return len(found) == count and all(row["state"] == state for row in found)

    wait_until(as_many, f"{count} workers of pool {pool} that are {state}", timeout)
    pids = [row["pid"] for row in found]
    assert set(pids) <= set(children(daemon.pid))
    return pids


def wait_total(control: Control, name: str, value: int, pool: str = "www") -> None:
    """Wait until a pool has counted so many."""
    wait_until(lambda: control.pool(pool)["totals"][name] >= value, f"{name} {value}")
    assert control.pool(pool)["totals"][name] == value
