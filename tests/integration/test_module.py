"""handler_type = module: what is refused and when, what a module gets, how its life begins and ends."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import (AS_ROOT, HANDLERS, SLOW, Daemon, alive, connect, format_config, port_of, read_all, request,
                    run_preforkd, tcp4, tcp6, wait_until)
from modules import module

Start = Callable[..., Daemon]
BAD_CONFIG = 78


def serving(place: Path, *arguments: str, **keys: object) -> dict[str, object]:
    """The keys of a pool of one worker with `module_serve`."""
    return {"handler_type": "module", "handler": [module("serve", place), *arguments], "scaling": "static",
            "max_workers": 1, **keys}


def check(directory: Path, **keys: object) -> tuple[int, str]:
    """`preforkd -t` with one pool."""
    path = directory / "checked.conf"
    path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "handler_type": "module", **keys}}))
    result = run_preforkd("-t", "-c", path)
    return result.returncode, result.stderr


# --- what cannot be loaded ------------------------------------------------------------------------------------------

REFUSED = {
    "bad_no_symbol": "it is a shared object, but no module",
    "bad_other_abi": r"version 99 of the interface of modules, and this preforkd has version 1",
    "bad_cut_off": "is cut off: 24 bytes",
    "bad_no_serve": "has no function serve",
    "bad_needs_more": r"needs something that this preforkd does not have \(flags 0x80000000\)",
    "bad_undefined": "undefined symbol: nobody_defines_this",
    "bad_crashes": r"it crashes: killed by signal 6",
    "bad_exits": "it ends its process, with code 0",
    "bad_hangs": "it takes longer than 4000 ms",
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_check_names_file_user_and_reason(tmp_path: Path, name: str) -> None:
    path = module(name, tmp_path)
    status, said = check(tmp_path, handler=path)
    assert status == BAD_CONFIG
    user = ' as user "nobody"' if AS_ROOT else ""
    assert re.search(rf'checked\.conf:\d+: handler: cannot load "{path}"{user}: .*{REFUSED[name]}', said), said


def test_files_that_are_no_modules(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("hello\n")
    (tmp_path / "closed.so").write_bytes((HANDLERS / "module_serve.so").read_bytes())
    (tmp_path / "closed.so").chmod(0 if not AS_ROOT else 0o600)
    os.mkfifo(tmp_path / "fifo.so")
    for name, reason in {"missing.so": "No such file", "text.so": "invalid ELF header|file too short", "closed.so": "Permission denied",
                         "fifo.so": "no regular file", "": "it is a directory"}.items():
        status, said = check(tmp_path, handler=str(tmp_path / name))
        assert status == BAD_CONFIG and re.search(reason, said), (name, said)
    status, said = check(tmp_path, handler="/bin/true")
    assert status == BAD_CONFIG and "cannot load" in said


def test_the_check_is_good(tmp_path: Path) -> None:
    status, said = check(tmp_path, handler=module("bad_good", tmp_path))
    assert status == 0, said


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_constructors_run_as_the_pools_user(tmp_path: Path) -> None:
    """The module ends any process but root's when it is loaded."""
    path = module("bad_root_only", tmp_path)
    assert check(tmp_path, handler=path, user="root")[0] == 0
    status, said = check(tmp_path, handler=path)
    assert status == BAD_CONFIG and "with code 3" in said


@pytest.mark.parametrize(("keys", "key", "reason"), [
    ({"handler": "module.so"}, "handler", "absolute path"),
    ({"stderr": "socket"}, "stderr", "no client's"),
    ({"limit_cpu": 10}, "limit_cpu", "request_timeout"),
    ({"limit_nofile": 10}, "limit_nofile", "at least 65"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_options_without_a_meaning_are_refused(tmp_path: Path, keys: dict[str, object], key: str, reason: str) -> None:
    status, said = check(tmp_path, **{"handler": module("serve", tmp_path), **keys})
    assert status == BAD_CONFIG and re.search(rf":\d+: {key}: .*{reason}", said), said


def test_start_method_has_no_effect(tmp_path: Path) -> None:
    status, said = check(tmp_path, handler=module("serve", tmp_path), start_method="exec")
    assert status == 0 and re.search("warning: .*start_method: no effect", said), said


def test_a_reload_with_a_bad_module_is_refused(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **serving(tmp_path, "echo")}}, control=True)
    workers = daemon.wait_workers(1)
    for name in ("bad_other_abi", "bad_crashes"):
        daemon.pools["www"]["handler"] = module(name, tmp_path)
        daemon.write_config()
        reply = control_of(daemon).ask("reload")
        assert not reply["ok"] and any(REFUSED[name].split(":")[0] in problem["text"] for problem in reply["problems"]), reply
    assert daemon.workers() == workers
    assert request(address, b"x") == b"x"
    daemon.pools["www"]["handler"] = [module("serve", tmp_path), "wait", "0"]
    daemon.hup("reloaded")
    wait_until(lambda: request(address).count(b" ") == 3, "the other handler")


def test_a_start_with_a_bad_module_is_refused(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "module", "handler": module("bad_no_symbol", tmp_path)}},
                      ready=False)
    assert daemon.wait_end() != 0
    daemon.assert_problem("module_bad_no_symbol.so", "no module")


def test_a_module_that_goes_bad_after_the_check_is_backed_off(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **serving(tmp_path, "echo", restart_delay_min="50ms")}}, control=True)
    [worker] = daemon.wait_workers(1)
    good = tmp_path / "module_serve.so"
    shutil.copy(HANDLERS / "module_bad_other_abi.so", tmp_path / "new.so")
    good.rename(tmp_path / "kept.so")
    (tmp_path / "new.so").rename(good)
    os.kill(worker, signal.SIGKILL)
    daemon.wait_message("backing off", "www")
    wait_until(lambda: control_of(daemon).pool()["totals"]["start_failures"] >= 1, "a failed start")
    (tmp_path / "kept.so").rename(good)
    assert request(address, b"x") == b"x"


def test_init_that_fails_backs_the_pool_off(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **serving(tmp_path, "init", "111", restart_delay_min="50ms")}}, ready=False)
    daemon.wait_message("backing off", "www")


def test_init_that_takes_too_long(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), **serving(tmp_path, "slow", "60000", start_timeout="300ms")}}, ready=False)
    daemon.wait_message("worker stuck", "www")
    daemon.wait_message("backing off", "www")


# --- what it gets ---------------------------------------------------------------------------------------------------

def look(address: str) -> list[str]:
    return request(address).decode().splitlines()


def test_what_a_module_gets(preforkd: Start, tmp_path: Path) -> None:
    address, path = tcp4(), tmp_path / "socket"
    daemon = preforkd({"www": {"listen": [address, str(path)], "socket_mode": "0666",
                               **serving(tmp_path, "look", "two words", "", environment="A=1 TZ=UTC",
                                         directory="/tmp", umask="0027", limit_core=0, limit_nofile="500")}})
    seen = look(address)
    assert [line for line in seen if line.startswith("argv")] == [
        f"argv[0]={module('serve', tmp_path)}", "argv[1]=look", "argv[2]=two words", "argv[3]=", "argv[4]=NULL"]
    environment = {line.removeprefix("environ ") for line in seen if line.startswith("environ ")}
    assert {"A=1", "TZ=UTC"} <= environment
    assert not any(variable.startswith(("NOTIFY_SOCKET=", "TCPREMOTEIP=", "REMOTE_ADDR=")) for variable in environment)
    if AS_ROOT:
        nobody = pwd.getpwnam("nobody")
        assert f"getenv HOME={nobody.pw_dir}" in seen
        assert f"uid={nobody.pw_uid}" in seen and f"gid={nobody.pw_gid}" in seen
    assert {"nofile=500", "core=0", "umask=0027", "cwd=/tmp", "served=1", f"local={address}"} <= set(seen)
    assert any(re.fullmatch(r"peer=127\.0\.0\.1:\d+", line) for line in seen)
    assert any(re.fullmatch(r"size=\d+ interrupted=0 flags=0", line) for line in seen)
    assert f"local=unix:{path}" in look(str(path)) and "peer=unix:" in look(str(path))
    wait_until(lambda: daemon.said("to stderr"), "its stderr in the log")
    assert not daemon.said("to stdout")


def test_its_environment_can_be_ours(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, **serving(tmp_path, "look", clear_environment=False, environment="A=2")}},
             popen={"env": {"A": "1", "B": "1", "PATH": os.environ["PATH"], "NOTIFY_SOCKET": ""}})
    seen = look(address)
    assert "environ A=2" in seen and "environ B=1" in seen and "environ A=1" not in seen
    assert not any("NOTIFY_SOCKET" in line for line in seen)


def test_the_limit_of_open_files_is_what_preforkd_began_with(preforkd: Start, tmp_path: Path) -> None:
    import resource
    address = tcp4()
    soft = min(777, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    preforkd({"www": {"listen": address, **serving(tmp_path, "look")}}, popen={
        "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))})
    assert f"nofile={soft}" in look(address)


def test_ipv6_addresses(preforkd: Start, tmp_path: Path, ipv6: None) -> None:
    address = tcp6()
    preforkd({"www": {"listen": address, **serving(tmp_path, "look")}})
    seen = look(address)
    assert f"local=::1:{port_of(address)}" in seen and any(line.startswith("peer=::1:") for line in seen)


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_root_directory(preforkd: Start, tmp_path: Path) -> None:
    """The module is loaded inside it; libraries that preforkd has loaded are there already."""
    root, address = tmp_path / "root", tcp4()
    (root / "lib").mkdir(parents=True)
    shutil.copy(HANDLERS / "module_serve.so", root / "lib/serve.so")
    keys = {"handler_type": "module", "scaling": "static", "max_workers": 1, "root_directory": root, "listen": address}
    preforkd({"www": {**keys, "handler": ["/lib/serve.so", "look"]}})
    assert "cwd=/" in look(address)
    status, said = check(tmp_path, **{**keys, "handler": [str(root / "lib/serve.so"), "look"]})
    assert status == BAD_CONFIG and f'cannot load "{root}{root}/lib/serve.so"' in said


# --- its life -------------------------------------------------------------------------------------------------------

def test_state_lives_as_long_as_the_worker(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    preforkd({"www": {"listen": address, **serving(tmp_path, "look")}})
    assert [next(line for line in look(address) if line.startswith("served")) for _ in range(3)] == [
        "served=1", "served=2", "served=3"]


def test_done_is_called_at_an_orderly_end(preforkd: Start, tmp_path: Path) -> None:
    address, said = tcp4(), tmp_path / "said"
    said.touch()
    said.chmod(0o666)
    daemon = preforkd({"www": {"listen": address, **serving(tmp_path, "done", str(said), max_requests=3,
                                                            max_requests_jitter="0%")}}, control=True)
    for _ in range(4):
        assert request(address, b"x") == b"x"
    wait_until(lambda: said.read_text() == "done after 3\n", "the end of a recycled worker")
    control_of(daemon).do("restart www")
    wait_until(lambda: said.read_text() == "done after 3\ndone after 1\n", "the end of a retired worker")
    daemon.assert_quiet()


def test_failures_are_counted_and_told_once_in_a_while(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **serving(tmp_path, "wait", "0", "110")}}, control=True)
    for _ in range(5):
        request(address)
    wait_until(lambda: control_of(daemon).pool()["totals"]["requests"] == 5, "five requests")
    totals = control_of(daemon).pool()["totals"]
    assert (totals["handler_failures"], totals["handler_deaths"], totals["died"]) == (5, 0, 0)
    assert len(daemon.told("handler failed")) == 1


def test_durations_and_cpu_time(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **serving(tmp_path, "wait", "200")},
                       "busy": {"listen": (busy := tcp4()), "handler_type": "module",
                                "handler": module("misbehave", tmp_path), "scaling": "static", "max_workers": 1,
                                "request_timeout": "500ms", "kill_timeout": "100ms"}}, control=True)
    request(address)
    wait_until(lambda: control_of(daemon).pool()["totals"]["requests"] == 1, "the request")
    totals = control_of(daemon).pool()["totals"]
    assert 190 <= totals["busy_ms"] <= 2000 * SLOW and totals["handler_cpu_ms"] <= 50 * SLOW
    with connect(busy) as client:
        client.sendall(b"echo " + b"x" * 100)
        read_all(client)
    assert control_of(daemon).pool("busy")["totals"]["handler_cpu_ms"] <= 50 * SLOW


# --- deadlines ------------------------------------------------------------------------------------------------------

def test_interrupted_ends_what_waits_for_something_else(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **serving(tmp_path, "obedient", request_timeout="500ms",
                                                            kill_timeout="30s")}}, control=True)
    [worker] = daemon.wait_workers(1)
    for number in (1, 2):
        with connect(address) as client:
            assert read_all(client) == b"begun\n"
        wait_until(lambda: control_of(daemon).pool()["totals"]["handler_failures"] == number, "it has failed")
        wait_until(lambda: daemon.said("interrupted") == number, "it was interrupted")
    assert daemon.workers() == [worker]
    daemon.assert_none(["request killed", "worker died"])


def test_a_late_order_does_not_hit_the_next_request(preforkd: Start, tmp_path: Path) -> None:
    """Requests that end about when their deadline is over, many times: whoever comes next is served."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **serving(tmp_path, "echo", request_timeout="30ms",
                                                            kill_timeout="30ms", max_workers=2)}}, control=True)
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        with connect(address) as client:
            time.sleep(0.029)
            client.shutdown(socket.SHUT_WR)
            try:
                read_all(client)
            except ConnectionResetError:
                pass
        begun = time.monotonic()
        try:
            reply = request(address, b"x")
        except ConnectionResetError:
            reply = b""
        assert reply == b"x" or time.monotonic() - begun > 0.025, "its own time was not over"
    daemon.assert_none(["backing off", "worker died"])


def test_a_worker_that_is_killed_in_its_request_is_counted(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **serving(tmp_path, "stubborn", request_timeout="300ms",
                                                            kill_timeout="1s")}}, control=True)
    [worker] = daemon.wait_workers(1)
    with connect(address) as client:
        try:
            assert read_all(client) == b"begun\n"
        except ConnectionResetError:
            pass
    wait_until(lambda: not alive(worker), "its end")
    wait_until(lambda: control_of(daemon).pool()["totals"]["requests"] == 1, "the request is counted")
    totals = control_of(daemon).pool()["totals"]
    assert (totals["handler_deaths"], totals["died"], totals["request_timeouts"]) == (1, 0, 1)
    daemon.wait_workers(1)


# --- the example ----------------------------------------------------------------------------------------------------

def test_the_example_greets(preforkd: Start, tmp_path: Path) -> None:
    address, path = tcp4(), tmp_path / "greeting.so"
    shutil.copy(HANDLERS.parents[1] / "examples/greeting.so", path)
    path.chmod(0o755)
    preforkd({"greeting": {"listen": address, "handler_type": "module", "handler": [str(path), "Good day"],
                           "scaling": "static", "max_workers": 1}})
    assert request(address) == b"Good day, client 1\n"
    assert request(address) == b"Good day, client 2\n"
