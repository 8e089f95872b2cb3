"""A pool's user owns the directory of its socket, and exchanges everything in it while the master works there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from control import control_of
from daemon import AS_ROOT, POOL_USER, SLOW, Daemon, request

Start = Callable[..., Daemon]

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="needs root: the master has more rights than its pool")

# Puts a link in the place of the socket as soon as there is one, and the socket back: for ever.
SWAPPER = """
import os, stat, sys
socket, target = sys.argv[1:]
directory = os.path.dirname(socket)
link, aside = os.path.join(directory, "link"), os.path.join(directory, "aside")
os.symlink(target, link)
print("ready", flush=True)
while True:
    try:
        if stat.S_ISSOCK(os.lstat(socket).st_mode):
            os.rename(socket, aside)
            os.rename(link, socket)
            os.rename(socket, link)
            os.rename(aside, socket)
    except OSError:
        pass
    if not os.path.lexists(link):
        os.symlink(target, link)
"""


@contextmanager
def attacker(program: str, *arguments: Path) -> Iterator[None]:
    """A process of the pool's user."""
    process = subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], user=POOL_USER, group="nogroup",
                               extra_groups=[], stdout=subprocess.PIPE)
    assert process.stdout
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def owned_directory(parent: Path) -> Path:
    """Others may go through it."""
    os.chmod(parent, 0o755)
    directory = parent / "owned"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    return directory


def access_of(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return stat.S_IMODE(status.st_mode), status.st_uid


def test_a_link_in_the_place_of_a_socket_is_not_followed(preforkd: Start, tmp_path: Path) -> None:
    """At reloads that change its mode and owner."""
    path = owned_directory(tmp_path) / "socket"
    secret = tmp_path / "secret"
    secret.write_text("top")
    secret.chmod(0o600)
    daemon = preforkd({"www": {"listen": str(path), "handler": "/bin/cat"}}, control=True)
    with attacker(SWAPPER, path, secret):
        for turn in range(int(150 / SLOW)):
            daemon.pools["www"] |= {"socket_mode": "0666" if turn % 2 else "0606", "socket_user": "daemon"}
            daemon.write_config()
            control_of(daemon).ask("reload")
            assert access_of(secret) == (0o600, 0), f"after {turn} reloads"


def test_a_link_to_the_directory_of_others_is_refused(preforkd: Start, tmp_path: Path) -> None:
    """A pool's user does not lead the master to another pool's socket."""
    owned = owned_directory(tmp_path)
    (tmp_path / "other").mkdir()
    os.chmod(tmp_path / "other", 0o755)
    daemon = preforkd({"other": {"listen": str(tmp_path / "other/socket"), "handler": "/bin/cat"}})
    os.symlink("../other", owned / "run")
    os.lchown(owned / "run", 65534, 65534)
    daemon.pools["www"] = {"listen": str(owned / "run/socket2"), "handler": "/bin/cat"}
    daemon.hup("reload refused")
    daemon.assert_problem("a link of another user")
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["socket"]
    os.lchown(owned / "run", 0, 0)
    daemon.hup("reloaded")
    assert request(str(tmp_path / "other/socket2"), b"x") == b"x"


def test_a_socket_that_is_not_ours_any_more_stays(preforkd: Start, tmp_path: Path) -> None:
    """Whatever the pool's user has put there: the stop removes only what the master has made."""
    path = owned_directory(tmp_path) / "socket"
    daemon = preforkd({"www": {"listen": str(path), "handler": "/bin/cat"}})
    path.rename(path.with_name("aside"))
    path.write_text("not yours")
    daemon.stop()
    assert path.read_text() == "not yours"
