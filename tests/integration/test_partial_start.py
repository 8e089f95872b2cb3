"""partial_start: a pool whose address cannot be opened waits for it, and the others serve."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from control import Control, control_of
from daemon import (AS_ROOT, BINARY, SLOW, Daemon, clean_environment, connect, endpoint, format_config, free_port,
                    request, run_preforkd, stays, tcp4, wait_until)
from manager import Manager
from pools import static

Start = Callable[..., Daemon]

PARTIAL = {"partial_start": True}
QUICK = {"restart_delay_min": "50ms", "restart_delay_max": "200ms"}
NOWHERE = "192.0.2.77"  # for documentation: no interface has it


@contextmanager
def taken(address: str) -> Iterator[None]:
    """Somebody else listens there."""
    family, target = endpoint(address)
    with socket.socket(family, socket.SOCK_STREAM) as other:
        other.bind(target)
        other.listen()
        yield
    if family == socket.AF_UNIX and address.startswith("/"):
        os.unlink(address)


def listener(control: Control, address: str, pool: str = "www") -> dict[str, Any]:
    [found] = [row for row in control.pool(pool)["listeners"] if row["address"] == address]
    return found


def is_waiting(control: Control, pool: str = "www") -> bool:
    return control.pool(pool)["state"] == "not listening"


def has_opened(daemon: Daemon) -> None:
    """One listener more than at the start is no leak."""
    assert daemon.descriptors_at_start is not None
    daemon.descriptors_at_start["socket"] += 1


def ends_with(daemon: Daemon, timeout: float = 10) -> int:
    return daemon.process.wait(timeout * SLOW)


@pytest.mark.parametrize("kind", ["tcp", "path"])
def test_others_serve_and_the_address_is_opened_when_it_is_free(preforkd: Start, tmp_path: Path, kind: str) -> None:
    address, other = tcp4() if kind == "tcp" else str(tmp_path / "www.sock"), tcp4()
    pools = {"www": {"listen": address, **static(2), **QUICK}, "other": {"listen": other, **static(1)}}
    with taken(address):
        daemon = preforkd(pools, master=PARTIAL, control=True)
        control = control_of(daemon)
        assert request(other, b"x") == b"x"
        assert is_waiting(control) and daemon.workers() == []
        row = listener(control, address)
        assert not row["listening"] and "listens there" in row["error"]
        assert control.pool("other")["state"] == "running"
        assert len(daemon.messages("address unavailable", "www")) == 1
        wait_until(lambda: control.pool()["opening"]["failures"] > 3, "further attempts")
        assert len(daemon.messages("address unavailable", "www")) == 1, "it is said once"
        assert any(address in text for text in control.decisions())
    wait_until(lambda: control.pool()["state"] == "running", "the pool")
    has_opened(daemon)
    assert request(address, b"x") == b"x"
    assert listener(control, address)["listening"] and listener(control, address)["error"] is None
    assert control.pool()["opening"] == {"failures": 0, "next_attempt_ms": 0}
    daemon.wait_workers(2)
    daemon.assert_quiet()


def test_without_it_nothing_starts(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": f"{NOWHERE}:{free_port()}", **static(1)}, "other": {"listen": tcp4(), **static(1)}},
                      ready=False)
    assert ends_with(daemon) != 0
    daemon.assert_problem(NOWHERE)


def test_an_idle_daemon_that_waits_sleeps(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": f"{NOWHERE}:{free_port()}", **static(1), "restart_delay_min": "1h",
                               "restart_delay_max": "1h"}}, master=PARTIAL, control=True)
    wait_until(lambda: control_of(daemon).pool()["opening"]["next_attempt_ms"] > 1000, "the next attempt")
    daemon.wait_asleep()


def test_other_addresses_of_the_pool_are_served(preforkd: Start) -> None:
    """Their workers are replaced when the address can be opened; no connection is lost."""
    first, second = tcp4(), tcp4()
    with taken(second):
        daemon = preforkd({"www": {"listen": [first, second], **static(2), **QUICK}}, master=PARTIAL, control=True)
        control = control_of(daemon)
        assert request(first, b"x") == b"x"
        assert control.pool()["state"] == "running"
        assert not listener(control, second)["listening"]
        workers = daemon.wait_workers(2)
        generation = control.pool()["generation"]
        wait_until(lambda: control.pool()["opening"]["failures"] > 3, "further attempts")
        assert daemon.workers() == workers and control.pool()["generation"] == generation, "attempts replace nobody"
        client = connect(first)
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    wait_until(lambda: listener(control, second)["listening"], "the second address")
    has_opened(daemon)
    wait_until(lambda: control.pool()["counts"]["old"] == 0, "the roll")
    assert request(second, b"y") == b"y"
    client.sendall(b"z")
    assert client.recv(1) == b"z"
    client.close()
    daemon.assert_quiet()


def add_address(daemon: Daemon, host: str) -> None:
    subprocess.run(["nsenter", f"--target={daemon.pid}", "--net", "ip", "address", "add", f"{host}/32", "dev", "lo"],
                   check=True, timeout=20 * SLOW)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A stand-in for preforkd that runs it in a network of its own, with nothing but lo."""
    if not AS_ROOT or subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], check=False,
                                     stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("needs root and a network namespace")
    target = tmp_path / "preforkd-with-own-network"
    target.write_text("#!/bin/sh\n"
                      f'exec unshare --net sh -c \'ip link set lo up && exec "$0" "$@"\' {BINARY} "$@"\n')
    target.chmod(0o755)
    return target


def test_an_address_that_appears_later(preforkd: Start, network: Path) -> None:
    """As with a network that comes up after the boot."""
    late = f"{NOWHERE}:7007"
    daemon = preforkd({"www": {"listen": late, **static(1), **QUICK}, "other": {"listen": "127.0.0.1:7008", **static(1)}},
                      master=PARTIAL, control=True, binary=network)
    control = control_of(daemon)
    daemon.wait_workers(1, "other")
    assert is_waiting(control)
    assert "interface" in listener(control, late)["error"]
    add_address(daemon, NOWHERE)
    wait_until(lambda: control.pool()["state"] == "running", "the pool")
    has_opened(daemon)
    daemon.wait_workers(1)


# --- reloads ----------------------------------------------------------------------------------------------------------

def test_a_reload_adds_a_pool_that_waits(preforkd: Start) -> None:
    first, second = tcp4(), tcp4()
    daemon = preforkd({"one": {"listen": first, **static(1)}}, master=PARTIAL, control=True)
    control = control_of(daemon)
    workers = daemon.wait_workers(1, "one")
    with taken(second):
        daemon.pools["two"] = {"listen": second, **static(1), **QUICK}
        daemon.write_config()
        dry = control.do("reload --dry-run")
        assert [problem["severity"] for problem in dry["problems"]] == ["warning"]
        reply = control.do("reload")
        assert [problem["severity"] for problem in reply["problems"]] == ["warning"]
        assert second in reply["problems"][0]["text"]
        assert is_waiting(control, "two")
        assert daemon.workers("one") == workers
    wait_until(lambda: control.pool("two")["state"] == "running", "the pool")
    assert request(second, b"x") == b"x"


def test_a_reload_never_takes_the_last_address_from_a_pool_that_serves(preforkd: Start) -> None:
    first, second = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": first, **static(1), **QUICK}}, master=PARTIAL, control=True)
    control = control_of(daemon)
    with taken(second):
        daemon.pools["www"]["listen"] = second
        daemon.write_config()
        assert second in control.refused("reload --dry-run", "refused")["problems"][0]["text"]
        assert second in control.refused("reload", "refused")["problems"][0]["text"]
        assert request(first, b"x") == b"x"
        daemon.pools["www"]["listen"] = [first, second]  # one of them stays
        daemon.hup("reloaded")
        assert request(first, b"x") == b"x"
        assert not listener(control, second)["listening"]
        daemon.pools["www"]["listen"] = first  # it does not wait any more
        daemon.hup("reloaded")
        assert [row["address"] for row in control.pool()["listeners"]] == [first]
        assert control.pool()["opening"]["next_attempt_ms"] == 0
    assert request(first, b"x") == b"x"


def test_a_reload_tries_at_once(preforkd: Start) -> None:
    """Also one that changes nothing."""
    address = tcp4()
    with taken(address):
        daemon = preforkd({"www": {"listen": address, **static(1), "restart_delay_min": "1h", "restart_delay_max": "1h"}},
                          master=PARTIAL, control=True)
        assert is_waiting(control_of(daemon))
    stays(lambda: is_waiting(control_of(daemon)), "it waits for an hour", 0.3)
    daemon.hup("reloaded")
    wait_until(lambda: not is_waiting(control_of(daemon)), "the pool")
    has_opened(daemon)
    assert request(address, b"x") == b"x"


def test_a_pool_that_waits_is_changed_and_removed(preforkd: Start) -> None:
    """By reloads of every kind, with its address still not there."""
    first, second, other = tcp4(), tcp4(), tcp4()
    with taken(first), taken(second):
        daemon = preforkd({"www": {"listen": first, **static(1), **QUICK}, "other": {"listen": other, **static(1)}},
                          master=PARTIAL, control=True)
        control = control_of(daemon)
        for key, value in [("max_workers", 3), ("max_requests", 100), ("handler", "/usr/bin/cat"), ("listen", second),
                           ("backlog", 7), ("listen", [first, second])]:
            daemon.pools["www"][key] = value
            daemon.hup("reloaded")
            assert is_waiting(control), key
        control.do("restart www")
        control.do("pause www")
        control.do("resume www")
        del daemon.pools["www"]
        daemon.hup("reloaded")
        wait_until(lambda: [pool["name"] for pool in control.do("status")["pools"]] == ["other"], "it has gone")
    assert request(other, b"x") == b"x"


def test_it_is_switched_off_while_a_pool_waits(preforkd: Start) -> None:
    """What waits goes on waiting; what is new is refused."""
    address, another = tcp4(), tcp4()
    with taken(address), taken(another):
        daemon = preforkd({"www": {"listen": address, **static(1), **QUICK}}, master=PARTIAL, control=True)
        daemon.master["partial_start"] = False
        daemon.hup("reloaded")
        daemon.pools["new"] = {"listen": another, **static(1)}
        daemon.hup("reload refused")
    wait_until(lambda: not is_waiting(control_of(daemon)), "the pool")
    has_opened(daemon)
    assert request(address, b"x") == b"x"


# --- upgrades, stops, the service manager -----------------------------------------------------------------------------

def test_an_upgrade_while_a_pool_waits(preforkd: Start) -> None:
    address = tcp4()
    with taken(address):
        daemon = preforkd({"www": {"listen": address, **static(1), "restart_delay_min": "20ms",
                                   "restart_delay_max": "300ms"}}, master=PARTIAL, control=True)
        control = control_of(daemon)
        wait_until(lambda: control.pool()["opening"]["failures"] > 4, "some attempts")
        before = control.pool()["opening"]["failures"]
        control.do("upgrade")
        assert is_waiting(control)
        assert "listens there" in listener(control, address)["error"]
        assert control.pool()["opening"]["failures"] >= before
    wait_until(lambda: not is_waiting(control), "the pool")
    has_opened(daemon)
    assert request(address, b"x") == b"x"


def test_a_stop_while_a_pool_waits(preforkd: Start) -> None:
    address = tcp4()
    with taken(address):
        preforkd({"www": {"listen": address, **static(1)}}, master=PARTIAL).stop()


def test_ready_when_the_others_are(preforkd: Start, tmp_path: Path) -> None:
    """STATUS= says what it waits for. When it can be opened it goes to the store as well."""
    address = tcp4()
    with Manager(tmp_path, store_max=8) as manager:
        with taken(address):
            daemon = preforkd({"www": {"listen": address, **static(1), **QUICK}, "other": {"listen": tcp4(), **static(1)}},
                              master=PARTIAL, **manager.options())
            ready = manager.wait("READY=1")
            assert ready.value("STATUS") == f"2 pools, 1 worker; www waiting for {address}"
            manager.wait("FDSTORE=1")
        wait_until(lambda: (manager.receive_all() and False) or len(manager.store) == 2, "both in the store")
        manager.wait("STATUS=2 pools, 2 workers")
        daemon.stop()


def test_ready_if_all_wait(preforkd: Start, tmp_path: Path) -> None:
    with Manager(tmp_path) as manager:
        daemon = preforkd({"www": {"listen": f"{NOWHERE}:{free_port()}", **static(1)}}, master=PARTIAL, **manager.options())
        manager.wait("READY=1")
        daemon.stop()


def test_a_socket_of_a_socket_unit_is_not_waited_for(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": "systemd:web", **static(1)}}, master=PARTIAL, ready=False)
    assert ends_with(daemon) != 0
    daemon.assert_problem("no socket unit has passed")


def test_preforkctl_shows_it(preforkd: Start) -> None:
    address = tcp4()
    with taken(address):
        daemon = preforkd({"www": {"listen": address, **static(1), "restart_delay_min": "1h", "restart_delay_max": "1h"}},
                          master=PARTIAL, control=True)
        wait_until(lambda: control_of(daemon).pool()["opening"]["next_attempt_ms"] > 0, "the next attempt")
        preforkctl = BINARY.parents[1] / "ctl/preforkctl"
        shown = subprocess.run([preforkctl, "-s", str(daemon.master["control"]), "status", "www"], check=True,
                               capture_output=True, text=True, env=clean_environment(), timeout=20 * SLOW).stdout
    assert "www: not listening" in shown
    assert "the next in" in shown
    assert "somebody else listens there" in shown


def test_t_knows_it(tmp_path: Path) -> None:
    config = tmp_path / "preforkd.conf"
    config.write_text("[preforkd]\npartial_start = yes\n[www]\nlisten = 127.0.0.1:7\nhandler = /bin/cat\nuser = nobody\n")
    assert "partial_start = yes" in run_preforkd("-T", "-c", config).stdout


def test_t_and_a_start_agree(preforkd: Start, tmp_path: Path) -> None:
    """Whatever cannot be opened, also what is not the fault of an address: -t refuses exactly what does not start."""
    busy = tmp_path / "file"
    busy.touch()
    www = {"handler": "/bin/cat", **static(1)}
    lacking = [{"listen": f"{NOWHERE}:{free_port()}"}, {"listen": busy}, {"listen": tmp_path / "none/socket"},
               {"listen": tcp4(), "bind_to_device": "none0"}]
    for keys in lacking:
        path = tmp_path / "t.conf"
        for master in ({}, PARTIAL):
            path.write_text(format_config({"www": {**www, **keys}}, master))
            tested, dumped = run_preforkd("-t", "-c", path), run_preforkd("-T", "-c", path)
            assert dumped.returncode == tested.returncode and dumped.stderr in tested.stderr
            if master:
                assert tested.returncode == 0, tested.stderr
                [warning] = [line for line in tested.stderr.splitlines() if "warning: " in line]
                assert warning.endswith("; the pool waits for it (partial_start)")
            elif keys != lacking[2]: # the directory may come
                assert tested.returncode == 78, tested.stderr
        daemon = preforkd({"www": {**www, **keys}}, master=PARTIAL)
        assert daemon.messages("address unavailable", "www")
        daemon.stop()
