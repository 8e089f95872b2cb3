"""The units themselves: what systemd says of them, and what runs in their sandbox."""

from __future__ import annotations

import platform
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from daemon import SLOW, request, tcp4
from datagrams import Client
from machine import Machine

UNITS = "/usr/local/lib/systemd/system"
EXPOSURE_MAX = 28  # tenths


def test_verify_is_clean(machine: Machine) -> None:
    machine.configure({"www": {"listen": tcp4(), "handler": "/bin/cat"}})
    for unit in ("preforkd.service", "preforkd@x.service", "preforkd@x.socket"):
        result = machine.run("systemd-analyze", "verify", "--man=no", unit)
        assert result.stdout + result.stderr == "", unit


@pytest.mark.parametrize("unit", ["preforkd.service", "preforkd@.service"])
def test_exposure(machine: Machine, unit: str) -> None:
    result = machine.run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager",
                         f"{UNITS}/{unit}", check=False)
    assert result.returncode == 0, result.stdout.splitlines()[-1]


def test_users_and_directories(machine: Machine) -> None:
    assert machine.run("id", "-un", "preforkd").stdout == "preforkd\n"
    assert machine.path("/run/preforkd").is_dir()


PERL = 'use POSIX; use Socket; my $line = <STDIN>; print "perl $line" . join(",", map { $_ * 2 } 1..3), "\\n";'
PYTHON = "import ctypes, json, os, sys; print('python', sys.stdin.readline().strip(), json.dumps([os.getuid() > 0]))"
# A loop that is hot enough for the tracing JIT, and proof that it made code.
PHP = ('fgets(STDIN); $t = 0; for ($i = 0; $i < 2000000; $i++) { $t += $i % 7; } $s = opcache_get_status(false)["jit"]; '
       'echo "php ", $t, " ", $s["enabled"] && $s["buffer_free"] < $s["buffer_size"] ? "jit" : "no jit", "\\n";')


@pytest.mark.parametrize(("program", "arguments", "expected"), [
    ("perl", ["-e", PERL], b"perl hello\n2,4,6\n"),
    ("python3", ["-c", PYTHON], b"python hello [true]\n"),
    ("php", ["-d", "opcache.enable_cli=1", "-d", "opcache.jit_buffer_size=16M", "-d", "opcache.jit=tracing", "-r", PHP],
     b"php 5999995 jit\n"),
    ("sh", ["-c", "read -r line; mktemp >/dev/null && echo sh $line | sed s/h/H/g | sort"], b"sH Hello\n"),
])
def test_handlers_run_in_the_sandbox(machine: Machine, program: str, arguments: list[str], expected: bytes) -> None:
    path = shutil.which(program, path="/usr/bin:/bin")
    if not path:
        pytest.skip(f"needs {program}")
    machine.write("/usr/local/libexec/preforkd/script", "#!/bin/sh\nexec " + " ".join(
        "'" + word.replace("'", "'\\''") + "'" for word in [path, *arguments]) + "\n", 0o755)
    address = tcp4()
    machine.configure({"www": {"listen": address, "handler": "/usr/local/libexec/preforkd/script", "user": "preforkd"}})
    machine.systemctl("start", "preforkd")
    assert request(address, b"hello\n") == expected


START_METHODS = {"exec": {"start_method": "exec"}, "forkserver": {"start_method": "forkserver"},
                 "snapshot": {"start_method": "snapshot"},
                 "forkserver-rollback": {"start_method": "forkserver", "copy": "rollback"},
                 "snapshot-rollback": {"start_method": "snapshot", "copy": "rollback"}}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="snapshot and rollback are for x86-64")
@pytest.mark.parametrize("program", ["perl", "python3", "cat"])
def test_handlers_that_start_once_run_in_the_sandbox(machine: Machine, program: str) -> None:
    """The unit's filter of system calls is no obstacle, and the memory of rollback is tracked there, too."""
    scripts = {"perl": f"#!/usr/bin/perl\n{PERL}\n", "python3": f"#!/usr/bin/python3\n{PYTHON}\n", "cat": "#!/bin/sh\nexec cat\n"}
    expected = {"perl": b"perl hello\n2,4,6\n", "python3": b"python hello [true]\n", "cat": b"hello\n"}
    machine.write("/usr/local/libexec/preforkd/script", scripts[program], 0o755)
    pools = {name: {"listen": tcp4(), "handler": "/usr/local/libexec/preforkd/script", "user": "preforkd", **keys}
             for name, keys in START_METHODS.items()}
    machine.configure(pools)
    machine.systemctl("start", "preforkd")
    for _ in range(3):
        for name, pool in pools.items():
            assert request(str(pool["listen"]), b"hello\n") == expected[program], name


def test_git_is_cloned_from_the_sandbox(machine: Machine) -> None:
    """git daemon --inetd serves a repository and takes a push."""
    git_daemon = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip(),
                      "git-daemon")
    machine.run("sh", "-ec", """
        export HOME=/root; rm -rf /srv/git /root/work; mkdir -p /srv/git /root/work; cd /root/work; git init -q .
        git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one; git clone -q --bare . /srv/git/x.git
        chown -R preforkd: /srv/git""")
    address = tcp4()
    machine.configure({"git": {"listen": address, "user": "preforkd", "environment": "HOME=/nonexistent", "handler":
                               f"{git_daemon} --inetd --log-destination=stderr --export-all --enable=receive-pack --base-path=/srv/git /srv/git"}})
    machine.systemctl("start", "preforkd")
    machine.run("sh", "-ec", f"""
        export HOME=/root; cd /root; rm -rf clone; git clone -q git://{address}/x.git clone; cd clone
        git -c user.name=a -c user.email=a@b commit -q --allow-empty -m two; git push -q origin HEAD""")
    assert machine.run("sh", "-c", "HOME=/root git -c safe.directory='*' -C /srv/git/x.git log --format=%s").stdout == "two\none\n"


def test_nothing_of_the_manager_reaches_a_handler(machine: Machine) -> None:
    env, descriptors = tcp4(), tcp4()
    machine.configure({"env": {"listen": env, "handler": "/usr/bin/env", "clear_environment": False},
                       "fds": {"listen": descriptors, "handler": "/bin/ls /proc/self/fd"}})
    machine.systemctl("start", "preforkd")
    names = {line.partition("=")[0] for line in request(env).decode().splitlines()}
    assert not [name for name in names if name.startswith(("NOTIFY_", "LISTEN_", "WATCHDOG_", "FDSTORE", "INVOCATION",
                                                           "JOURNAL_", "RUNTIME_DIRECTORY", "SYSTEMD_"))], names
    assert request(descriptors).split() == [b"0", b"1", b"2", b"3"]


def test_instances(machine: Machine) -> None:
    """One configuration an instance, with a pools.d of its own; they do not notice each other."""
    one, two, more = tcp4(), tcp4(), tcp4()
    machine.configure({"www": {"listen": one, "handler": "/bin/cat"}}, instance="one")
    machine.configure({"www": {"listen": two, "handler": "/bin/cat"}}, instance="two")
    machine.write("/usr/local/etc/preforkd/two/pools.d/more.conf",
                  f"[more]\nlisten = {more}\nhandler = /bin/cat\nuser = nobody\n")
    machine.systemctl("start", "preforkd@one", "preforkd@two")
    assert machine.status("preforkd@one").startswith("1 pool,") and machine.status("preforkd@two").startswith("2 pools,")
    machine.systemctl("stop", "preforkd@one")
    assert request(two, b"x") == request(more, b"y").replace(b"y", b"x") == b"x"
    machine.systemctl("reload", "preforkd@two")
    assert machine.status("preforkd@two").startswith("Reload 1 applied. 2 pools,")


def unix(machine: Machine, name: str) -> str:
    """A socket of preforkd@NAME.socket as it is reached from here."""
    return str(machine.path(f"/run/preforkd/{name}.sock"))


def test_socket_activation(machine: Machine) -> None:
    machine.configure({"www": {"listen": "systemd:web", "handler": "/bin/cat"}}, instance="web")
    machine.systemctl("start", "preforkd@web.socket")
    assert machine.show("preforkd@web.service", "ActiveState") == "inactive"
    for _ in range(2):  # and again after a stop: the socket waits on
        assert request(unix(machine, "web"), b"hello") == b"hello"
        assert machine.show("preforkd@web.service", "ActiveState") == "active"
        machine.systemctl("stop", "preforkd@web.service")
    machine.systemctl("start", "preforkd@web.service")
    before = machine.main_pid("preforkd@web.service")
    machine.systemctl("restart", "preforkd@web.service")
    assert machine.main_pid("preforkd@web.service") != before
    assert request(unix(machine, "web"), b"hello") == b"hello"


def test_socket_activation_by_tcp_with_its_unit_s_options(machine: Machine) -> None:
    address = tcp4()
    machine.configure({"www": {"listen": "systemd:web", "handler": "/bin/cat"}}, instance="web")
    machine.drop_in("preforkd@web.socket", f"[Socket]\nListenStream=\nListenStream={address}\nBacklog=77\nNoDelay=yes\n")
    machine.systemctl("start", "preforkd@web.socket")
    assert request(address, b"hello") == b"hello"
    assert any(f"listening on systemd:web ({address}), backlog 77" in record["MESSAGE"]
               for record in machine.journal("preforkd@web.service"))


def test_a_socket_unit_for_datagrams(machine: Machine) -> None:
    address = tcp4()
    machine.configure({"www": {"listen": "systemd:web", "handler_type": "builtin", "handler": "echo"}}, instance="web")
    machine.drop_in("preforkd@web.socket", f"[Socket]\nListenStream=\nListenDatagram={address}\n")
    machine.systemctl("start", "preforkd@web.socket")
    with Client(f"udp:{address}") as client:
        for _ in range(2):  # and again after a stop: the socket waits on
            client.send(b"x")
            assert client.socket.recv(10) == b"x"
            machine.systemctl("stop", "preforkd@web.service")
    assert any(f"listening on systemd:web (udp:{address}), for datagrams" in record["MESSAGE"]
               for record in machine.journal("preforkd@web.service"))


def test_a_socket_unit_that_does_not_fit(machine: Machine) -> None:
    """Missing and unused ones are errors with file and line, in STATUS and in the journal."""
    machine.configure({"www": {"listen": "systemd:nobody", "handler": "/bin/cat"}}, instance="web")
    assert machine.systemctl("start", "preforkd@web.service", check=False).returncode != 0
    assert 'preforkd.conf:7: listen: no socket unit has passed a socket "nobody"' in machine.status("preforkd@web.service")
    machine.systemctl("stop", "preforkd@web.service")  # else Restart= may start it before the socket
    machine.configure({"www": {"listen": tcp4(), "handler": "/bin/cat"}}, instance="web")
    machine.systemctl("start", "preforkd@web.socket")
    assert machine.systemctl("start", "preforkd@web.service", check=False).returncode != 0
    assert 'no pool listens on the socket "web"' in machine.status("preforkd@web.service")


def test_journal_fields(machine: Machine) -> None:
    address = tcp4()
    machine.write("/usr/local/libexec/preforkd/complain", "#!/bin/sh\necho to the log >&2; echo ok; kill -SEGV $PPID\n", 0o755)
    machine.configure({"www": {"listen": address, "handler": "/usr/local/libexec/preforkd/complain", "user": "preforkd",
                               "scaling": "static", "max_workers": 1}}, {"log_level": "debug"})
    machine.systemctl("start", "preforkd")
    request(address)
    deadline = time.monotonic() + 10 * SLOW
    while not [record for record in machine.journal() if "killed by signal" in str(record["MESSAGE"])]:
        assert time.monotonic() < deadline
    ours = [record for record in machine.journal() if record["_COMM"] == "preforkd"]
    assert {record["SYSLOG_IDENTIFIER"] for record in ours} == {"preforkd"}
    assert all("PRIORITY" in record for record in ours)
    stderr = next(record for record in ours if "to the log" in record["MESSAGE"])
    assert stderr["POOL"] == "www" and int(stderr["WORKER_PID"]) > 1
    death = next(record for record in ours if "killed by signal" in record["MESSAGE"])
    assert death["POOL"] == "www" and death["WORKER_PID"] == stderr["WORKER_PID"] and death["GENERATION"] == "1"
    forked = next(record for record in ours if "forked (" in record["MESSAGE"])
    assert forked["REASON"] == "scale"
    machine.configure({"www": {"listen": address, "handler": "/bin/cat", "max_workers": "x"}})
    assert machine.systemctl("reload", "preforkd", check=False).returncode != 0
    problem = next(record for record in machine.journal() if "max_workers: " in record["MESSAGE"] and "CONFIG_LINE" in record)
    assert problem["CONFIG_FILE"] == "/usr/local/etc/preforkd/preforkd.conf" and int(problem["CONFIG_LINE"]) > 1


def test_the_journal_knows_one_identifier(machine: Machine) -> None:
    """Whatever of the unit writes, stderr of handlers and ExecReload= among them; and a refusal is said once."""
    address = tcp4()
    machine.write("/usr/local/libexec/preforkd/complain", "#!/bin/sh\necho to the journal >&2\n", 0o755)
    pool = {"listen": address, "handler": "/usr/local/libexec/preforkd/complain", "user": "preforkd", "stderr": "inherit"}
    machine.configure({"www": pool})
    machine.systemctl("start", "preforkd")
    request(address)
    machine.systemctl("reload", "preforkd")
    machine.configure({"www": {**pool, "max_workers": "x"}})
    assert machine.systemctl("reload", "preforkd", check=False).returncode != 0
    # A reload that cannot even begin: the script's own complaint.
    machine.drop_in("preforkd.service", "[Service]\nExecReload=\nExecReload=/usr/local/libexec/preforkd/reload\n")
    assert machine.systemctl("reload", "preforkd", check=False).returncode != 0
    records = [record for record in machine.journal() if record.get("_SYSTEMD_UNIT") == "preforkd.service"]
    assert {record["SYSLOG_IDENTIFIER"] for record in records} == {"preforkd"}
    assert [record.get("_COMM") for record in records if "max_workers: " in record["MESSAGE"]] == ["preforkd"]
    assert any("to the journal" in record["MESSAGE"] for record in records)
    # Of one that has gone too soon journald knows no name.
    assert any(record.get("_COMM") != "preforkd" for record in records)
