"""`preforkctl import tcprules` and `hosts-access`: the lists decide what the programs that they are from decide."""

from __future__ import annotations

import ipaddress
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import BINARY, SLOW, Daemon, port_of, tcp4

CTL = BINARY.parents[1] / "ctl/preforkctl"
Start = Callable[..., Daemon]
POOLS = 12
DAEMONS = ["in.ftpd", "ALL", "in.telnetd", "ALL EXCEPT in.ftpd", "x, in.ftpd", "ALL EXCEPT x EXCEPT in.ftpd",
           "ALL EXCEPT in.ftpd EXCEPT ALL"]
SOURCES = ["127.0.0.1", "127.0.0.2", "127.0.0.9", "127.0.1.1", "127.0.1.2", "127.1.0.1", "127.1.0.2", "127.1.1.1", "127.2.3.4"]


def list_of(*arguments: str | Path, status: int = 0) -> str:
    result = subprocess.run([CTL, "import", *arguments], capture_output=True, text=True, timeout=20 * SLOW)
    assert result.returncode == status, result.stderr + result.stdout
    return result.stdout


def comes_in(address: str, source: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port_of(address)), 20 * SLOW, (source, 0)) as client:
            client.sendall(b"hello")
            return client.recv(5, socket.MSG_WAITALL) == b"hello"
    except ConnectionError:
        return False


def who_comes_in(preforkd: Start, tmp_path: Path, lists: list[str]) -> list[dict[str, bool]]:
    """For each list, which of the sources a pool with it serves."""
    user = "user = nobody\n" if os.geteuid() == 0 else ""
    addresses = [tcp4() for _ in lists]
    file = tmp_path / "preforkd.conf"
    file.write_text("".join(f"[p{number}]\nlisten = {address}\nhandler = /bin/cat\n{user}{text}\n"
                            for number, (address, text) in enumerate(zip(addresses, lists))))
    preforkd(arguments=["-c", str(file)])
    return [{source: comes_in(address, source) for source in SOURCES} for address in addresses]


def some_prefix(dice: random.Random) -> list[str]:
    """The first one to four numbers of an address that is like one of the sources."""
    return dice.choice(SOURCES).split(".")[:dice.randint(1, 4)]


@pytest.mark.skipif(not shutil.which("tcprules"), reason="needs ucspi-tcp")
def test_tcprules(preforkd: Start, tmp_path: Path) -> None:
    dice = random.Random(3)
    lists, expected = [], []
    for _ in range(POOLS):
        rules = []
        for _ in range(dice.randint(0, 6)):
            prefix = some_prefix(dice)
            if len(prefix) == 4 and dice.random() < 0.3:
                prefix[3] = f"{prefix[3]}-{int(prefix[3]) + dice.randint(0, 8)}"
            rules.append(".".join(prefix) + ("." if len(prefix) < 4 else "") + ":" + dice.choice(["allow", "deny"]))
        rules += dice.choice([[], [":allow"], [":deny"]])
        text = tmp_path / "tcp.rules"
        text.write_text("# rules\n" + "".join(f"{rule}\n" for rule in rules))
        subprocess.run(["tcprules", tmp_path / "tcp.cdb", tmp_path / "tcp.tmp"], stdin=text.open(), check=True)

        def allows(source: str) -> bool:
            said = subprocess.run(["tcprulescheck", tmp_path / "tcp.cdb"], env={**os.environ, "TCPREMOTEIP": source},
                                  capture_output=True, text=True, check=True).stdout
            return "deny connection" not in said

        expected.append({source: allows(source) for source in SOURCES})
        lists.append(list_of("tcprules", text))
    assert who_comes_in(preforkd, tmp_path, lists) == expected
    assert {answer for row in expected for answer in row.values()} == {True, False}


@pytest.mark.skipif(not shutil.which("tcpdmatch"), reason="needs tcpd")
def test_hosts_access(preforkd: Start, tmp_path: Path) -> None:
    dice = random.Random(4)
    (tmp_path / "inetd.conf").write_text("ftp stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.ftpd\n")
    (tmp_path / "services").touch()

    def some_client() -> str:
        prefix = some_prefix(dice)
        network = ipaddress.ip_network((".".join(prefix + ["0"] * (4 - len(prefix))), 8 * len(prefix)))
        short = ".".join(prefix) + ("." if len(prefix) < 4 else "")
        # libwrap takes 255.255.255.255 for no mask.
        masked = f"{network.network_address}/{network.netmask}" if len(prefix) < 4 else short
        return dice.choice([short, masked, "ALL" if dice.random() < 0.2 else short])

    def some_clients() -> str:
        clients = dice.choice([" ", ", "]).join(some_client() for _ in range(dice.randint(1, 3)))
        return clients + (f" EXCEPT {some_clients()}" if dice.random() < 0.4 else "")

    def some_rules() -> str:
        return "".join(f"{dice.choice(DAEMONS)} : {some_clients()}{dice.choice(['', '', '', ': deny', ': ALLOW'])}\n"
                       for _ in range(dice.randint(0, 4)))

    lists, expected = [], []
    for number in range(POOLS):
        (tmp_path / "hosts.allow").write_text(some_rules())
        (tmp_path / "hosts.deny").write_text(dice.choice([some_rules(), "ALL: ALL\n", "ALL: ALL EXCEPT 127.0.1.\n"]))

        def allows(source: str) -> bool:
            said = subprocess.run(["tcpdmatch", "-d", "-i", "inetd.conf", "in.ftpd", source], cwd=tmp_path,
                                  capture_output=True, text=True, check=True, timeout=60 * SLOW).stdout
            [answer] = [line.split(":")[1].strip() for line in said.splitlines() if line.startswith("access:")]
            return answer == "granted"

        expected.append({source: allows(source) for source in SOURCES})
        lists.append(list_of("hosts-access", "in.ftpd", tmp_path / "hosts.allow", tmp_path / "hosts.deny"))
    assert who_comes_in(preforkd, tmp_path, lists) == expected
    assert {answer for row in expected for answer in row.values()} == {True, False}


def test_a_lost_rule_closes(preforkd: Start, tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("=trusted.example:allow\n127.:allow\n:deny\n")
    text = list_of("tcprules", tmp_path / "rules", status=1)
    assert f"# ! {tmp_path}/rules:1: =trusted.example:allow: names are not looked up\n" in text
    assert not any(who_comes_in(preforkd, tmp_path, [text])[0].values())


def test_a_file_that_cannot_be_read_is_no_empty_list(tmp_path: Path) -> None:
    (tmp_path / "hosts.allow").write_text("ALL: ALL\n")
    assert list_of("tcprules", tmp_path / "none", status=1) == ""
    assert list_of("hosts-access", "x", tmp_path / "hosts.allow", tmp_path / "none", status=1) == ""


def test_usage(tmp_path: Path) -> None:
    assert list_of("tcprules", status=2) == list_of("tcprules", "a", "b", status=2) == ""
    assert list_of("hosts-access", status=2) == list_of("hosts-access", "x", "a", "b", "c", status=2) == ""
