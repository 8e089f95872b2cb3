"""A root master that lacks a capability: it asks for those that its configuration needs, by name, and for no others."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import BINARY, Daemon, clean_environment, format_config, request, run_preforkd, tcp4

Start = Callable[..., Daemon]

CAPABILITIES = ["kill", "setuid", "setgid", "chown"]


def without(directory: Path, *capabilities: str) -> Path:
    """A stand-in for preforkd, without groups and without these capabilities."""
    lacking = ",".join(f"-{capability}" for capability in capabilities)
    target = directory / "preforkd-with-less"
    target.write_text(f'#!/bin/sh\nexec setpriv --clear-groups --bounding-set {lacking} --inh-caps {lacking} {BINARY} "$@"\n')
    target.chmod(0o755)
    if subprocess.run([target, "--version"], env=clean_environment(), capture_output=True, check=False).returncode:
        pytest.skip("needs setpriv and the right to drop capabilities")
    return target


@pytest.mark.parametrize(("capability", "keys", "option"), [
    ("setuid", {"user": "nobody", "group": "root", "supplementary_groups": ""}, "user"),
    ("kill", {"user": "nobody"}, "user"),
    ("setgid", {"user": "root", "group": "daemon", "supplementary_groups": ""}, "group"),
    ("setgid", {"user": "root", "supplementary_groups": "daemon"}, "supplementary_groups")])
def test_what_cannot_work_is_refused(preforkd: Start, as_root: None, tmp_path: Path, capability: str,
                                     keys: dict[str, str], option: str) -> None:
    """At the start as by -t, with its name, and where the option is written."""
    binary = without(tmp_path, capability)
    pool = {"listen": tcp4(), "handler": "/bin/cat", **keys}
    daemon = preforkd({"www": pool}, binary=binary, ready=False)
    assert daemon.wait_end() == 78
    line = daemon.config.read_text().splitlines().index(f"{option} = {keys[option]}") + 1
    daemon.assert_problem(f"{option}: ", f"CAP_{capability.upper()}", line=line)
    tested = run_preforkd("-t", "-c", daemon.config, binary=binary)
    assert tested.returncode == 78 and f"CAP_{capability.upper()}" in tested.stderr
    assert run_preforkd("-t", "-c", daemon.config).returncode == 0


def test_a_reload_to_what_cannot_work_is_refused(preforkd: Start, as_root: None, tmp_path: Path) -> None:
    pool = {"listen": tcp4(), "handler": "/bin/cat", "user": "root", "supplementary_groups": ""}
    daemon = preforkd({"www": pool}, binary=without(tmp_path, "kill"))
    daemon.pools["www"] = {**pool, "user": "nobody"}
    daemon.hup("reload refused")
    assert request(str(pool["listen"]), b"x") == b"x"
    daemon.pools["www"] = pool


def test_nothing_is_asked_for_where_nothing_changes(preforkd: Start, as_root: None, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": [address, str(tmp_path / "www.sock")], "handler": "/bin/cat", "user": "root",
                               "supplementary_groups": "", "socket_user": "root", "socket_group": "root"}},
                      binary=without(tmp_path, *CAPABILITIES))
    assert request(address, b"x") == b"x"
    assert request(str(tmp_path / "www.sock"), b"x") == b"x"
    assert not daemon.problems()


@pytest.mark.parametrize(("option", "owner"), [("socket_user", "nobody"), ("socket_group", "daemon")])
def test_the_owner_of_a_socket(as_root: None, tmp_path: Path, option: str, owner: str) -> None:
    """A warning, because a socket unit may pass it."""
    config = tmp_path / "preforkd.conf"
    pool = {"listen": str(tmp_path / "www.sock"), "handler": "/bin/cat", "user": "root", "supplementary_groups": "",
            option: owner}
    config.write_text(format_config({"www": pool}))
    tested = run_preforkd("-t", "-c", config, binary=without(tmp_path, "chown"))
    assert f"{option}: " in tested.stderr and "CAP_CHOWN" in tested.stderr
    assert run_preforkd("-t", "-c", config).stderr.count("CAP_CHOWN") == 0
