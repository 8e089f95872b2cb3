"""What `ps` shows: a title and nothing else, however long the command line was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from daemon import BINARY, ROOT, children, clean_environment, request, tcp4, user_arguments, wait_until


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
