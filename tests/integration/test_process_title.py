"""What `ps` shows: a title and nothing else, however long the command line was."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import (AS_ROOT, BINARY, ROOT, Daemon, children, clean_environment, format_config, request, tcp4,
                    user_arguments, wait_until)


def shown(pid: int) -> str:
    """The whole of cmdline, as ps reads it: a NUL inside would be shown as a blank, and what follows it too. Nothing of one
    that has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().removesuffix(b"\0").decode()
    except OSError:
        return ""


@pytest.mark.parametrize("padding", [0, 1, 40, 400], ids=lambda padding: f"{padding} bytes more")
def test_titles_are_exact(padding: int) -> None:
    address = tcp4()
    arguments = [*user_arguments(), f"--environment=PADDING={'x' * padding}", "--listen", address, "--", "/bin/cat"]
    daemon = subprocess.Popen([BINARY, *arguments], env=clean_environment(), stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        wait_until(lambda: shown(daemon.pid) == "preforkd: master", "the master's title")
        # One look: between two the child that reads the configuration may end, and nobody is there.
        wait_until(lambda: {shown(pid) for pid in children(daemon.pid)} == {"preforkd: worker main"}, "the workers' titles")
        assert request(address, b"hello") == b"hello"
    finally:
        daemon.terminate()
        assert daemon.wait(20) == 0


@pytest.mark.parametrize("length", [len("preforkd: master") + more for more in (-1, 0, 1)])
def test_a_title_as_long_as_the_program_s_path(length: int) -> None:
    address = tcp4()
    path = "./".ljust(length - len("preforkd"), "/") + "preforkd"
    daemon = subprocess.Popen([path, *user_arguments(), "--listen", address, "--", "/bin/cat"], executable=BINARY,
                              env=clean_environment(), stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        wait_until(lambda: shown(daemon.pid) == "preforkd: master", "the master's title")
    finally:
        daemon.terminate()
        assert daemon.wait(20) == 0


@pytest.mark.parametrize("name", ["pf2", "preforkd-0.2.0", "x" * 200])
def test_a_program_of_another_name(preforkd: Callable[..., Daemon], tmp_path: Path, name: str) -> None:
    """Started as that, and upgraded to it: who looks for ^preforkd: finds it."""
    tmp_path.chmod(0o755)
    shutil.copy(BINARY, tmp_path / name)
    pools = {"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 1}}
    for binary in (tmp_path / name, BINARY):
        daemon = preforkd(pools, control=True, binary=binary)
        if binary == BINARY:
            control_of(daemon).do(f"upgrade {tmp_path / name}")
        wait_until(lambda: shown(daemon.pid) == f"preforkd: master ({daemon.config})", "the master's title")
        [worker] = daemon.wait_workers(1)
        assert shown(worker) == "preforkd: worker www"
        daemon.stop()


@pytest.mark.parametrize("length", [0, 1, 100, 240])
def test_the_master_s_title_names_its_file(preforkd: Callable[..., Daemon], tmp_path: Path, length: int) -> None:
    """Cut at 255 bytes. Those of its children, which are shorter, have nothing of it."""
    directory = tmp_path / ("x" * length)
    directory.mkdir(exist_ok=True)
    file = directory / "preforkd.conf"
    file.write_text(format_config({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 1,
                                           "user": "nobody" if AS_ROOT else None}}, {}))
    daemon = preforkd(arguments=["-c", str(file)])
    wait_until(lambda: shown(daemon.pid) == f"preforkd: master ({file})"[:255], "the master's title")
    wait_until(lambda: {shown(pid) for pid in children(daemon.pid)} == {"preforkd: worker www"}, "the worker's title")


def test_the_documented_pattern_matches_masters_only(preforkd: Callable[..., Daemon]) -> None:
    """Not the shell that asks, which has the pattern in its own command line; and one of several masters by its file."""
    pool = {"handler": "/bin/cat", "scaling": "static", "max_workers": 1}
    daemons = [preforkd({"www": {"listen": tcp4(), **pool}}) for _ in range(2)]
    for daemon in daemons:
        daemon.wait_workers(1)
    for pattern, expected in (("^preforkd: master", {daemon.pid for daemon in daemons}),
                              (rf"^preforkd: master \({daemons[0].config}", {daemons[0].pid})):
        found = subprocess.run(["/bin/sh", "-c", f"echo shell $$; pgrep -f '{pattern}'; exit 0"], capture_output=True,
                               text=True, check=True).stdout.split()
        assert found[1] not in found[2:] and expected <= set(map(int, found[2:]))
        ours = {pid for daemon in daemons for pid in (daemon.pid, *children(daemon.pid))}
        assert set(map(int, found[2:])) & ours == expected
