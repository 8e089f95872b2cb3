"""Listening sockets and the descriptors they need. What handlers see of them is in test_inetd_handler.py."""

from __future__ import annotations

import grp
import json
import pwd
import re
import resource
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import (AS_ROOT, POOL_USER, Daemon, abstract, binary_for_everybody, free_port, have_ipv6,
                    refuses, request, stays, tcp4, wait_until)
from pools import static

Start = Callable[..., Daemon]


# --- UNIX sockets ---------------------------------------------------------------------------------------------------

def test_a_socket_is_removed_at_the_end(preforkd: Start, tmp_path: Path) -> None:
    path = tmp_path / "www.sock"
    daemon = preforkd({"www": {"listen": str(path), **static(1)}})
    assert stat.S_ISSOCK(path.lstat().st_mode)
    daemon.stop()
    assert not path.exists()


def test_a_socket_that_is_somebody_elses_by_now_is_left_alone(preforkd: Start, tmp_path: Path) -> None:
    path = tmp_path / "www.sock"
    daemon = preforkd({"www": {"listen": str(path), **static(1)}})
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        daemon.stop()
        assert stat.S_ISSOCK(path.lstat().st_mode)


def test_mode_and_owner_change_in_a_reload(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """On the socket that is open: neither the file nor a worker is replaced."""
    path = tmp_path / "www.sock"
    daemon = preforkd({"www": {"listen": str(path), **static(2)}})
    before, workers = path.lstat(), daemon.wait_workers(2)
    assert stat.S_IMODE(before.st_mode) == 0o660
    daemon.pools["www"].update({"socket_mode": "0606", "socket_user": POOL_USER, "socket_group": "daemon"})
    daemon.hup("reloaded")
    after = path.lstat()
    assert stat.S_IMODE(after.st_mode) == 0o606
    assert (after.st_uid, after.st_gid) == (pwd.getpwnam(POOL_USER).pw_uid, grp.getgrnam("daemon").gr_gid)
    assert after.st_ino == before.st_ino
    stays(lambda: daemon.workers() == workers, "the workers stay", 0.2)
    assert request(str(path), b"x") == b"x"


def test_mode_is_in_force_before_anybody_can_connect(preforkd: Start, tmp_path: Path) -> None:
    """Whatever the umask preforkd was started with."""
    path = tmp_path / "www.sock"
    preforkd({"www": {"listen": str(path), "socket_mode": "0666", **static(1)}}, popen={"umask": 0o777})
    assert stat.S_IMODE(path.lstat().st_mode) == 0o666


def test_two_daemons_do_not_share_an_abstract_socket(preforkd: Start) -> None:
    address = abstract()
    preforkd({"www": {"listen": address, **static(1)}})
    second = preforkd({"www": {"listen": address, **static(1)}}, ready=False)
    assert second.wait_end() == 1
    second.assert_problem(address, "in use")
    assert request(address, b"x") == b"x"


@pytest.mark.parametrize("kind", ["unix", "abstract"])
def test_the_effective_backlog_of_a_unix_socket(preforkd: Start, tmp_path: Path, kind: str) -> None:
    address = str(tmp_path / "www.sock") if kind == "unix" else abstract()
    cut = int(Path("/proc/sys/net/core/somaxconn").read_text())
    daemon = preforkd({"www": {"listen": address, "backlog": 65535, **static(1)}}, control=True)
    [listener] = control_of(daemon).pool()["listeners"]
    assert (listener["address"], listener["backlog"]) == (address, cut)


def test_a_path_in_a_directory_that_does_not_exist(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": str(tmp_path / "none" / "www.sock"), **static(1)}}, ready=False)
    assert daemon.wait_end() == 1
    daemon.assert_problem("none/www.sock", "No such file or directory")


# --- starting -------------------------------------------------------------------------------------------------------

def test_a_start_that_fails_leaves_nothing_open_and_names_every_address(preforkd: Start, tmp_path: Path) -> None:
    path, fine = tmp_path / "www.sock", tcp4()
    with socket.create_server(("127.0.0.1", free_port())) as one, socket.create_server(("127.0.0.1", free_port())) as two:
        taken = [f"127.0.0.1:{server.getsockname()[1]}" for server in (one, two)]
        daemon = preforkd({"fine": {"listen": f"{fine} {path}", **static(1)}, "bad": {"listen": taken[0], **static(1)},
                           "worse": {"listen": taken[1], **static(1)}}, ready=False)
        assert daemon.wait_end() == 1
    for address in taken:
        daemon.assert_problem(address, "in use")
    assert refuses(fine) and not path.exists()


def test_a_wildcard_and_an_address_of_one_port(preforkd: Start) -> None:
    """The kernel refuses it; so must we, with both named, and not by serving half of it."""
    port = free_port()
    daemon = preforkd({"one": {"listen": f"127.0.0.1:{port}", **static(1)}, "any": {"listen": f"*:{port}", **static(1)}},
                      ready=False)
    assert daemon.wait_end() == 78
    daemon.assert_problem(f":{port} excludes 127.0.0.1:{port} of pool \"one\"")


@pytest.mark.parametrize("host", ["192.0.2.77", "[2001:db8::77]"])
def test_an_address_that_no_interface_has_yet(preforkd: Start, host: str) -> None:
    """free_bind listens on it from the start, and a reload that sets it opens it."""
    if host.startswith("[") and not have_ipv6():
        pytest.skip("needs IPv6")
    address, port = tcp4(), free_port()
    daemon = preforkd({"www": {"listen": [address, f"{host}:{port}"], "handler": "/bin/cat",
                               "free_bind": True}}, control=True)
    assert request(address, b"x") == b"x"
    assert [listener["address"] for listener in control_of(daemon).pool()["listeners"]] == [address, f"{host}:{port}"]
    daemon.pools["www"]["listen"] = [address]
    daemon.pools["www"]["free_bind"] = False
    daemon.hup("reloaded")
    daemon.pools["www"]["listen"] = [address, f"{host}:{port}"]
    daemon.hup("reload refused")
    daemon.pools["www"]["free_bind"] = True
    daemon.hup("reloaded")
    assert request(address, b"x") == b"x"


def test_star_serves_both_families(preforkd: Start, ipv6: None) -> None:
    port = free_port()
    daemon = preforkd({"www": {"listen": f"*:{port}", **static(1)}})
    assert request(f"127.0.0.1:{port}", b"4") == b"4"
    assert request(f"[::1]:{port}", b"6") == b"6"
    workers = daemon.wait_workers(1)
    daemon.pools["www"]["listen"] = f"[::]:{port}"  # another word for the same
    daemon.hup("reloaded")
    stays(lambda: daemon.workers() == workers, "the workers stay", 0.2)


def test_a_port_is_free_again_at_once(preforkd: Start) -> None:
    """Connections that linger in TIME_WAIT do not hinder the next start."""
    address = tcp4()
    for _ in range(3):
        daemon = preforkd({"www": {"listen": address, **static(1)}})
        assert request(address, b"x") == b"x"
        daemon.stop()


# --- how many open files --------------------------------------------------------------------------------------------

def with_limit(directory: Path, soft: int, hard: int) -> dict[str, Any]:
    """Started by somebody who may not raise the hard limit."""
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    options: dict[str, Any] = {"popen": {"preexec_fn": limit}}
    if AS_ROOT:
        account = pwd.getpwnam(POOL_USER)
        options["binary"] = binary_for_everybody(directory)
        options["popen"].update({"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []})
    return options


def test_too_small_a_limit_fails_the_start_with_the_numbers(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "max_workers": 1000, "user": None}}, ready=False,
                      **with_limit(tmp_path, 256, 512))
    assert daemon.wait_end() == 1
    [numbers] = [found for problem in daemon.problems()
                 if (found := re.search(r"need (\d+) open files, the limit is (\d+)", problem.text))]
    assert int(numbers[1]) > 1000 and int(numbers[2]) == 512


def test_the_limit_is_raised_and_handlers_get_the_original_one(preforkd: Start, tmp_path: Path,
                                                               program: Callable[[str], str]) -> None:
    """A program that uses select(2) breaks with more than 1,024."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": program("probe"), "max_workers": 300, "user": None}},
                      **with_limit(tmp_path, 64, 1000))
    soft = int(re.search(r"Max open files +(\d+) +1000 ", Path(f"/proc/{daemon.pid}/limits").read_text())[1])  # type: ignore[index]
    assert soft >= 300
    assert json.loads(request(address))["limits"]["nofile"] == [64, 1000]


def test_a_reload_that_needs_too_many_files_changes_nothing(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2), "user": None}}, **with_limit(tmp_path, 64, 500))
    workers = daemon.wait_workers(2)
    daemon.pools["www"]["max_workers"] = 1000
    daemon.hup("reload refused")
    daemon.assert_problem("open files, the limit is 500")
    stays(lambda: daemon.workers() == workers, "the workers stay", 0.2)
    assert request(address, b"x") == b"x"


def test_as_many_workers_as_the_limit_was_raised_for(preforkd: Start, tmp_path: Path) -> None:
    """What the start promises holds: every worker has its pipe."""
    address = tcp4()
    control = tmp_path / "control"
    control.mkdir()
    control.chmod(0o777)  # for somebody who is not root
    daemon = preforkd({"www": {"listen": address, **static(150), "user": None}}, master={"control": control / "sock"},
                      **with_limit(tmp_path, 64, 500))
    old = set(daemon.wait_workers(150))
    daemon.pools["www"]["environment"] = "A=1"
    daemon.hup("reloaded")
    daemon.wait_workers(150, timeout=20, without=old)
    assert control_of(daemon).pool()["totals"]["start_failures"] == 0
    daemon.assert_quiet()
