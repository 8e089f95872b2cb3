"""Values of `environment` are secrets of their pool: they are nowhere in the memory of another pool's workers."""

from __future__ import annotations

import grp
import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import AS_ROOT, BINARY, Daemon, children, connect, is_sanitized, read_all, request, tcp4, wait_until
from modules import module

Start = Callable[..., Daemon]

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="needs root to read the memory of workers")


class Secret:
    """A value of so many bytes that is found by any 32 of them."""

    def __init__(self, length: int) -> None:
        self.mark = "".join(random.choices("abcdefghijkmnpqrstuvwxyz", k=16))
        self.value = (self.mark * (length // 16 + 1))[:length]

    def is_in(self, memory: bytes) -> bool:
        return self.mark.encode() in memory


def memory_of(pid: int) -> dict[str, bytes]:
    """All that a process can read, by what it is."""
    found: dict[str, bytes] = {}
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            fields = line.split(maxsplit=5)
            first, last = (int(end, 16) for end in fields[0].split("-"))
            name = fields[5] if len(fields) > 5 else "anonymous"
            if name in ("[vvar]", "[vvar_vclock]", "[vsyscall]") or "memfd:preforkd:" in name:
                continue
            memory.seek(first)
            try:
                found[f"{fields[0]} {fields[1]} {name}"] = memory.read(last - first)
            except OSError:
                assert fields[1].startswith("-"), line
    assert len(found) > 10
    return found


class Estate:
    """Pools, and every secret that each has ever had."""

    def __init__(self, lengths: dict[str, int]) -> None:
        self.secrets: dict[str, list[Secret]] = {name: [] for name in lengths}
        self.pools: dict[str, dict[str, object]] = {
            name: {"listen": tcp4(), "handler": ["/bin/sh", "-c", 'read x; echo "$PASSWORD"'], "scaling": "static",
                   "max_workers": 2} for name in lengths}
        for name, length in lengths.items():
            self.change(name, length)

    def change(self, name: str, length: int) -> None:
        self.secrets[name].append(Secret(length))
        self.pools[name]["environment"] = ["FIRST=1", f"PASSWORD={self.secrets[name][-1].value}", "LAST=2"]

    def check(self, daemon: Daemon) -> None:
        """No worker has a secret of another pool, and each handler has its own."""
        for name in self.pools:
            for worker in daemon.wait_workers(2, name):
                memory = memory_of(worker)
                for other, secrets in self.secrets.items():
                    for number, secret in enumerate(secrets):
                        places = [place for place, content in memory.items() if secret.is_in(content)]
                        if other == name:
                            assert places or number < len(secrets) - 1, "a worker without its own secret"
                        else:
                            assert not places, f"{name} has secret {number} of {other} in {places}"
        self.ask()

    def ask(self) -> None:
        for name, pool in self.pools.items():
            assert request(str(pool["listen"]), b"x\n") == self.secrets[name][-1].value.encode() + b"\n"


def restart_all(daemon: Daemon, estate: Estate) -> None:
    control = control_of(daemon)
    for name in estate.pools:
        control.do(f"restart {name}")
    for name in estate.pools:
        wait_until(lambda n=name: (counts := control.pool(n)["counts"])["idle"] == 2  # type: ignore[misc]
                   and not counts["old"] and not counts["retiring"], "new workers")


@pytest.fixture
def estate() -> Estate:
    return Estate({"short": 16, "middle": 300, "long": 30000, "other": 64})


@pytest.fixture
def daemon(preforkd: Start, estate: Estate) -> Daemon:
    daemon = preforkd(estate.pools, control=True)
    if is_sanitized(daemon.pid):
        pytest.skip("a sanitizer keeps what was freed")
    return daemon


def reload(daemon: Daemon, estate: Estate) -> None:
    daemon.pools = dict(estate.pools)
    daemon.hup("reloaded")


def test_after_the_start(daemon: Daemon, estate: Estate) -> None:
    estate.check(daemon)


def test_after_reloads(daemon: Daemon, estate: Estate) -> None:
    for name in ("long", "short", "middle"):
        estate.change(name, 500)
        reload(daemon, estate)
        restart_all(daemon, estate)
        estate.check(daemon)


def test_after_configurations_that_were_refused(daemon: Daemon, estate: Estate) -> None:
    """They have been read, or not even that."""
    present = dict(estate.pools["other"])
    estate.change("other", 5000)
    refused = {**estate.pools, "middle": {**estate.pools["middle"], "start_workers": 9}}
    daemon.pools = refused
    daemon.hup("reload refused")
    control_of(daemon).ask("reload --dry-run")
    daemon.pools = dict(estate.pools)
    daemon.write_config()
    assert control_of(daemon).do("reload --dry-run")["changes"]
    estate.pools["other"] = present
    estate.secrets["other"].reverse()
    restart_all(daemon, estate)
    estate.check(daemon)


def test_after_upgrades(daemon: Daemon, estate: Estate) -> None:
    for _ in range(2):
        control_of(daemon).do("upgrade", timeout=30)
        restart_all(daemon, estate)
        estate.check(daemon)


def test_after_an_upgrade_that_was_refused(daemon: Daemon, estate: Estate) -> None:
    control_of(daemon).refused("upgrade /bin/false", "refused")
    restart_all(daemon, estate)
    estate.check(daemon)


def test_of_a_pool_that_closes(daemon: Daemon, estate: Estate) -> None:
    """Its configuration is its own then, also in an upgrade."""
    with connect(str(estate.pools["long"]["listen"])):  # its handler waits for a line
        wait_until(lambda: control_of(daemon).pool("long")["counts"]["busy"] == 1, "a request")
        del estate.pools["long"]
        reload(daemon, estate)
        for _ in range(2):
            restart_all(daemon, estate)
            estate.check(daemon)
            control_of(daemon).do("upgrade", timeout=30)


def test_while_somebody_reads_the_configuration(daemon: Daemon, estate: Estate) -> None:
    """Root gets all of it, but slowly: the rest waits in the master, and goes over an upgrade with it."""
    control = control_of(daemon)
    for name in ("short", "middle", "long"):
        estate.change(name, 120000)
    reload(daemon, estate)
    for steps in (["restart"], ["upgrade"], ["restart", "upgrade", "restart"]):
        begun = time.monotonic()
        with control.connect() as client:
            client.sendall(b"config\n")
            for step in steps:
                if step == "upgrade":
                    control.do("upgrade", timeout=30)
                else:
                    restart_all(daemon, estate)
                    estate.check(daemon)
            reply = read_all(client)
        assert len(reply) > 200000, "as much as a socket holds"
        if time.monotonic() < begun + 9:  # the daemon waits for ten seconds
            assert len(reply) > 3 * 120000, "more than a socket holds"
            assert all(secrets[-1].value.encode() in reply for secrets in estate.secrets.values())
    restart_all(daemon, estate)
    estate.check(daemon)


def test_what_members_of_control_group_see(preforkd: Start, estate: Estate) -> None:
    """The names of variables; root sees the values."""
    daemon = preforkd(estate.pools, master={"control_group": "games"}, control=True)
    control = control_of(daemon)
    shown = json.loads(control.ask_as("config", "nobody", [grp.getgrnam("games").gr_gid]))["config"]
    assert shown.count("FIRST=*** PASSWORD=*** LAST=***") == len(estate.pools)
    assert not any(secrets[-1].mark in shown for secrets in estate.secrets.values())
    whole = control.do("config")["config"]
    assert all(secrets[-1].mark in whole for secrets in estate.secrets.values())


def test_problems_do_not_quote_values(preforkd: Start, estate: Estate) -> None:
    """They are logged, and shown to members of control_group. A value with blanks and without quotes is a likely one."""
    daemon = preforkd(estate.pools, control=True)
    for value in ("PASSWORD=open s3cret", "PASSWORD='open s3cret", "PASSWORD=open\n  s3cret=1 s3cret=2"):
        daemon.pools["short"]["environment"] = None
        daemon.write_config()
        text = daemon.config.read_text()
        daemon.write_raw_config(text.replace("[middle]", f"environment = {value}\n\n[middle]"))
        reply = control_of(daemon).refused("reload", "refused")
        assert reply["problems"]
        if "=1" not in value:  # the name of a variable is no secret
            assert "s3cret" not in json.dumps(reply)
            assert not any("s3cret" in line for line in daemon.log_path.read_text().splitlines())


def descendants(pid: int) -> list[int]:
    return [pid, *(found for child in children(pid) for found in descendants(child))]


@pytest.mark.parametrize("how", ["test", "reload"])
def test_a_module_that_is_tried(preforkd: Start, tmp_path: Path, how: str) -> None:
    """The process that loads it, to see whether it can be loaded, has no secret of another pool."""
    secrets = {name: Secret(length) for name, length in (("before", 200), ("zafter", 30000))}
    pools: dict[str, dict[str, object]] = {
        name: {"listen": tcp4(), "handler": "/bin/cat", "environment": [f"PASSWORD={secret.value}"]}
        for name, secret in secrets.items()}
    hanging = {"listen": tcp4(), "handler_type": "module", "handler": [module("bad_hangs", tmp_path)]}
    daemon = preforkd(pools, control=True)
    if is_sanitized(daemon.pid):
        pytest.skip("a sanitizer keeps what was freed")
    daemon.pools["middle"] = hanging
    daemon.write_config()
    if how == "test":
        process = subprocess.Popen([BINARY, "-t", "-c", daemon.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        top = process.pid
    else:
        daemon.send_signal(signal.SIGHUP)
        top = daemon.pid
    try:
        loading = wait_until(lambda: [pid for pid in descendants(top) if "module_bad_hangs.so" in maps_of(pid)],
                             "a process that loads it")
        [pid] = loading
        for name, secret in secrets.items():
            places = [place for place, content in memory_of(pid).items() if secret.is_in(content)]
            assert not places, f"the secret of {name} is in {places}"
    finally:
        if how == "test":
            process.wait(30)
        else:
            daemon.wait_message("reload refused")


def maps_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:  # it has ended
        return ""


def test_values_of_environment_files(preforkd: Start, tmp_path: Path) -> None:
    """… are as secret, also after a reload that reads them again."""
    secrets = [Secret(64), Secret(64)]
    path = tmp_path / "variables"
    path.write_text(f"PASSWORD={secrets[0].value}\n")
    pools = {name: {"listen": tcp4(), "handler": ["/bin/sh", "-c", 'read x; echo "$PASSWORD"'], "scaling": "static",
                    "max_workers": 1} for name in ("own", "other")}
    pools["own"]["environment_file"] = path
    daemon = preforkd(pools, control=True)
    if is_sanitized(daemon.pid):
        pytest.skip("a sanitizer keeps what was freed")

    def check(at: int) -> None:
        for name, worker in ((name, daemon.wait_workers(1, name)[0]) for name in pools):
            places = [place for place, content in memory_of(worker).items() if secrets[at].is_in(content)]
            assert bool(places) == (name == "own"), (name, places)

    check(0)
    path.write_text(f"PASSWORD={secrets[1].value}\n")
    daemon.hup("reloaded")
    wait_until(lambda: request(str(pools["own"]["listen"]), b"x\n") == secrets[1].value.encode() + b"\n", "the new value")
    wait_until(lambda: not control_of(daemon).pool("own")["counts"]["old"], "the end of the old workers")
    control_of(daemon).do("restart other")
    wait_until(lambda: (counts := control_of(daemon).pool("other")["counts"])["idle"] == 1 and not counts["old"]
               and not counts["retiring"], "new workers")
    check(1)
    assert not [place for worker in daemon.wait_workers(1, "other") for place, content in memory_of(worker).items()
                if secrets[0].is_in(content)]
