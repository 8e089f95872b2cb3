"""A deployment that switches a link: a reload notices that `directory` or `root_directory` leads elsewhere now."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import Daemon, alive, request, tcp4, wait_until

Start = Callable[..., Daemon]

READ = ["/bin/sh", "-c", "cat version"]


def release(directory: Path, name: str) -> None:
    (directory / name).mkdir()
    (directory / name / "version").write_text(name)


def switch(directory: Path, name: str) -> None:
    (directory / "next").symlink_to(name)
    (directory / "next").rename(directory / "current")


@pytest.fixture
def daemon(preforkd: Start, tmp_path: Path) -> Daemon:
    release(tmp_path, "first")
    switch(tmp_path, "first")
    return preforkd({"www": {"listen": tcp4(), "handler": READ, "directory": str(tmp_path / "current"),
                             "scaling": "static", "max_workers": 2}}, control=True)


def answer(daemon: Daemon) -> bytes:
    return request(str(daemon.pools["www"]["listen"]))


def test_a_link_that_was_switched(daemon: Daemon, tmp_path: Path) -> None:
    assert answer(daemon) == b"first"
    release(tmp_path, "second")
    switch(tmp_path, "second")
    assert control_of(daemon).verbs("reload --dry-run") == {"www": ("roll", ["directory"])}
    old = daemon.wait_workers(2)
    assert control_of(daemon).verbs() == {"www": ("roll", ["directory"])}
    wait_until(lambda: not any(map(alive, old)), "the end of the old workers")
    for _ in range(6):
        assert answer(daemon) == b"second"
    assert control_of(daemon).verbs() == {"www": ("keep", [])}, "and only once"


def test_a_directory_that_was_made_anew(daemon: Daemon, tmp_path: Path) -> None:
    release(tmp_path, "second")
    (tmp_path / "first").rename(tmp_path / "old")
    (tmp_path / "second").rename(tmp_path / "first")
    assert control_of(daemon).verbs() == {"www": ("roll", ["directory"])}


def test_a_reload_of_the_same_keeps_its_workers(daemon: Daemon, tmp_path: Path) -> None:
    """Also if what is in the directory has changed."""
    (tmp_path / "first" / "version").write_text("changed")
    workers = daemon.wait_workers(2)
    assert control_of(daemon).verbs() == {"www": ("keep", [])}
    assert daemon.workers() == workers


def test_a_switch_before_an_upgrade_is_not_forgotten(daemon: Daemon, tmp_path: Path) -> None:
    release(tmp_path, "second")
    switch(tmp_path, "second")
    old = daemon.wait_workers(2)
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_message("upgraded")
    assert control_of(daemon).verbs() == {"www": ("roll", ["directory"])}
    wait_until(lambda: not any(map(alive, old)), "the end of the old workers")
    assert answer(daemon) == b"second"
