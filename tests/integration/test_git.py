"""A real protocol with a real program behind it: clones through `git daemon --inetd` are byte-identical."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import AS_ROOT, POOL_USER, SLOW, Daemon, free_port, wait_until
from make_repository import CLEAN, make_repository

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """<base>/repo.git, owned by whom the pool runs as: git refuses to serve another user's repository."""
    path = tmp_path / "export" / "repo.git"
    make_repository(path)
    if AS_ROOT:
        account = pwd.getpwnam(POOL_USER)
        for directory, _, files in os.walk(path):
            for name in [directory, *(os.path.join(directory, file) for file in files)]:
                os.chown(name, account.pw_uid, account.pw_gid)
    return path


def git_pool(repository: Path, port: int, **keys: object) -> dict[str, object]:
    return {"listen": f"127.0.0.1:{port}",
            "handler": ["/usr/bin/git", "daemon", "--inetd", "--log-destination=stderr", f"--base-path={repository.parent}",
                        str(repository.parent)], **keys}


def start_clone(port: int, target: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(["git", "clone", "--quiet", f"git://127.0.0.1:{port}/repo.git", str(target)],
                            env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish_clones(clones: list[subprocess.Popen[str]], meanwhile: Callable[[], None] = lambda: None) -> None:
    """Wait for all of them; every one must have worked."""
    def all_ended() -> bool:
        meanwhile()
        return all(clone.poll() is not None for clone in clones)

    try:
        wait_until(all_ended, "the end of the clones", 60)
    finally:
        for clone in clones:
            clone.kill()
            output, _ = clone.communicate()
            clone.complaint = output  # type: ignore[attr-defined]
    failed = [(clone.args, clone.complaint) for clone in clones if clone.returncode]  # type: ignore[attr-defined]
    assert not failed, failed


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", "-C", str(directory), *arguments]
    return subprocess.run(command, env=CLEAN, check=True, capture_output=True, text=True, timeout=60 * SLOW).stdout


def objects(directory: Path) -> str:
    """A digest over the content of every object that any branch or tag reaches, in a fixed order."""
    refs = "refs/remotes/origin" if (directory / ".git").exists() else "refs/heads"
    tips = sorted(git(directory, "for-each-ref", "--format=%(objectname)", refs, "refs/tags").split())
    names = sorted({line.split()[0] for line in git(directory, "rev-list", "--objects", *tips).splitlines()})
    command = ["git", "-c", "safe.directory=*", "-C", str(directory), "cat-file", "--batch"]
    content = subprocess.run(command, env=CLEAN, check=True, capture_output=True, timeout=60 * SLOW,
                             input="\n".join(names).encode() + b"\n").stdout
    return f"{len(names)} objects {hashlib.sha256(content).hexdigest()}"


def check_clone(repository: Path, clone: Path, expected: str) -> None:
    git(clone, "fsck", "--full", "--strict")
    assert objects(clone) == expected
    assert git(clone, "rev-parse", "HEAD") == git(repository, "rev-parse", "main")
    assert git(clone, "status", "--porcelain") == "", "the work tree is what the commit says"


def test_one_clone(preforkd: Callable[..., Daemon], repository: Path, tmp_path: Path) -> None:
    port = free_port()
    preforkd({"git": git_pool(repository, port)})
    finish_clones([start_clone(port, tmp_path / "clone")])
    check_clone(repository, tmp_path / "clone", objects(repository))


def test_several_clones_at_once(preforkd: Callable[..., Daemon], repository: Path, tmp_path: Path) -> None:
    """More clients than workers."""
    port = free_port()
    preforkd({"git": git_pool(repository, port, max_workers=4, max_spare_workers=4)})
    expected = objects(repository)
    finish_clones([start_clone(port, tmp_path / f"clone{number}") for number in range(8)])
    for number in range(8):
        check_clone(repository, tmp_path / f"clone{number}", expected)


def test_clones_while_the_pool_is_reloaded_and_recycled(preforkd: Callable[..., Daemon], repository: Path,
                                                        tmp_path: Path) -> None:
    """20 clients at once, a new generation with every other reload, no worker older than three requests."""
    port = free_port()
    daemon = preforkd({"git": git_pool(repository, port, max_workers=6, max_spare_workers=4, max_requests=3)})
    expected = objects(repository)
    reloads = 0

    def reload() -> None:
        nonlocal reloads
        reloads += 1
        daemon.pools["git"]["max_workers"] = 6 + reloads % 3  # applies in place
        daemon.pools["git"]["environment"] = f"ROUND={reloads // 2}"  # wants new workers
        daemon.hup()

    finish_clones([start_clone(port, tmp_path / f"clone{number}") for number in range(20)], reload)
    assert reloads > 2
    for number in range(20):
        check_clone(repository, tmp_path / f"clone{number}", expected)
