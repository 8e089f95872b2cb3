"""allow and deny: who may connect, the same for everything that serves by connections that preforkd accepts."""

from __future__ import annotations

import grp
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import (SLOW, Daemon, connect, format_config, have_ipv6, port_of, read_all, request, run_preforkd,
                    tcp4, wait_until)
from datagrams import Client, udp
from handler_kinds import KINDS, Kind
from modules import module

Start = Callable[..., Daemon]
BAD_CONFIG = 78

GUARDED = [kind for kind in KINDS if kind.is_guarded]
READS_LISTS = [kind for kind in GUARDED if kind.name in ("inetd", "inetd-forkserver") or kind.is_program]
UNGUARDED = [kind for kind in KINDS if not kind.is_guarded]


def ask(address: str, source: str | None = None) -> bytes:
    """The answer to a client of that address; b"": it was refused, and saw an end."""
    family = socket.AF_INET6 if address.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(10 * SLOW)
        if source:
            client.bind((source, 0))
        client.connect((address.rsplit(":", 1)[0].strip("[]"), port_of(address)))
        client.sendall(b"hello")
        try:
            client.shutdown(socket.SHUT_WR)
        except OSError:  # it has been closed
            pass
        return read_all(client)


def workers(daemon: Daemon, count: int = 1) -> list[int]:
    """Their pids, when so many are idle."""
    def idle() -> list[int] | None:
        rows = control_of(daemon).pool(workers=True)["workers"]
        return [row["pid"] for row in rows] if [row["state"] for row in rows] == ["idle"] * count else None

    return wait_until(idle, f"{count} idle workers") or []


def totals(daemon: Daemon) -> dict[str, int]:
    return dict(control_of(daemon).pool()["totals"])


@pytest.mark.parametrize("kind", GUARDED, ids=lambda kind: kind.name)
def test_every_kind(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    """A refusal costs no handler, is counted and logged, and its client sees an end and no reset."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "allow": "127.0.0.0/28", "deny": "127.0.0.2 127.0.0.8/29",
                               "scaling": "static", "max_workers": 1, **kind.echo(tmp_path)}, **kind.behind(tmp_path)},
                      control=True)
    [worker] = workers(daemon)
    assert ask(address, "127.0.0.1") == b"hello"
    for source in ("127.0.0.2", "127.0.0.9", "127.0.0.16", "127.0.0.2"):
        assert ask(address, source) == b"", source
    assert ask(address, "127.0.0.3") == b"hello"
    wait_until(lambda: totals(daemon)["refused_access"] == 4, "four refused")
    counted = totals(daemon)
    assert (counted["refused"], counted["refused_source"], counted["refused_full"]) == (4, 0, 0)
    wait_until(lambda: totals(daemon)["requests"] == 2, "two served")
    assert workers(daemon) == [worker]
    daemon.wait_said("refused a connection from 127.0.0.2: deny has its address")
    assert daemon.said("refused a connection from 127.0.0.9: deny has its address") == 0, "one record for all"


@pytest.mark.parametrize("kind", UNGUARDED, ids=lambda kind: kind.name)
def test_a_program_that_accepts_itself_is_not_guarded(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "checked.conf"
    path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "deny": "192.0.2.1", **kind.echo(tmp_path)}}))
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    assert "deny: a handler that accepts itself takes its connections before preforkd sees their clients" in result.stderr


def test_what_is_no_client(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    path = tmp_path / "checked.conf"

    def check(**keys: object) -> str:
        path.write_text(format_config({"www": {"listen": "127.0.0.1:1", "handler": "/bin/cat", **keys}}))
        result = run_preforkd("-t", "-c", path)
        assert result.returncode == BAD_CONFIG, keys
        return result.stderr

    assert 'allow: "10.1.2.3/8": bits beyond the prefix are set; expected 10.0.0.0/8, or the address alone' in \
        check(allow="10.1.2.3/8")
    assert 'deny: "10.0.0.0/33": the prefix is too long' in check(deny="10.0.0.0/33")
    assert 'allow: "example.org" names no clients (host names are not looked up); expected ADDRESS, NETWORK/PREFIX' in \
        check(allow="example.org")
    assert 'allow: "@list" does not name a list by an absolute path' in check(allow="@list")
    assert 'deny: "uid:nobody-of-that-name": there is none of that name' in check(deny="uid:nobody-of-that-name")
    assert f"{listed}: cannot read it: No such file" in check(allow=f"@{listed}")
    listed.write_text("192.0.2.1\n\n# all\n192.0.2.0/24 # of them\n  192.0.2.1/24\n@/etc/passwd\nexample.org\nuid:\n")
    said = check(allow=f"@{listed}")
    assert f'{listed}:5: "192.0.2.1/24": bits beyond the prefix are set' in said
    assert f'{listed}:6: "@/etc/passwd": a list cannot name another one' in said
    assert f'{listed}:7: "example.org": expected ADDRESS' in said and f'{listed}:8: "uid:"' in said
    listed.write_bytes(b"192.0.2.1\n192.0.2.2\0 # and more\n")
    assert f"{listed}:2: it has a NUL byte" in check(deny=f"@{listed}")
    listed.write_text("x\n" * 1000)
    assert check(deny=f"@{listed}").count("expected ADDRESS") == 10
    os.remove(listed)
    os.mkfifo(listed)
    assert "it is a pipe or a device from which nothing comes" in check(deny=f"@{listed}")


@pytest.mark.skipif(not have_ipv6(), reason="needs IPv6")
def test_ipv4_is_ipv4_on_every_socket(preforkd: Start) -> None:
    port = port_of(tcp4())
    preforkd({"www": {"listen": f"*:{port}", "handler": "/bin/cat", "deny": "127.0.0.1 ::1"}})
    assert ask(f"127.0.0.1:{port}", "127.0.0.1") == b""
    assert ask(f"127.0.0.1:{port}", "127.0.0.2") == b"hello"
    assert ask(f"[::1]:{port}") == b""


def test_users_of_unix_sockets(preforkd: Start, tmp_path: Path) -> None:
    address = str(tmp_path / "socket")
    me, group = f"uid:{os.getuid()}", f"gid:{grp.getgrgid(os.getgid()).gr_name}"
    pools: dict[str, dict[str, object]] = {"www": {"listen": address, "handler": "/bin/cat", "allow": me,
                                                   "deny": group}}
    daemon = preforkd(pools, control=True)
    assert request(address, b"x") == b"x", "the user is more specific"
    for keys, answer in (({"allow": "192.0.2.1", "deny": ""}, b""), ({"allow": "192.0.2.1 unix", "deny": group}, b""),
                         ({"allow": "unix", "deny": ""}, b"x"), ({"allow": group, "deny": "unix"}, b"x"),
                         ({"allow": "", "deny": me}, b"")):
        pools["www"].update(keys)
        daemon.pools["www"].update(keys)  # type: ignore[attr-defined]
        daemon.hup()
        wait_until(lambda answer=answer: refused_or_answered(address) == answer, f"{keys}")
    daemon.wait_said(f"refused a connection from uid {os.getuid()}: allow does not have its user or group")


def refused_or_answered(address: str) -> bytes:
    with connect(address) as client:
        try:
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            return read_all(client)
        except (BrokenPipeError, ConnectionResetError):
            return b""


@pytest.mark.parametrize("kind", READS_LISTS, ids=lambda kind: kind.name)
def test_a_list_is_read_again(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    """A reload replaces the workers if it says something else; a broken list leaves everything as it is."""
    address, listed = tcp4(), tmp_path / "list"
    listed.write_text("127.0.0.1\n")
    daemon = preforkd({"www": {"listen": address, "allow": f"@{listed}", "scaling": "static", "max_workers": 1,
                               **kind.echo(tmp_path)}}, control=True)
    [first] = workers(daemon)
    assert ask(address, "127.0.0.2") == b""
    daemon.hup()
    assert workers(daemon) == [first], "nothing has changed"
    listed.write_text("127.0.0.0/8\nnonsense\n")
    daemon.hup()
    daemon.assert_problem('"nonsense": expected ADDRESS', line=2)
    assert workers(daemon) == [first] and ask(address, "127.0.0.2") == b""
    listed.write_text("# everybody here\n127.0.0.0/8\n")
    daemon.hup()
    wait_until(lambda: ask(address, "127.0.0.2") == b"hello", "the list has changed")
    assert workers(daemon) != [first]


@pytest.mark.parametrize("kind", READS_LISTS, ids=lambda kind: kind.name)
def test_a_long_list(preforkd: Start, tmp_path: Path, kind: Kind) -> None:
    """100,000 networks; an upgrade takes them over without reading the file."""
    address, listed = tcp4(), tmp_path / "list"
    listed.write_text("".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(100000)) + "127.0.0.3\n")
    daemon = preforkd({"www": {"listen": address, "deny": f"@{listed}", **kind.echo(tmp_path)}}, control=True)
    assert ask(address, "127.0.0.3") == b"" and ask(address, "127.0.0.4") == b"hello"
    listed.unlink()
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_message("upgraded")
    assert ask(address, "127.0.0.3") == b"" and ask(address, "127.0.0.4") == b"hello"


def test_datagrams_are_dropped(preforkd: Start, tmp_path: Path) -> None:
    address = udp()
    daemon = preforkd({"www": {"listen": address, "handler_type": "module", "handler": [module("datagram", tmp_path)],
                               "deny": "127.0.0.1"}}, control=True)
    with Client(address) as client:
        client.send(b"hello")
        wait_until(lambda: totals(daemon)["refused_access"] == 1, "it is dropped and counted")


def test_refused_clients_do_not_hold_up_others(preforkd: Start) -> None:
    """Many of them, while one is served: they are no requests, and the pool does not grow for them."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat", "deny": "127.0.0.2", "max_workers": 4}},
                      control=True)
    with connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        for _ in range(200):
            assert ask(address, "127.0.0.2") == b""
        client.sendall(b"y")
        assert client.recv(1) == b"y"
    wait_until(lambda: totals(daemon)["refused_access"] == 200, "all counted")
    assert totals(daemon)["forked"] <= 6
