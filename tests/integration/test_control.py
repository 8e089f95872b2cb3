"""The control socket: every command, who may use it, and clients that mean no good."""

from __future__ import annotations

import errno
import grp
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from control import Control, control_of
from daemon import (POOL_USER, SLOW, Daemon, alive, binary_for_everybody, burst, children, connect,
                    listener_inode, open_descriptors, read_all, refuses, request, run_preforkd, status_value, stays, tcp4,
                    title, wait_until)

Start = Callable[..., Daemon]


@pytest.fixture
def controlled(preforkd: Start, tmp_path: Path) -> Callable[..., tuple[Daemon, Control]]:
    """A daemon with a control socket; without pools, one of two workers that echoes."""

    def start(pools: Any = None, master: Any = None, **options: Any) -> tuple[Daemon, Control]:
        pools = pools or {"www": {"listen": tcp4(), "handler": "/bin/cat", "min_spare_workers": 2,
                                  "max_spare_workers": 2}}
        daemon = preforkd(pools, master={"control": tmp_path / "control.sock", **(master or {})}, **options)
        return daemon, control_of(daemon)

    return start


def address_of(daemon: Daemon, pool: str = "www") -> str:
    return str(daemon.pools[pool]["listen"])


def wait_for(control: Control, condition: Callable[[dict[str, Any]], Any], what: str, pool: str = "www") -> dict[str, Any]:
    """Wait for a condition on a pool's status."""
    seen: dict[str, Any] = {}

    def holds() -> bool:
        seen.clear()
        seen.update(control.pool(pool, workers=True))
        return bool(condition(seen))

    wait_until(holds, what)
    return seen


# --- version, status, why, config -------------------------------------------------------------------------------------

def test_version(controlled: Start) -> None:
    daemon, control = controlled()
    reply = control.do("version")
    assert reply["pid"] == daemon.pid
    assert f"preforkd {reply['version']}\n" == run_preforkd("--version").stdout


def test_status_of_an_idle_pool(controlled: Start) -> None:
    daemon, control = controlled()
    daemon.wait_workers(2)
    pool = wait_for(control, lambda pool: pool["counts"]["idle"] == 2, "two idle workers")
    assert pool["state"] == "running" and pool["generation"] == 1
    assert pool["accounting"] == "worker"
    assert pool["counts"] == {"starting": 0, "idle": 2, "busy": 0, "throttled": 0, "unwatched": 0, "detached": 0, "retiring": 0,
                              "total": 2, "old": 0}
    assert pool["limits"] == {"scaling": "dynamic", "min_spare_workers": 2, "max_spare_workers": 2, "start_workers": 2,
                              "max_workers": 64, "threads_per_worker": 1, "spare_timeout_ms": 10000}
    assert pool["listeners"] == [{"address": address_of(daemon), "queue": 0, "queue_exact": True, "backlog": 511,
                                  "closing": False, "listening": True, "error": None}]
    assert sorted(worker["pid"] for worker in pool["workers"]) == sorted(daemon.workers())
    for worker in pool["workers"]:
        assert worker["state"] == "idle" and not worker["busy"] and worker["requests"] == 0
        assert worker["last_exit"] is None and worker["memory_bytes"] > 10000 and worker["generation"] == 1
        assert 0 <= worker["since_ms"] <= worker["age_ms"] + 1
    master = control.do("status")["master"]
    assert master["state"] == "running" and master["pid"] == daemon.pid and master["counts"]["idle"] == 2
    started = datetime.fromisoformat(master["started"].replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - started).total_seconds() - master["uptime_ms"] / 1000) < 2


def test_status_under_load(controlled: Start, program: Callable[[str], str]) -> None:
    """Four clients and three workers: what is counted as what, and the queue."""
    daemon, control = controlled({"www": {"listen": tcp4(), "handler": f"{program('wait')} -", "max_workers": 3}})
    clients = [connect(address_of(daemon)) for _ in range(4)]
    try:
        pool = wait_for(control, lambda pool: pool["counts"]["busy"] == 3 and pool["queue"] == 1, "one client waits")
        wait_for(control, lambda pool: pool["state"] == "saturated", "saturation")
        assert pool["listeners"][0]["queue"] == 1
        assert [worker["state"] for worker in pool["workers"]] == ["busy"] * 3
        assert control.pool()["totals"]["saturations"] == 1
    finally:
        for client in clients:
            client.close()
    pool = wait_for(control, lambda pool: pool["totals"]["requests"] == 4, "four requests have ended")
    assert pool["queue"] == 0 and pool["duration_us"]["p50"] > 0 and pool["totals"]["busy_ms"] > 0
    assert any(worker["last_exit"] == {"code": 0} for worker in pool["workers"])


def test_requests_per_second(controlled: Start) -> None:
    daemon, control = controlled()
    control.do("status")
    begin = time.monotonic()
    count = 0
    while time.monotonic() < begin + 1.5:
        assert request(address_of(daemon), b"x") == b"x"
        count += 1
    pool = wait_for(control, lambda pool: pool["totals"]["requests"] == count, "all requests have ended")
    rate = count / (time.monotonic() - begin)
    assert 0.3 * rate < pool["requests_per_second"] < 1.5 * rate
    assert 1000 <= pool["rate_window_ms"] <= 20000
    assert control.do("status")["master"]["requests_per_second"] > 0


def test_a_pool_that_backs_off(controlled: Start, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    daemon, control = controlled({"www": {"listen": tcp4(), "handler": "/bin/cat", "directory": closed,
                                          "restart_delay_min": "2s"}})
    daemon.may_leak = True  # the scoreboard of the workers that are not replaced
    closed.rmdir()
    control.do("restart www")
    pool = wait_for(control, lambda pool: pool["state"] == "backing off", "backing off")
    assert pool["backoff"]["failures"] >= 1 and 0 < pool["backoff"]["next_start_ms"] <= 4000
    assert pool["totals"]["start_failures"] >= 1


def test_an_unknown_pool(controlled: Start) -> None:
    _, control = controlled()
    for line in ("status nope", "why nope", "restart nope", "pause nope", "resume nope", "scale nope max_workers=3"):
        assert "nope" in control.refused(line, "unknown-pool")["message"]


def test_why(controlled: Start) -> None:
    daemon, control = controlled()
    daemon.wait_workers(2)  # a client that is there before the first decision gives it another reason
    pools = control.do("why")["pools"]
    assert [pool["name"] for pool in pools] == ["www"]
    first = pools[0]["decisions"][-1]
    assert first["text"] == "+2 workers (start)"
    assert abs(first["time_ms"] + first["age_ms"] - time.time() * 1000) < 2000
    when = datetime.fromisoformat(first["time"].replace("Z", "+00:00"))
    assert abs(when.timestamp() * 1000 - first["time_ms"]) < 2
    control.do("scale www max_workers=7")
    ages = [decision["age_ms"] for decision in control.do("why www")["pools"][0]["decisions"]]
    assert len(ages) >= 2 and ages == sorted(ages), "newest first"


def test_config_is_what_is_in_force(controlled: Start) -> None:
    daemon, control = controlled()
    assert control.do("config")["config"] == run_preforkd("-T", "-c", daemon.config).stdout
    control.do("scale www max_workers=7")
    assert ("\n; max_workers is 64 in the configuration; until the next reload it is:\nmax_workers = 7\n"
            in control.do("config")["config"])


@pytest.mark.parametrize(("number", "most", "options"), [
    (signal.SIGTTIN, 5, ["max_workers"]), (signal.SIGTTOU, 3, ["max_spare_workers", "max_workers"])])
def test_what_signals_made_of_max_workers_is_in_force(controlled: Start, tmp_path: Path, number: int, most: int,
                                                      options: list[str]) -> None:
    """… for everybody who asks: as text that could be a file, and in what a reload would do and does."""
    echo = {"handler": "/bin/cat", "min_spare_workers": 1, "start_workers": 1, "max_spare_workers": 4, "max_workers": 4}
    daemon, control = controlled({"www": {"listen": tcp4(), **echo}})
    daemon.send_signal(number)
    wait_for(control, lambda pool: pool["limits"]["max_workers"] == most, "the signal is taken up")
    text = control.do("config")["config"]
    assert f"\nmax_workers = {most}\n" in text
    (tmp_path / "in-force.conf").write_text(text)
    without_comments = "".join(line for line in text.splitlines(True) if not line.startswith(";"))
    assert run_preforkd("-T", "-c", tmp_path / "in-force.conf").stdout == without_comments
    assert control.pool()["overlay"] == {
        option: {"configured": "4", "overlaid": str(most)} for option in options}
    for line in ("reload --dry-run", "reload"):
        assert control.pool()["limits"]["max_workers"] == most
        verb, changed = control.verbs(line)["www"]
        assert (verb, sorted(changed)) == ("limits", options)
    assert control.pool()["limits"]["max_workers"] == 4 and control.pool()["overlay"] == {}
    assert "\nmax_workers = 4\n" in control.do("config")["config"]
    assert control.verbs("reload --dry-run")["www"] == ("keep", [])


# --- reload -----------------------------------------------------------------------------------------------------------

def test_reload_says_what_it_did_to_each_pool(controlled: Start) -> None:
    echo = {"handler": "/bin/cat"}
    daemon, control = controlled({"same": {"listen": tcp4(), **echo}, "wider": {"listen": tcp4(), **echo},
                                  "rolled": {"listen": tcp4(), **echo}, "moved": {"listen": tcp4(), **echo},
                                  "gone": {"listen": tcp4(), **echo}})
    daemon.pools["wider"]["max_workers"] = 9
    daemon.pools["rolled"]["nice"] = 1
    daemon.pools["moved"]["listen"] = tcp4()
    del daemon.pools["gone"]
    daemon.pools["fresh"] = {"listen": tcp4(), **echo}
    daemon.master["log_level"] = "debug"
    daemon.write_config()
    expected = {"same": ("keep", []), "wider": ("limits", ["max_workers"]), "rolled": ("roll", ["nice"]),
                "moved": ("rebind", ["listen"]), "fresh": ("add", []), "gone": ("remove", [])}
    generation = control.pool("rolled")["generation"]
    assert control.verbs("reload --dry-run") == expected
    assert control.do("reload --dry-run")["master_options"] == ["log_level"]
    assert control.pool("rolled")["generation"] == generation and control.pool("wider")["limits"]["max_workers"] == 64
    assert refuses(address_of(daemon, "fresh")) and not refuses(address_of(daemon, "same"))
    reply = control.do("reload")
    assert {change["pool"]: (change["verb"], change["options"]) for change in reply["changes"]} == expected
    assert not reply["dry_run"] and reply["problems"] == []
    assert control.pool("rolled")["generation"] == generation + 1
    assert request(address_of(daemon, "fresh"), b"x") == b"x"
    assert all(change == ("keep", []) for change in control.verbs().values())


@pytest.mark.parametrize("line", ["reload", "reload --dry-run"])
def test_a_refused_reload_tells_every_problem(controlled: Start, line: str) -> None:
    daemon, control = controlled()
    daemon.pools["www"]["max_worker"] = 3
    daemon.pools["www"]["spare_timeout"] = "soon"
    daemon.write_config()
    reply = control.refused(line, "refused")
    lines = daemon.config.read_text().splitlines()
    for problem in reply["problems"]:
        assert problem["severity"] == "error" and problem["file"] == str(daemon.config)
    assert [lines[problem["line"] - 1].split()[0] for problem in reply["problems"]] == ["max_worker", "spare_timeout"]
    assert request(address_of(daemon), b"x") == b"x"


def refused_alike(control: Control, *texts: str) -> None:
    """By a dry run as by the reload, with the same problems."""
    tried = control.refused("reload --dry-run", "refused")["problems"]
    assert tried == control.refused("reload", "refused")["problems"]
    assert [problem["severity"] for problem in tried] == ["error"] * len(texts)
    for text, problem in zip(texts, tried):
        assert text in problem["text"], problem


@pytest.mark.parametrize(("listen", "text"), [
    ("systemd:none", 'no socket unit has passed a socket "none"'),
    ("{}/missing/x.sock", "cannot open {}/missing/x.sock: No such file or directory"),
    ("{}/preforkd.conf/x.sock", "cannot open {}/preforkd.conf/x.sock: Not a directory"),
    ("{}/preforkd.conf", "the path exists and is not a socket"),
    ("192.0.2.1:7007", "no interface of this machine has that address"),
    ("127.0.0.1:{port}", "somebody else listens there"),
    ("@{name}", "somebody else listens there"),
])
def test_a_dry_run_finds_listeners_that_cannot_be_opened(controlled: Start, tmp_path: Path, listen: str, text: str) -> None:
    daemon, control = controlled()
    name = f"preforkd-test-{os.getpid()}-taken"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as named:
        named.bind(f"\0{name}")
        named.listen()
        listen = listen.format(tmp_path, port=tcp.getsockname()[1], name=name)
        daemon.pools["b"] = {"listen": listen, "handler": "/bin/cat"}
        daemon.write_config()
        refused_alike(control, text.format(tmp_path))
        daemon.pools["b"]["listen"] = tcp4()
        daemon.pools["www"]["listen"] = f"{address_of(daemon)} {listen}"
        daemon.write_config()
        refused_alike(control, text.format(tmp_path))
    del daemon.pools["b"]
    daemon.pools["www"]["listen"] = address_of(daemon).split()[0]


def test_a_dry_run_is_not_seen(controlled: Start, tmp_path: Path) -> None:
    """Neither by who connects to what would be opened, nor in the file system."""
    daemon, control = controlled()
    address, abstract, path = tcp4(), f"@preforkd-test-{os.getpid()}-new", tmp_path / "new.sock"
    taken = tmp_path / "taken.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(taken))
        listener.listen()
        listener.setblocking(False)
        daemon.pools["b"] = {"listen": f"{address} {abstract} {path} {taken}", "handler": "/bin/cat"}
        daemon.master["control"] = tmp_path / "made" / "control.sock"
        daemon.write_config()
        before = sorted(tmp_path.iterdir()), Path(f"/proc/{daemon.pid}/limits").read_text()
        for _ in range(3):
            assert control.verbs("reload --dry-run")["b"] == ("add", [])
            assert refuses(address) and refuses(abstract)
        assert (sorted(tmp_path.iterdir()), Path(f"/proc/{daemon.pid}/limits").read_text()) == before
        with pytest.raises(BlockingIOError):
            listener.accept()
        # What the manual says that a dry run cannot know.
        assert f"cannot open {taken}: somebody else" in control.refused("reload", "refused")["problems"][0]["text"]
    del daemon.pools["b"]
    daemon.master["control"] = control.path


def test_a_dry_run_leaves_what_is_open_alone(controlled: Start, tmp_path: Path) -> None:
    """Listeners that stay, and one that drains and would be taken back, are no addresses that somebody has."""
    daemon, control = controlled({"www": {"listen": f"{tcp4()} {tcp4()} {tmp_path}/w.sock", "handler": "/bin/cat"}})
    first, second, path = address_of(daemon).split()
    with connect(second):
        wait_for(control, lambda pool: pool["counts"]["busy"] == 1, "a busy worker")
        for listen in (f"{first} {path}", f"{first} {second} {path}", f"{path} {tcp4()}"):
            daemon.pools["www"]["listen"] = listen
            daemon.write_config()
            assert control.verbs("reload --dry-run") == control.verbs() == {"www": ("rebind", ["listen"])}


@pytest.mark.parametrize("kind", ["control", "pool"])
def test_a_dry_run_as_an_ordinary_user(preforkd: Start, tmp_path: Path, as_root: None, kind: str) -> None:
    """Who may not write into a directory, or have so many files open."""
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, 65534, 65534)
    (tmp_path / "closed").mkdir()
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "user": None}}, master={"control": own / "c.sock"},
                      binary=binary_for_everybody(tmp_path), popen={
                          "user": "nobody", "group": "nogroup", "extra_groups": [],
                          "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 4000))})
    control = control_of(daemon)
    path = tmp_path / "closed" / "x.sock"
    if kind == "control":
        daemon.master["control"] = path
    else:
        daemon.pools["b"] = {"listen": str(path), "handler": "/bin/cat", "user": None}
    daemon.write_config()
    refused_alike(control, f"cannot open {path}: ")
    daemon.pools["b"] = {"listen": tcp4(), "handler": "/bin/cat", "user": None, "max_workers": 40000}
    daemon.master["control"] = own / "c.sock"
    daemon.write_config()
    refused_alike(control, "open files, the limit is 4000")
    del daemon.pools["b"]


@pytest.mark.parametrize("path", ["no/such/directory", "preforkd.conf/c.sock", "preforkd.conf"])
def test_a_dry_run_looks_at_the_control_socket(controlled: Start, tmp_path: Path, path: str) -> None:
    daemon, control = controlled()
    daemon.master["control"] = tmp_path / path
    daemon.write_config()
    tried = control.refused("reload --dry-run", "refused")["problems"]
    assert [problem["text"].startswith(f"control: cannot open {tmp_path / path}: ") for problem in tried] == [True]
    assert [problem["line"] for problem in tried] == [
        problem["line"] for problem in control.refused("reload", "refused")["problems"]]
    daemon.master["control"] = control.path


def test_a_file_without_pools_is_refused(controlled: Start) -> None:
    daemon, control = controlled()
    daemon.write_raw_config(f"[preforkd]\ncontrol = {control.path}\n")
    for line in ("reload", "reload --dry-run"):
        assert "has no pool" in control.refused(line, "refused")["problems"][0]["text"]
    daemon.write_config()


def test_many_reloads_at_once_are_all_answered(controlled: Start) -> None:
    """Each by a configuration that was read after it was asked for."""
    daemon, control = controlled()
    daemon.pools["www"]["max_workers"] = 9
    daemon.write_config()
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(control.do, ["reload", "reload --dry-run", "status"] * 12))
    assert all(reply["ok"] for reply in replies)
    assert control.pool()["limits"]["max_workers"] == 9


def test_a_warning_is_told_too(controlled: Start) -> None:
    daemon, control = controlled()
    daemon.pools["www"]["socket_mode"] = "0600"
    daemon.write_config()
    problems = control.do("reload")["problems"]
    assert [problem["severity"] for problem in problems] == ["warning"] and "no effect" in problems[0]["text"]


# --- restart, scale, pause, resume, kill-worker -----------------------------------------------------------------------

def test_restart_replaces_every_worker(controlled: Start) -> None:
    daemon, control = controlled()
    before = daemon.wait_workers(2)
    assert control.do("restart www")["generation"] == 2
    pool = wait_for(control, lambda pool: pool["counts"]["old"] == 0 and pool["counts"]["idle"] == 2, "a new generation")
    assert pool["generation"] == 2
    wait_until(lambda: not set(daemon.workers()) & set(before), "the end of the old workers")
    assert any("restarted by control" in decision["text"] for decision in control.do("why www")["pools"][0]["decisions"])


def test_scale_holds_until_the_next_reload(controlled: Start) -> None:
    daemon, control = controlled({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2}})
    pids = daemon.wait_workers(2)
    reply = control.do("scale www max_workers=5")
    assert reply["limits"]["max_workers"] == 5 and reply["generation"] == 1
    assert set(pids) <= set(daemon.wait_workers(5)), "no worker was touched"
    control.do("scale www max=3")
    daemon.wait_workers(3)
    verb, options = control.verbs()["www"]
    assert verb == "limits" and "max_workers" in options
    daemon.wait_workers(2)


def test_scale_leaves_other_pools_alone(controlled: Start) -> None:
    echo = {"handler": "/bin/cat", "max_workers": 4, "max_spare_workers": 4}
    daemon, control = controlled({"www": {"listen": tcp4(), **echo}, "b": {"listen": tcp4(), **echo}})
    daemon.send_signal(signal.SIGTTIN)
    wait_for(control, lambda pool: pool["limits"]["max_workers"] == 5, "SIGTTIN is taken up")
    control.do("scale www max_workers=9")
    assert control.pool("www")["limits"]["max_workers"] == 9
    assert control.pool("b")["limits"]["max_workers"] == 5
    assert control.pool("www")["overlay"]["max_workers"] == {"configured": "4", "overlaid": "9"}
    assert control.pool("b")["overlay"] == {"max_workers": {"configured": "4", "overlaid": "5"}}
    assert control.decisions("www")[0].startswith("max_workers 9,")
    assert not [text for text in control.decisions("b") if "max_workers 9" in text]


def test_scale_touches_nothing_else(controlled: Start, tmp_path: Path) -> None:
    """No file is read, and no listener looked at, not even one whose path has gone."""
    path = tmp_path / "www.sock"
    daemon, control = controlled({"www": {"listen": str(path), "handler": "/bin/cat", "max_workers": 4,
                                          "max_spare_workers": 4}})
    inode = listener_inode(str(path))
    path.unlink()
    daemon.config.unlink()
    assert control.do("scale www max_workers=9 request_timeout=3s")["limits"]["max_workers"] == 9
    assert sorted(control.pool()["overlay"]) == ["max_workers", "request_timeout"]
    daemon.send_signal(signal.SIGTTIN)
    wait_for(control, lambda pool: pool["limits"]["max_workers"] == 10, "SIGTTIN is taken up")
    assert control.pool()["overlay"]["request_timeout"] == {"configured": "0", "overlaid": "3s"}
    assert f"socket:[{inode}]" in open_descriptors(daemon.pid).values()
    assert not [text for text in control.decisions() if "listen" in text] and not daemon.problems()


def test_scale_to_refuse(controlled: Start) -> None:
    """Who refuses must not wait in accept(2), where it would take a client from a worker: the listener does not block."""
    daemon, control = controlled({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 1}})
    port = int(address_of(daemon).rpartition(":")[2])
    listening = [fields[9] for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines())
                 if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"]
    [fd] = [fd for fd, target in open_descriptors(daemon.pid).items() if target == f"socket:[{listening[0]}]"]

    def blocks() -> bool:
        found = re.search(r"^flags:\s+(\d+)$", Path(f"/proc/{daemon.pid}/fdinfo/{fd}").read_text(), re.MULTILINE)
        assert found
        return not int(found[1], 8) & os.O_NONBLOCK

    assert blocks()
    control.do("scale www when_full=refuse")
    assert not blocks()


def test_scale_needs_descriptors(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """More workers than there are descriptors for, to a master that may not raise its limit, are refused."""
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, 65534, 65534)
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "user": None}}, master={"control": own / "c.sock"},
                      binary=binary_for_everybody(tmp_path), popen={
                          "user": "nobody", "group": "nogroup", "extra_groups": [],
                          "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))})
    control = control_of(daemon)
    problems = control.refused("scale www max_workers=2000", "refused")["problems"]
    assert re.search(r"the pools need \d+ open files, the limit is 1000 and cannot be raised", problems[0]["text"])
    assert control.pool()["overlay"] == {} and control.pool()["limits"]["max_workers"] == 64


@pytest.mark.parametrize(("settings", "text"), [
    ("max_workers=1", r"max_spare_workers: 2 is more than max_workers, which is 1"),
    ("max_workers=0", r"max_workers: .* expected a whole number from 1"),
    ("max_worker=3", r"did you mean 'max_workers'\?"),
    ("user=root", r"user cannot change without a reload"),
    ("listen=127.0.0.1:1", r"listen cannot change without a reload"),
])
def test_scale_is_checked_as_files_are(controlled: Start, settings: str, text: str) -> None:
    daemon, control = controlled()
    before = control.pool()["limits"]
    problems = control.refused(f"scale www {settings}", "refused")["problems"]
    assert any(re.search(text, problem["text"]) for problem in problems), problems
    assert control.pool()["limits"] == before


def test_scale_of_a_pool_from_the_command_line(preforkd: Start, tmp_path: Path) -> None:
    address = tcp4()
    path = tmp_path / "control.sock"
    user = [f"--user={POOL_USER}"] if os.geteuid() == 0 else []
    preforkd(arguments=["--listen", address, f"--control={path}", *user, "--max-workers=4", "--", "/bin/cat"])
    control = Control(path)
    assert control.do("scale main max_workers=9")["limits"]["max_workers"] == 9
    assert control.verbs()["main"][0] == "limits"
    assert control.pool("main")["limits"]["max_workers"] == 4


def test_a_paused_pool_keeps_its_clients_waiting(controlled: Start) -> None:
    daemon, control = controlled()
    daemon.wait_workers(2)
    with connect(address_of(daemon)) as busy:
        wait_for(control, lambda pool: pool["counts"]["busy"] == 1, "a busy worker")
        control.do("pause www")
        assert control.pool()["state"] == "paused"
        busy.sendall(b"still served")
        busy.shutdown(socket.SHUT_WR)
        assert read_all(busy) == b"still served"
    daemon.wait_workers(0)
    with connect(address_of(daemon)) as waiting:
        waiting.sendall(b"hello")
        waiting.shutdown(socket.SHUT_WR)
        wait_for(control, lambda pool: pool["queue"] == 1, "a client waits")
        stays(lambda: not daemon.workers(), "a paused pool has no workers", 0.5)
        daemon.wait_asleep(0.5)  # it does not spin
        daemon.hup("reloaded")
        stays(lambda: not daemon.workers(), "a reload does not resume", 0.3)
        control.do("restart www")
        control.do("resume www")
        assert read_all(waiting) == b"hello"
    assert control.pool()["state"] == "running" and control.pool()["generation"] == 2
    control.do("resume www")  # twice is no mistake


@pytest.mark.parametrize("how", ["removed", "stopped", "moved"])
def test_a_paused_pool_that_goes_serves_those_who_wait(controlled: Start, how: str) -> None:
    daemon, control = controlled({"www": {"listen": tcp4(), "handler": "/bin/cat"},
                                  "b": {"listen": tcp4(), "handler": "/bin/cat"}})
    control.do("pause www")
    daemon.wait_workers(0)
    with connect(address_of(daemon)) as waiting:
        waiting.sendall(b"hello")
        waiting.shutdown(socket.SHUT_WR)
        wait_for(control, lambda pool: pool["queue"] == 1, "a client waits")
        if how == "removed":
            del daemon.pools["www"]
            daemon.hup("reloaded")
        elif how == "moved":
            daemon.pools["www"]["listen"] = tcp4()
            daemon.hup("reloaded")
        else:
            control.do("stop")
        assert read_all(waiting) == b"hello"


def test_handlers_that_fail_are_counted(controlled: Start) -> None:
    daemon, control = controlled({"www": {"listen": tcp4(), "handler": ["/bin/sh", "-c", "read code; exit $code"]}})
    for code in ("0", "1", "0", "255", "3"):
        assert request(address_of(daemon), f"{code}\n".encode()) == b""
    totals = wait_for(control, lambda pool: pool["totals"]["requests"] == 5, "all requests")["totals"]
    assert (totals["handler_failures"], totals["handler_deaths"], totals["died"]) == (3, 0, 0)


def test_kill_worker(controlled: Start) -> None:
    daemon, control = controlled()
    daemon.wait_workers(2)
    with connect(address_of(daemon)) as client:
        pool = wait_for(control, lambda pool: pool["counts"]["busy"] == 1, "a busy worker")
        busy = next(worker["pid"] for worker in pool["workers"] if worker["busy"])
        assert control.do(f"kill-worker {busy}") == {"protocol": 2, "ok": True, "command": "kill-worker", "pid": busy,
                                                     "pool": "www"}
        wait_until(lambda: not alive(busy), "its end")
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass
    control.wait_totals(died=0, aborted=1)
    daemon.wait_workers(2)


def test_kill_worker_kills_nobody_else(controlled: Start) -> None:
    daemon, control = controlled()
    child = subprocess.Popen(["sleep", "60"])
    try:
        for pid in (child.pid, daemon.pid, os.getpid(), 1):
            control.refused(f"kill-worker {pid}", "unknown-worker")
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


# --- stop ------------------------------------------------------------------------------------------------------------

def test_stop_lets_requests_finish(controlled: Start) -> None:
    daemon, control = controlled()
    with connect(address_of(daemon)) as client:
        wait_for(control, lambda pool: pool["counts"]["busy"] == 1, "a busy worker")
        control.do("stop")
        assert control.do("status")["master"]["state"] == "stopping"
        assert control.pool()["state"] == "closing"
        for line in ("reload", "restart www", "scale www max_workers=3", "pause www", "upgrade"):
            control.refused(line, "stopping")
        client.sendall(b"x")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"x"
    assert daemon.wait_end() == 0
    assert not control.path.exists()


def test_a_second_stop_ends_nothing(controlled: Start) -> None:
    """Other than a second SIGTERM: only --now does."""
    daemon, control = controlled()
    with connect(address_of(daemon)) as client:
        wait_for(control, lambda pool: pool["counts"]["busy"] == 1, "a busy worker")
        for _ in range(2):
            control.do("stop")
        client.sendall(b"x")
        assert client.recv(1) == b"x", "still served"
        control.do("stop --now")
        assert daemon.wait_end(5) == 0


def test_stop_now(controlled: Start) -> None:
    daemon, control = controlled()
    with connect(address_of(daemon)):
        wait_for(control, lambda pool: pool["counts"]["busy"] == 1, "a busy worker")
        control.do("stop --now")
        assert daemon.wait_end(5) == 0


@pytest.mark.parametrize("line", ["reload", "reload --dry-run", "upgrade"])
def test_what_a_stop_overtakes_is_answered(controlled: Start, tmp_path: Path, line: str) -> None:
    daemon, control = controlled()
    fifo = tmp_path / "preforkd.conf.fifo"
    os.mkfifo(fifo)
    daemon.config.unlink()
    daemon.config.symlink_to(fifo)  # the child that reads it waits for a writer
    with control.connect() as first, control.connect() as client:
        first.sendall(b"reload\n")  # an upgrade waits for its end
        wait_until(lambda: any("reading" in title(pid) for pid in children(daemon.pid)), "the reading")
        client.sendall(line.encode() + b"\n")
        control.do("version")  # came later: the line has been read
        control.do("stop")
        daemon.config.unlink()  # a report of a failure would wait for it as well
        for reply in (json.loads(read_all(waiting)) for waiting in (first, client)):
            assert reply["error"] == "stopping" and "stopping" in reply["message"]
    assert daemon.wait_end() == 0


@pytest.mark.parametrize("line", ["reload", "reload --dry-run"])
def test_a_reload_that_cannot_begin_is_answered(controlled: Start, line: str) -> None:
    """Without a descriptor for what the child would write there is nobody to read the configuration."""
    daemon, control = controlled()
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    with control.connect() as client:
        control.do("version")  # came later: the client has been accepted
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, hard))
        client.sendall(line.encode() + b"\n")
        reply = json.loads(read_all(client))
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert reply["error"] == "internal"
    assert reply["message"] == f"cannot start reading the configuration: {os.strerror(errno.EMFILE)}"
    assert control.verbs() == {"www": ("keep", [])}


# --- who may ----------------------------------------------------------------------------------------------------------

def test_others_cannot_connect(controlled: Start, as_root: None) -> None:
    _, control = controlled()
    assert control.path.stat().st_mode & 0o777 == 0o600
    assert control.ask_as("status", "nobody") == "EACCES"


def test_others_are_refused_whatever_the_mode(controlled: Start, as_root: None) -> None:
    daemon, control = controlled()
    control.path.chmod(0o666)
    reply = json.loads(control.ask_as("stop", "nobody"))
    assert not reply["ok"] and reply["error"] == "permission"
    assert daemon.running() and control.do("version")


def test_control_group(controlled: Start, as_root: None) -> None:
    """As primary group or another one; a reload changes it on the open socket."""
    daemon, control = controlled(master={"control_group": "games"})
    games, users = grp.getgrnam("games").gr_gid, grp.getgrnam("users").gr_gid
    status = control.path.stat()
    assert status.st_mode & 0o777 == 0o660 and status.st_gid == games
    assert json.loads(control.ask_as("version", "nobody", [users, games]))["ok"]
    assert control.ask_as("version", "nobody", [users]) == "EACCES"
    daemon.master["control_group"] = "users"
    daemon.write_config()
    assert control.do("reload")["master_options"] == ["control_group"]
    assert json.loads(control.ask_as("version", "nobody", [users]))["ok"]
    assert control.ask_as("version", "nobody", [games]) == "EACCES"
    assert control.path.stat().st_ino == status.st_ino
    del daemon.master["control_group"]
    daemon.write_config()
    control.do("reload")
    assert control.path.stat().st_mode & 0o777 == 0o600
    assert control.ask_as("version", "nobody", [users]) == "EACCES"


def test_an_unknown_control_group(controlled: Start) -> None:
    daemon, control = controlled()
    daemon.master["control_group"] = "no-such-group"
    daemon.write_config()
    problem = control.refused("reload", "refused")["problems"][0]
    assert "no-such-group" in problem["text"] and problem["line"]


def test_an_ordinary_users_daemon_obeys_that_user(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    directory = tmp_path / "own"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "user": None, "environment": "A=value"}},
                      master={"control": directory / "control.sock"}, binary=binary_for_everybody(tmp_path),
                      popen={"user": "nobody", "group": "nogroup", "extra_groups": []})
    control = control_of(daemon)
    assert json.loads(control.ask_as("version", "nobody"))["ok"]
    assert control.ask_as("version", "games") == "EACCES"
    assert control.do("version"), "root may, too"
    assert "A=value" in json.loads(control.ask_as("config", "nobody"))["config"], "its own user sees all"


# --- the socket -------------------------------------------------------------------------------------------------------

def test_the_socket_moves_with_a_reload(controlled: Start, tmp_path: Path) -> None:
    """The reply comes through the old one, and the directory is made."""
    daemon, control = controlled()
    new = tmp_path / "run" / "other.sock"
    daemon.master["control"] = new
    daemon.write_config()
    assert control.do("reload")["master_options"] == ["control"]
    assert not control.path.exists()
    moved = Control(new)
    assert moved.do("version")
    daemon.master["control"] = ""
    daemon.write_config()
    assert moved.do("reload")
    assert not new.exists()
    daemon.master["control"] = control.path
    daemon.hup("reloaded")
    assert control.do("version")


@pytest.mark.parametrize("obstacle", ["file", "listener", "no directory"])
def test_a_socket_that_cannot_be_had_keeps_the_old_one(controlled: Start, tmp_path: Path, obstacle: str) -> None:
    daemon, control = controlled()
    path = tmp_path / "obstacle"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if obstacle == "file":
        path.write_text("precious")
    elif obstacle == "listener":
        listener.bind(str(path))
        listener.listen()
    else:
        path = tmp_path / "no" / "such" / "directory"
    before = dict(daemon.master)
    daemon.master["control"] = path
    daemon.write_config()
    with listener:
        problem = control.refused("reload", "refused")["problems"][0]
        assert problem["text"].startswith(f"control: cannot open {path}: ")
        assert daemon.config.read_text().splitlines()[problem["line"] - 1].startswith("control =")
    assert control.do("version")
    if obstacle == "file":
        assert path.read_text() == "precious"
    daemon.master = before


def test_a_refused_reload_opens_no_socket(controlled: Start, tmp_path: Path) -> None:
    daemon, control = controlled()
    other = tmp_path / "other.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon.master["control"] = other
        daemon.pools["b"] = {"listen": f"127.0.0.1:{taken.getsockname()[1]}", "handler": "/bin/cat"}
        daemon.write_config()
        control.refused("reload", "refused")
    assert not other.exists() and control.do("version")
    del daemon.pools["b"]
    daemon.master["control"] = control.path


def test_a_socket_that_was_removed_is_made_anew(controlled: Start) -> None:
    daemon, control = controlled()
    assert unix_listeners(daemon) == [str(control.path)]
    control.path.unlink()
    daemon.hup("reloaded")
    assert control.do("version")


def test_an_explicit_socket_that_cannot_be_had_ends_the_start(preforkd: Start, tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "directory"
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}}, master={"control": path}, ready=False)
    assert daemon.wait_end() == 1
    line = daemon.config.read_text().splitlines().index(f"control = {path}") + 1
    daemon.assert_problem(str(daemon.config), f"control: cannot open {path}: No such file or directory", line=line)


def unix_listeners(daemon: Daemon) -> list[str]:
    """The paths of the UNIX sockets on which the master listens."""
    ours = set(open_descriptors(daemon.pid).values())
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return [row[7] for row in rows if row[7:] and f"socket:[{row[6]}]" in ours and int(row[3], 16) & 0x10000]


def test_the_default_is_done_without(tmp_path: Path, preforkd: Start, as_root: None) -> None:
    """An ordinary user cannot have it, and runs all the same."""
    if Path("/run/preforkd").exists() and Path("/run/preforkd").stat().st_uid != 0:
        pytest.skip("/run/preforkd belongs to somebody else")
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "user": None}}, master={"control": None},
                      binary=binary_for_everybody(tmp_path),
                      popen={"user": "nobody", "group": "nogroup", "extra_groups": []})
    assert not unix_listeners(daemon)
    assert request(address_of(daemon), b"x") == b"x"


def test_a_pool_from_the_command_line_has_none(preforkd: Start) -> None:
    address = tcp4()
    user = [f"--user={POOL_USER}"] if os.geteuid() == 0 else []
    daemon = preforkd(arguments=["--listen", address, *user, "--", "/bin/cat"])
    assert not unix_listeners(daemon)


def test_an_idle_daemon_with_a_socket_does_not_wake(controlled: Start) -> None:
    daemon, control = controlled()
    control.do("version")
    wait_for(control, lambda pool: pool["counts"]["idle"] == 2, "idle")
    daemon.wait_asleep()


# --- clients that mean no good ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("data", [b"\n", b"   \n", b"frobnicate\n", b"status a b c\n", b"\0\n", b"status\0www\n",
                                  b"\xff\xfe\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"'\n", b"kill-worker -1\n",
                                  b"x" * 4095 + b"\n"], ids=lambda data: repr(data[:12]))
def test_garbage(controlled: Start, data: bytes) -> None:
    _, control = controlled()
    reply = json.loads(control.send(data))
    assert not reply["ok"] and reply["error"] == "usage" and reply["message"]
    assert control.do("version")


def test_half_a_request_is_none(controlled: Start) -> None:
    """`restart www` may have been meant to go on: what has no newline is not carried out."""
    daemon, control = controlled()
    with control.connect() as client:
        client.sendall(b"restart www")
        client.shutdown(socket.SHUT_WR)
        assert json.loads(read_all(client))["message"] == "the request ends before its newline"
    assert control.pool()["generation"] == 1
    with control.connect() as client:
        client.sendall(b"restart www")
    with control.connect() as client:
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
    assert control.pool()["generation"] == 1


def test_a_huge_request(controlled: Start) -> None:
    _, control = controlled()
    with control.connect() as client:
        try:
            client.sendall(b"x" * 1000000)
        except OSError:
            pass
        assert json.loads(read_all(client))["message"] == "the request is longer than 4096 bytes"


def test_a_request_byte_by_byte(controlled: Start) -> None:
    _, control = controlled()
    with control.connect() as client:
        for byte in b"version\n":
            client.sendall(bytes([byte]))
            time.sleep(0.01)
        assert json.loads(read_all(client))["ok"]


def test_a_silent_client_is_dropped_in_time(controlled: Start) -> None:
    _, control = controlled()
    with control.connect(30) as silent, control.connect(30) as slow:
        begin = time.monotonic()
        slow.sendall(b"ver")
        assert read_all(silent) == b"" and read_all(slow) == b""
        assert 8 < time.monotonic() - begin < 12 * SLOW + 2


def sockets_of(daemon: Daemon) -> int:
    return sum(target.startswith("socket:") for target in open_descriptors(daemon.pid).values())


def test_clients_that_are_silent(controlled: Start) -> None:
    """200 of them: the daemon holds 64 at most, and the next one that has something to say is heard."""
    daemon, control = controlled()
    before = sockets_of(daemon)
    clients = []
    try:
        for number in range(200):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.setblocking(False)
            clients.append(client)
            try:
                client.connect(str(control.path))
            except BlockingIOError:
                break  # the queue is full
        assert number > 100
        wait_until(lambda: sockets_of(daemon) >= before + 60, "the daemon has accepted many")
        assert request(address_of(daemon), b"x") == b"x"
        begin = time.monotonic()
        assert control.do("version", timeout=10)
        assert time.monotonic() - begin < 8 * SLOW
        assert sockets_of(daemon) <= before + 64
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: sockets_of(daemon) <= before, "all are forgotten")
    assert control.do("version")


def test_clients_that_never_read(controlled: Start) -> None:
    """200 times a status that fills the socket and waits for a reader."""
    daemon, control = controlled({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static",
                                          "max_workers": 300}})
    daemon.wait_workers(300, timeout=30)
    size = len(control.send(b"status --workers\n"))
    assert size > 40000
    before, memory = sockets_of(daemon), int(status_value(daemon.pid, "VmRSS").split()[0])
    clients = []
    try:
        for _ in range(200):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.settimeout(0.2)
            clients.append(client)
            try:
                client.connect(str(control.path))
                client.sendall(b"status --workers\n")
            except OSError:
                break
        assert request(address_of(daemon), b"x") == b"x"
        assert control.do("version", timeout=15)
        assert sockets_of(daemon) <= before + 64
        grown = int(status_value(daemon.pid, "VmRSS").split()[0]) - memory
        assert grown < 80 * 1024 * SLOW, f"the master grew by {grown} KiB"
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: sockets_of(daemon) <= before, "all are forgotten")


def test_a_slow_reader_gets_all_of_it(controlled: Start) -> None:
    daemon, control = controlled({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static",
                                          "max_workers": 200}})
    daemon.wait_workers(200, timeout=30)
    with control.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.sendall(b"status --workers\nand more that nobody asked for\n")
        received = b""
        while chunk := client.recv(5000):
            received += chunk
            time.sleep(0.002)
    assert len(json.loads(received)["pools"][0]["workers"]) == 200


def test_clients_that_go(controlled: Start) -> None:
    """At every moment: before the request, within it, before the reply, while a reload is under way."""
    daemon, control = controlled()
    before = sockets_of(daemon)
    for _ in range(50):
        for data in (b"", b"stat", b"status --workers\n", b"reload\n", b"reload --dry-run\n"):
            with control.connect() as client:
                client.sendall(data)
    assert control.do("reload")
    wait_until(lambda: sockets_of(daemon) <= before, "all are forgotten")
    assert request(address_of(daemon), b"x") == b"x"
