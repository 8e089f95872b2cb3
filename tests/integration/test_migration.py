"""A machine that had xinetd: one xinetd.conf with real services, imported, served, and used by their own clients; and
each directive seen to act."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon import AS_ROOT, BINARY, SLOW, Daemon, clean_environment, free_port, preload_object, run_preforkd, wait_until
from make_repository import CLEAN, make_repository

CTL = BINARY.parents[1] / "ctl/preforkctl"
PROGRAMS = ("git", "svn", "svnserve", "svnadmin", "rsync", "in.tftpd", "tftp", "vsftpd", "curl")
pytestmark = pytest.mark.skipif(not AS_ROOT or not all(map(shutil.which, PROGRAMS)),
                                reason="needs root, git, subversion, rsync, tftpd-hpa, tftp-hpa, vsftpd, curl")
Start = Callable[..., Daemon]

CONFIG = """\
# /etc/xinetd.conf of a machine that is to be replaced
defaults
{{
\tinstances      = 30
\tlog_type       = SYSLOG daemon info
\tlog_on_success = HOST PID
\tbind           = 127.0.0.1
\tflags          = NOLIBWRAP
}}

service git
{{
\ttype        = UNLISTED
\tport        = {git}
\tsocket_type = stream
\twait        = no
\tuser        = nobody
\tserver      = /usr/bin/git
\tserver_args = daemon --inetd --export-all --base-path={files} {files}
}}
service svn
{{
\ttype        = UNLISTED
\tport        = {svn}
\tsocket_type = stream
\twait        = no
\tuser        = nobody
\tserver      = /usr/bin/svnserve
\tserver_args = -i -r {files}
}}
service rsync
{{
\ttype        = UNLISTED
\tport        = {rsync}
\tsocket_type = stream
\twait        = no
\tuser        = root
\tserver      = /usr/bin/rsync
\tserver_args = --daemon --config={files}/rsyncd.conf
}}
service tftp
{{
\ttype        = UNLISTED
\tport        = {tftp}
\tsocket_type = dgram
\tprotocol    = udp
\twait        = yes
\tuser        = root
\tserver      = /usr/sbin/in.tftpd
\tserver_args = --timeout 2 --secure {files}/pub
}}
service ftp
{{
\ttype        = UNLISTED
\tport        = {ftp}
\tsocket_type = stream
\twait        = no
\tuser        = root
\tserver      = /usr/sbin/vsftpd
\tserver_args = {files}/vsftpd.conf
\tflags       = KEEPALIVE NODELAY NOLIBWRAP
}}
service time
{{
\ttype        = INTERNAL UNLISTED
\tport        = {time}
\tsocket_type = stream
\twait        = no
}}
service echo
{{
\ttype        = INTERNAL UNLISTED
\tid          = echo-stream
\tport        = {echo}
\tsocket_type = stream
\twait        = no
}}
service forward
{{
\ttype        = UNLISTED
\tport        = {forward}
\tsocket_type = stream
\twait        = no
\tuser        = nobody
\tredirect    = 127.0.0.1 {echo}
}}
service trusted
{{
\ttype        = UNLISTED
\tport        = {trusted}
\tsocket_type = stream
\twait        = no
\tuser        = nobody
\tserver      = /bin/cat
\tonly_from   = 127.0.0.2 127.0.1.0/24 10.0.0.0
\tno_access   = 127.0.1.7
}}
service one-each
{{
\ttype        = UNLISTED
\tport        = {one_each}
\tsocket_type = stream
\twait        = no
\tuser        = nobody
\tserver      = /bin/cat
\tper_source  = 1
}}
service two
{{
\ttype        = UNLISTED
\tport        = {two}
\tsocket_type = stream
\twait        = no
\tuser        = nobody
\tserver      = /bin/cat
\tinstances   = 2
}}
service slowly
{{
\ttype        = UNLISTED
\tport        = {slowly}
\tsocket_type = stream
\twait        = no
\tuser        = nobody
\tserver      = /bin/cat
\tcps         = 4 10
}}
service surroundings
{{
\ttype         = UNLISTED
\tport         = {surroundings}
\tsocket_type  = stream
\twait         = no
\tuser         = nobody
\tgroup        = daemon
\tserver       = /bin/sh
\tserver_args  = {files}/surroundings
\tenv          = GREETING=hello
\tumask        = 027
\tnice         = 3
\trlimit_files = 77
\trlimit_cpu   = 9
}}
service finger
{{
\tdisable     = yes
\tsocket_type = stream
\twait        = no
\tuser        = nobody
\tserver      = /usr/sbin/in.fingerd
}}
"""
NAMES = ("git", "svn", "rsync", "tftp", "ftp", "time", "echo", "forward", "trusted", "one_each", "two", "slowly",
         "surroundings")
SURROUNDINGS = "echo $GREETING; id -un; id -gn; umask; nice; ulimit -n; ulimit -t\n"
VSFTPD = """\
listen=NO
anonymous_enable=YES
no_anon_password=YES
local_enable=NO
anon_root={files}/pub
secure_chroot_dir={files}/empty
seccomp_sandbox=NO
xferlog_enable=NO
"""


@dataclass
class Machine:
    """What served, and where."""

    files: Path
    ports: dict[str, int]
    imported: str
    daemon: Daemon


def run(*command: str | Path, **options: object) -> str:
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60 * SLOW, env=CLEAN, **options)
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


def make_files(files: Path) -> None:
    """A repository of git, one of Subversion, and files to fetch, for everybody to read."""
    (files / "pub").mkdir(parents=True)
    (files / "pub" / "image").write_bytes(os.urandom(300000))
    (files / "empty").mkdir()
    (files / "rsyncd.conf").write_text(f"use chroot = no\nuid = nobody\n[pub]\npath = {files}/pub\n")
    (files / "vsftpd.conf").write_text(VSFTPD.format(files=files))
    (files / "surroundings").write_text(SURROUNDINGS)
    make_repository(files / "repo.git")
    run("svnadmin", "create", files / "tree")
    run("svn", "import", "-q", "-m", "first", files / "pub", f"file://{files}/tree/trunk")
    nobody = pwd.getpwnam("nobody")
    for tree in ("repo.git", "tree"):
        for directory, _, names in os.walk(files / tree):
            for path in [directory, *(os.path.join(directory, name) for name in names)]:
                os.chown(path, nobody.pw_uid, nobody.pw_gid)


@pytest.fixture
def machine(preforkd: Start, tmp_path: Path) -> Machine:
    for path in (tmp_path, *tmp_path.parents[:3]):
        if path.stat().st_uid == os.geteuid() and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    files = tmp_path / "srv"
    make_files(files)
    ports = {name: free_port() for name in NAMES}
    (tmp_path / "xinetd.conf").write_text(CONFIG.format(files=files, **ports))
    imported = run(CTL, "import", "xinetd", tmp_path / "xinetd.conf")
    file = tmp_path / "preforkd.conf"
    file.write_text(imported)
    result = run_preforkd("-t", "-c", file, env=clean_environment(**preload_object(tmp_path)))
    assert result.returncode == 0, result.stderr
    return Machine(files, ports, imported, preforkd(arguments=["-c", str(file)]))


@contextlib.contextmanager
def client(port: int, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 20 * SLOW, (source, 0)) as connection:
        yield connection


def echoes(connection: socket.socket) -> bool:
    """False: the connection was closed instead."""
    try:
        connection.sendall(b"hello")
        return connection.recv(5, socket.MSG_WAITALL) == b"hello"
    except ConnectionError:
        return False


def is_served(port: int, source: str = "127.0.0.1") -> bool:
    with client(port, source) as connection:
        return echoes(connection)


def test_nothing_is_left_to_decide(machine: Machine) -> None:
    assert "# ! " not in machine.imported and "closed: " not in machine.imported
    assert machine.imported.count("\n[") == len(NAMES) and "\n# [finger]\n" in machine.imported


def test_real_clients(machine: Machine, tmp_path: Path) -> None:
    ports, image = machine.ports, (machine.files / "pub" / "image").read_bytes()
    run("git", "clone", "-q", f"git://127.0.0.1:{ports['git']}/repo.git", tmp_path / "clone")
    assert (tmp_path / "clone" / ".git").is_dir() and run("git", "-C", tmp_path / "clone", "fsck", "--strict") == ""
    run("svn", "checkout", "-q", f"svn://127.0.0.1:{ports['svn']}/tree/trunk", tmp_path / "checkout")
    assert (tmp_path / "checkout" / "image").read_bytes() == image
    run("rsync", "-a", f"rsync://127.0.0.1:{ports['rsync']}/pub/", tmp_path / "copy")
    assert (tmp_path / "copy" / "image").read_bytes() == image
    got = tmp_path / "image"
    run("tftp", "-m", "binary", "127.0.0.1", str(ports["tftp"]), "-c", "get", "image", got)
    assert got.read_bytes() == image
    run("curl", "-sS", "-o", tmp_path / "by-ftp", f"ftp://127.0.0.1:{ports['ftp']}/image")
    assert (tmp_path / "by-ftp").read_bytes() == image
    with client(ports["time"]) as connection:
        [seconds] = struct.unpack("!I", connection.recv(4, socket.MSG_WAITALL))
    assert abs(seconds - 2208988800 - time.time()) < 60
    assert is_served(ports["echo"]) and is_served(ports["forward"])
    machine.daemon.assert_quiet()


def test_who_comes_in(machine: Machine) -> None:
    """only_from and no_access."""
    port = machine.ports["trusted"]
    for source, served in [("127.0.0.1", False), ("127.0.0.2", True), ("127.0.0.3", False), ("127.0.1.1", True),
                           ("127.0.1.7", False)]:
        assert is_served(port, source) == served, source


def test_how_many_come_in(machine: Machine) -> None:
    """per_source and instances."""
    with client(machine.ports["one_each"]) as first, client(machine.ports["one_each"], "127.0.0.9") as other:
        assert echoes(first) and echoes(other)
        assert not is_served(machine.ports["one_each"])
        assert echoes(first)
    wait_until(lambda: is_served(machine.ports["one_each"]), "its place is free again")
    with client(machine.ports["two"]) as first, client(machine.ports["two"]) as second:
        assert echoes(first) and echoes(second)
        assert not is_served(machine.ports["two"])
    wait_until(lambda: is_served(machine.ports["two"]), "a place is free again")


def test_how_fast_they_come_in(machine: Machine) -> None:
    """cps: no service is closed, whatever becomes of the rate."""
    begun = time.monotonic()
    assert all(is_served(machine.ports["slowly"]) for _ in range(12))
    if "\nrate_limit = 4/s\n" in machine.imported:
        assert time.monotonic() - begun > 1
    else:
        assert "# cps = 4 10: " in machine.imported


def test_the_surroundings_of_a_program(machine: Machine) -> None:
    """env, user, group, umask, nice and limits."""
    with client(machine.ports["surroundings"]) as connection, connection.makefile() as answer:
        assert answer.read().split() == ["hello", "nobody", "daemon", "0027", "3", "77", "9"]
