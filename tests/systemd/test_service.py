"""preforkd.service through its life: start, reload, restart, stop, watchdog, kill; and what clients see of it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from daemon import SLOW, Pools, connect, free_port, read_all, refuses, request, tcp4, wait_until
from machine import Machine
from messages import message_ids

WAIT = "/usr/local/libexec/preforkd/handler_wait"


def cat(listen: str, **options: str | int) -> Pools:
    return {"www": {"listen": listen, "handler": "/bin/cat", **options}}


# --- start ----------------------------------------------------------------------------------------------------------

def test_start_ready_and_status(machine: Machine) -> None:
    address = tcp4()
    machine.configure(cat(address, scaling="static", max_workers=3))
    machine.systemctl("start", "preforkd")
    assert request(address, b"x") == b"x", "started means served"
    assert machine.status() == "1 pool, 3 workers"
    assert machine.show("preforkd", "NFileDescriptorStore") == "1"


def test_a_bad_configuration_fails_the_start_once(machine: Machine) -> None:
    machine.configure(cat(tcp4(), max_workers="many"))
    assert machine.systemctl("start", "preforkd", check=False).returncode != 0
    assert "preforkd.conf:9: max_workers: " in machine.status()
    assert machine.show("preforkd", "StatusErrno") == "22"
    assert machine.show("preforkd", "ExecMainStatus") == "78"
    assert machine.show("preforkd", "NRestarts") == "0" and machine.show("preforkd", "ActiveState") == "failed"


def test_no_pool_is_no_failure(machine: Machine) -> None:
    """As after the installation: enabled, started at boot, and nothing is configured yet."""
    machine.configure({})
    machine.systemctl("start", "preforkd")
    wait_until(lambda: machine.show("preforkd", "ActiveState") == "inactive", "its end")
    assert machine.systemctl("is-failed", "preforkd", check=False).stdout == "inactive\n"

    def times_refused() -> int:
        return [record.get("MESSAGE_ID") for record in machine.journal()].count(message_ids()["start refused"])

    wait_until(times_refused, "the record")  # the journal may get it a moment after the end
    assert times_refused() == 1, "once"
    address = tcp4()
    machine.configure(cat(address))
    machine.systemctl("start", "preforkd")
    assert request(address, b"x") == b"x"


def test_no_pool_that_can_serve_fails_the_start(machine: Machine) -> None:
    """And one that can is enough, with the other in STATUS. Only a worker finds out that it cannot set its groups."""
    machine.drop_in("preforkd.service", "[Service]\nRestart=no\nSystemCallFilter=~setgroups\nSystemCallErrorNumber=EPERM\n")
    bad = {"listen": tcp4(), "handler": "/bin/cat", "user": "nobody", "supplementary_groups": "daemon"}
    machine.configure({"bad": bad})
    assert machine.systemctl("start", "preforkd", check=False).returncode != 0
    assert machine.status().startswith("Not started: no pool can serve")
    good = {"www": {"listen": tcp4(), "handler": "/bin/cat", "user": "root", "supplementary_groups": ""}}
    machine.configure({**good, "bad": bad})
    machine.systemctl("start", "preforkd")
    assert "; bad backing off after " in machine.status()


# --- the journal ----------------------------------------------------------------------------------------------------

def test_the_catalog_explains_records(machine: Machine) -> None:
    """As installed by meson: journalctl -x shows what a record means, with the record's own fields in it."""
    machine.run("journalctl", "--update-catalog")
    listed = machine.run("journalctl", "--list-catalog").stdout
    for kind, message_id in message_ids().items():
        assert message_id in listed, kind
    address = tcp4()
    machine.configure(cat(address, max_workers=1, max_spare_workers=1))
    machine.systemctl("start", "preforkd")
    with connect(address), connect(address):
        wait_until(lambda: any(record.get("MESSAGE_ID") == message_ids()["saturated"] for record in machine.journal()),
                   "the record")
    explained = machine.run("journalctl", "-x", "--no-pager", f"MESSAGE_ID={message_ids()['saturated']}").stdout
    assert "Subject: Pool www is saturated" in explained and "preforkctl scale www max_workers=N" in explained
    assert "Defined-By: preforkd" in explained and "Documentation: man:preforkd.conf(5)" in explained


def test_logs(machine: Machine) -> None:
    """`preforkctl logs` on a real journal: selected, counted, coloured, followed, and refused."""
    www, mail = tcp4(), tcp4()
    machine.configure({**cat(www, max_workers=1, max_spare_workers=1), "mail": {"listen": mail, "handler": "/bin/cat"}})
    machine.systemctl("start", "preforkd")
    with connect(www), connect(www):
        wait_until(lambda: any(record.get("MESSAGE_ID") == message_ids()["saturated"] for record in machine.journal()),
                   "the record")

    def logs(*arguments: str) -> list[str]:
        return machine.run("preforkctl", "logs", *arguments).stdout.splitlines()

    everything = logs("-n", "all")
    assert re.match(rf"[A-Z][a-z]{{2}} \d\d \d\d:\d\d:\d\d\.\d{{3}} preforkd\[{machine.main_pid()}\]: ", everything[-1])
    assert logs() == everything[-10:] and logs("-n", "3") == everything[-3:]
    assert logs("--since", "-1h") == everything == logs("--since=today", "-n999999")
    assert logs("mail", "-n", "all") == [line for line in everything if "]: pool mail: " in line] != []
    saturated = logs("-p", "warning", "www", "-n", "1")
    assert re.search(r"\]: warning: pool www: saturated: ", saturated[0])
    assert not [line for line in logs("-p", "notice", "-n", "all") if "listening on" in line]
    assert [line for line in everything if "listening on" in line]
    none = machine.run("preforkctl", "logs", "nobody")
    assert none.stdout == "" and none.stderr == "preforkctl: no such records\n"
    refused = machine.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "preforkctl", "logs", check=False)
    assert refused.returncode == 4 and "you may not read the journal" in refused.stderr and refused.stdout == ""
    show = 'script -qec "preforkctl logs www -p warning -n 1" /dev/null'
    assert "\x1b[1;33mwarning: " in machine.run("env", "-u", "NO_COLOR", "TERM=xterm", "sh", "-c", show).stdout
    assert "\x1b" not in machine.run("env", "NO_COLOR=1", "TERM=xterm", "sh", "-c", show).stdout


def test_logs_that_are_followed(machine: Machine) -> None:
    machine.configure(cat(tcp4()))
    machine.systemctl("start", "preforkd")
    machine.run("journalctl", "--sync")
    with machine.start("preforkctl", "logs", "-f", "-n", "1") as follower:
        assert follower.stdout
        follower.stdout.readline()
        machine.systemctl("reload", "preforkd")
        while "reloaded: " not in (line := follower.stdout.readline()):
            assert line, "it goes on"
        follower.stdout.close()  # whoever reads has seen enough: it ends without another record to find that out by
        assert follower.wait(20 * SLOW) == 0


# --- a log file -----------------------------------------------------------------------------------------------------

LOG_FILE = "/var/log/preforkd/preforkd.log"


def test_a_log_file_in_the_sandbox(machine: Machine) -> None:
    """In the directory that the unit makes, by root without capabilities; the journal has what the file cannot take. Its
    process ends with the daemon, and outlives its death for as long as it has something to write."""
    address = tcp4()
    machine.configure(cat(address), {"log_target": f"file:{LOG_FILE}", "control": None})
    machine.systemctl("start", "preforkd")
    assert request(address, b"x") == b"x"
    path = machine.path(LOG_FILE)
    first = machine.main_pid()
    assert path.stat().st_mode & 0o7777 == 0o640 and "preforkd: preforkd " in path.read_text()
    path.rename(path.with_suffix(".1"))
    assert machine.run("preforkctl", "reopen-logs").stdout == f"{LOG_FILE}: opened anew\n"
    machine.kill(first)
    wait_until(lambda: machine.main_pid() not in (0, first), "the next daemon")
    wait_until(lambda: " ready: 1 pool" in path.read_text(), "its records")
    machine.systemctl("stop", "preforkd")
    assert path.read_text().endswith("preforkd: stopped\n")
    assert machine.run("pgrep", "-f", "^preforkd: log", check=False).stdout == ""
    assert not [record for record in machine.journal() if "ready: 1 pool" in str(record.get("MESSAGE"))]


# --- reload ---------------------------------------------------------------------------------------------------------

def test_reload_good_and_bad(machine: Machine) -> None:
    first, second = tcp4(), tcp4()
    machine.configure(cat(first))
    machine.systemctl("start", "preforkd")
    pid = machine.main_pid()
    machine.configure(cat(f"{first} {second}"))
    machine.systemctl("reload", "preforkd")
    assert request(second, b"x") == b"x", "the reload is over when systemctl says so"
    assert machine.status().startswith("Reload 1 applied. 1 pool,")
    machine.configure(cat(first, max_workers="x"))
    assert machine.systemctl("reload", "preforkd", check=False).returncode != 0
    assert machine.status().startswith("Reload 2 refused: /usr/local/etc/preforkd/preforkd.conf:9: max_workers: ")
    assert request(first, b"x") == request(second, b"x") == b"x"
    taken = socket.create_server(("127.0.0.1", 0))
    with taken:  # what only the daemon itself can find out
        machine.configure(cat(f"127.0.0.1:{taken.getsockname()[1]}"))
        assert machine.systemctl("reload", "preforkd", check=False).returncode != 0
    assert "somebody else listens there" in machine.status()
    machine.configure(cat(first))
    machine.systemctl("reload", "preforkd")
    assert machine.show("preforkd", "ActiveState") == "active" and machine.main_pid() == pid
    assert machine.show("preforkd", "NFileDescriptorStore") == "1"


def test_reload_by_hand_is_seen(machine: Machine) -> None:
    machine.configure(cat(tcp4()))
    machine.systemctl("start", "preforkd")
    machine.systemctl("kill", "--kill-whom=main", "--signal=HUP", "preforkd")
    wait_until(lambda: machine.status().startswith("Reload 1 applied"), "the reload")
    wait_until(lambda: machine.show("preforkd", "ActiveState") == "active", "active again")


def test_owners_of_sockets_change_without_cap_fowner(machine: Machine) -> None:
    path = "/run/preforkd/www.sock"
    options = {"socket_user": "nobody", "socket_mode": "0600"}
    machine.configure(cat(path, **options))
    machine.systemctl("start", "preforkd")
    machine.configure(cat(path, **{**options, "socket_mode": "0666"}))
    machine.systemctl("reload", "preforkd")
    assert machine.run("stat", "-c", "%U %a", path).stdout == "nobody 666\n"
    machine.configure(cat(path, **options))
    machine.systemctl("restart", "preforkd")
    assert machine.run("stat", "-c", "%U %a", path).stdout == "nobody 600\n"
    assert request(str(machine.path(path)), b"x") == b"x"


def test_files_of_others_without_cap_dac_override(machine: Machine) -> None:
    """What preforkd(8) says that the bounding set costs the master, and its ways out."""
    machine.run("sh", "-ec", "rm -rf /run/www; mkdir -m 755 /run/www; chown nobody: /run/www")
    machine.configure(cat("/run/www/www.sock"))
    machine.drop_in("preforkd.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=no\n")

    def start() -> str:
        """OK, or why not."""
        if machine.systemctl("start", "preforkd", check=False).returncode != 0:
            return machine.status()
        machine.systemctl("stop", "preforkd")
        return "OK"

    assert "cannot open /run/www/www.sock: permission denied" in start()
    machine.run("sh", "-ec", "chgrp root /run/www; chmod 775 /run/www")
    assert start() == "OK"
    machine.run("sh", "-ec", "chmod 755 /run/www; chown root: /run/www")
    assert start() == "OK"
    machine.run("chown", "nobody:", "/run/www")
    machine.drop_in("preforkd.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=no\nCapabilityBoundingSet=CAP_DAC_OVERRIDE\n")
    assert start() == "OK"
    machine.drop_in("preforkd.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=no\n")
    machine.configure(cat(tcp4()))
    machine.run("sh", "-ec", "cd /usr/local/etc/preforkd; chown nobody: preforkd.conf; chmod 600 preforkd.conf")
    assert "Permission denied" in start()
    machine.run("chown", "root:", "/usr/local/etc/preforkd/preforkd.conf")
    assert start() == "OK"


# --- clients that must not notice -----------------------------------------------------------------------------------

class Clients:
    """Clients that come one after the other, several at a time; who was not served is an error."""

    def __init__(self, addresses: list[str], each: int) -> None:
        self.served = {address: 0 for address in addresses}
        self.errors: list[str] = []
        self.slowest = 0.0
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.knock, args=(address,)) for address in addresses for _ in range(each)]

    def knock(self, address: str) -> None:
        while not self.stop.is_set():
            start = time.monotonic()
            try:
                reply = request(address, b"hello", timeout=60)
                if reply == b"hello":
                    self.served[address] += 1
                else:
                    self.errors.append(f"{address}: {reply!r} after {time.monotonic() - start:.2f} s")
            except OSError as error:
                self.errors.append(f"{address}: {error} after {time.monotonic() - start:.2f} s")
            self.slowest = max(self.slowest, time.monotonic() - start)

    def wait_for_more(self, count: int = 30) -> None:
        """Every address has served so many more."""
        before = dict(self.served)
        wait_until(lambda: self.errors or all(self.served[address] >= before[address] + count for address in before),
                   "more requests", 60)


@contextmanager
def clients(*addresses: str, each: int = 2) -> Iterator[Clients]:
    group = Clients(list(addresses), each)
    for thread in group.threads:
        thread.start()
    try:
        group.wait_for_more()
        yield group
        group.wait_for_more()
    finally:
        group.stop.set()
        for thread in group.threads:
            thread.join()
    assert not group.errors, group.errors[:10]


def restart(machine: Machine) -> None:
    machine.systemctl("restart", "preforkd")


def kill_master(machine: Machine) -> None:
    pid = machine.main_pid()
    machine.kill(pid)
    wait_until(lambda: machine.main_pid() not in (0, pid) and machine.show("preforkd", "ActiveState") == "active",
               "a new master", 20)


@pytest.mark.parametrize("how", [restart, kill_master], ids=["restart", "kill"])
def test_no_client_is_refused(machine: Machine, how: Callable[[Machine], None]) -> None:
    """TCP and UNIX, several times, under load: whoever connects meanwhile waits and is served."""
    address, path = tcp4(), "/run/preforkd/www.sock"
    machine.drop_in("preforkd.service", "[Unit]\nStartLimitIntervalSec=0\n")
    machine.configure({"www": {"listen": f"{address} {path}", "handler": "/bin/cat", "socket_mode": "0666"},
                       "one": {"listen": "@one", "handler": "/bin/cat"}})
    machine.systemctl("start", "preforkd")
    with clients(address, str(machine.path(path)), "@one") as group:
        for _ in range(3):
            how(machine)
            group.wait_for_more()
    assert machine.show("preforkd", "NFileDescriptorStore") == "3"
    machine.systemctl("stop", "preforkd")
    assert refuses(address) and refuses(str(machine.path(path))), "a stop is a stop"


@pytest.mark.parametrize("address", ["tcp", "@full"])
def test_a_restart_of_a_full_pool(machine: Machine, address: str) -> None:
    """More clients than workers, all the time: the queue never is empty, and a restart is quick all the same."""
    address = tcp4() if address == "tcp" else address
    machine.configure({"www": {"listen": address, "handler": f"{WAIT} 200", "max_workers": 2, "max_spare_workers": 2}})
    machine.systemctl("start", "preforkd")
    stop = threading.Event()
    failures: list[str] = []

    def knock() -> None:
        while not stop.is_set():
            try:
                if len(request(address, timeout=60).split()) != 4:
                    failures.append("no reply")
            except OSError as error:
                failures.append(str(error))

    threads = [threading.Thread(target=knock) for _ in range(10)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        start = time.monotonic()
        machine.systemctl("restart", "preforkd")
        assert time.monotonic() - start < 8 * SLOW
        time.sleep(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:10]


def test_requests_outlive_the_master(machine: Machine) -> None:
    """kill -9 while 8 clients are being served: none is lost, and the next ones are served by the successor."""
    address = tcp4()
    machine.configure({"www": {"listen": address, "handler": f"{WAIT} {int(3000 * SLOW)}", "max_workers": 16,
                               "scaling": "static"}})
    machine.systemctl("start", "preforkd")
    busy = [connect(address, 30) for _ in range(8)]
    wait_until(lambda: len(machine.run("pgrep", "-x", "handler_wait", check=False).stdout.split()) == 8, "8 handlers")
    kill_master(machine)
    with connect(address, 30) as later:
        assert len(read_all(later).split()) == 4
    answers = [read_all(client) for client in busy]
    for client in busy:
        client.close()
    assert [len(answer.split()) for answer in answers] == [4] * 8
    assert len({answer.split()[1] for answer in answers}) == 8


def test_a_stop_waits_for_requests(machine: Machine) -> None:
    """Longer than TimeoutStopSec=: the manager is told that it takes so long."""
    address = tcp4()
    machine.drop_in("preforkd.service", "[Service]\nTimeoutStopSec=2s\n")
    machine.configure({"www": {"listen": address, "handler": f"{WAIT} {int(6000 * SLOW)}"}}, {"shutdown_timeout": "60s"})
    machine.systemctl("start", "preforkd")
    with connect(address, 30) as client:
        wait_until(lambda: machine.run("pgrep", "-x", "handler_wait", check=False).stdout, "the handler")
        stopping = threading.Thread(target=machine.systemctl, args=("stop", "preforkd"))
        stopping.start()
        wait_until(lambda: machine.status().startswith("Stopping. "), "STATUS=Stopping")
        assert len(read_all(client).split()) == 4
        stopping.join()
    assert machine.show("preforkd", "Result") == "success"
    assert "State 'stop-sigterm' timed out" not in machine.run("journalctl", "--no-pager").stdout


# --- upgrade ----------------------------------------------------------------------------------------------------------

def test_upgrade_in_place(machine: Machine) -> None:
    """A package replaces the file; the process of the unit goes on with it, in the unit's sandbox, and under load."""
    machine.drop_in("preforkd.service", f"[Service]\nWatchdogSec={4 * SLOW:g}s\n")
    tcp, path = tcp4(), "/run/preforkd/www.sock"
    machine.configure(cat(f"{tcp} {path}", socket_mode="0666"), {"control": "/run/preforkd/control.sock"})
    machine.systemctl("start", "preforkd")
    pid = machine.main_pid()
    with clients(tcp, str(machine.path(path))) as group:
        for number in range(1, 6):
            machine.run("sh", "-c", "cp /usr/local/sbin/preforkd /usr/local/sbin/new && "
                        "mv /usr/local/sbin/new /usr/local/sbin/preforkd")
            if number % 2:
                machine.systemctl("kill", "--kill-whom=main", "--signal=USR2", "preforkd")
            else:
                machine.run("preforkctl", "upgrade")
            wait_until(lambda count=number: sum("has taken over" in record["MESSAGE"]  # type: ignore[misc]
                                                for record in machine.journal()) == count, "the next program")
            group.wait_for_more(5)
    file = "/usr/local/sbin/preforkd"
    assert machine.run("stat", "-Lc", "%i", f"/proc/{pid}/exe").stdout == machine.run("stat", "-c", "%i", file).stdout
    wait_until(lambda: machine.status().startswith("Upgraded from "), "STATUS")
    time.sleep(5 * SLOW)  # longer than the watchdog would wait
    machine.systemctl("reload", "preforkd")
    assert machine.main_pid() == pid and machine.show("preforkd", "NFileDescriptorStore") == "2"
    refused = machine.run("preforkctl", "upgrade", "/bin/true", check=False)
    assert refused.returncode == 1 and machine.main_pid() == pid
    with clients(tcp, str(machine.path(path))):
        machine.systemctl("restart", "preforkd")
    assert machine.main_pid() != pid and machine.show("preforkd", "NFileDescriptorStore") == "2"


# --- watchdog -------------------------------------------------------------------------------------------------------

def test_watchdog_ends_a_stopped_master(machine: Machine) -> None:
    """SIGSTOP: within WatchdogSec= it is killed; a successor serves, and the request in flight ends well."""
    address = tcp4()
    machine.drop_in("preforkd.service", f"[Service]\nWatchdogSec={2 * SLOW:g}s\nLimitCORE=0\n")
    machine.configure({"www": {"listen": address, "handler": f"{WAIT} {int(5000 * SLOW)}"},
                       "cat": {"listen": f"127.0.0.1:{free_port()}", "handler": "/bin/cat"}})
    machine.systemctl("start", "preforkd")
    pid = machine.main_pid()
    time.sleep(3 * SLOW)
    assert machine.main_pid() == pid, "a healthy one is left alone"
    with connect(address, 60) as client:
        wait_until(lambda: machine.run("pgrep", "-x", "handler_wait", check=False).stdout, "the handler")
        machine.kill(pid, signal.SIGSTOP)
        wait_until(lambda: machine.main_pid() not in (0, pid) and machine.show("preforkd", "ActiveState") == "active",
                   "a new master", 20)
        assert len(read_all(client).split()) == 4
    assert any("Watchdog timeout" in record["MESSAGE"] for record in machine.journal())
    with connect(address, 60) as client:
        assert len(read_all(client).split()) == 4


def test_in_systemd_runs_a_command(machine: Machine) -> None:
    """The runner by itself: output, exit status, and a machine of its own beside this one."""
    from machine import HERE  # pylint: disable=import-outside-toplevel
    result = subprocess.run([HERE / "in-systemd", "sh", "-c", "cat /proc/1/comm; exit 7"], capture_output=True, text=True,
                            check=False, timeout=90 * SLOW)
    assert (result.returncode, result.stdout) == (7, "systemd\n"), result.stderr
