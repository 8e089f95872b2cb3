"""Handlers of every kind under one roof: one configuration, served while it is reloaded, restarted and upgraded."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from control import control_of
from daemon import SLOW, Daemon, free_port, request, tcp4, wait_until
from datagrams import Client
from modules import module
from nginx import Nginx

Start = Callable[..., Daemon]

STARTED_ONCE = {
    "report.pl": "use POSIX; use Data::Dumper; $| = 1; print 'perl ', scalar(<STDIN>);",
    "score.py": "import json, os, sys\nprint('python', sys.stdin.readline(), end='')\n",
    "page.php": "<?php echo 'php ', $_GET['word'];",
}
PAGE = "<?php echo 'round ', getenv('ROUND'), ' of ', getmypid(), ': ', strrev($_GET['word']), \"\\n\";"


@pytest.mark.skipif(not all(map(shutil.which, ("php-cgi", "in.tftpd", "tftp"))),
                    reason="needs php-cgi, tftpd-hpa and tftp-hpa")
def test_one_configuration(preforkd: Start, tmp_path: Path, as_root: None) -> None:
    """php-cgi behind nginx, a module, tftpd, and a redirect to a wrapped program."""
    files, port = tmp_path / "files", free_port()
    files.mkdir()
    (files / "boot.img").write_bytes(os.urandom(200000))
    (tmp_path / "page.php").write_text(PAGE)
    cat, relay, echo, greeting, php = tcp4(), tcp4(), f"udp:127.0.0.1:{free_port()}", tcp4(), str(tmp_path / "php.sock")
    pools = {
        "php": {"listen": php, "handler": shutil.which("php-cgi"), "handler_type": "listener", "listen_fd": 0,
                "min_spare_workers": 2, "max_workers": 8, "max_requests": 20, "environment": "ROUND=1",
                "socket_mode": "0666"},
        "greeting": {"listen": greeting, "handler_type": "module", "handler": [module("hello", tmp_path)]},
        "tftp": {"listen": f"udp:127.0.0.1:{port}", "handler": [shutil.which("in.tftpd"), "--secure", str(files)],
                 "handler_type": "listener", "listen_fd": 0, "scaling": "ondemand", "max_workers": 1, "user": "root"},
        "relay": {"listen": relay, "handler_type": "builtin", "handler": ["redirect", cat]},
        "cat": {"listen": cat, "handler": "/bin/cat"},
        "echo": {"listen": echo, "handler_type": "builtin", "handler": "echo"},
    }
    daemon = preforkd(pools, control=True)
    control = control_of(daemon)
    rounds: set[str] = set()
    failed: list[str] = []
    stop = threading.Event()

    def browse(nginx: Nginx) -> None:
        while not stop.is_set():
            status, text = nginx.get("/page.php?word=preforkd")
            if status != 200 or not text.endswith(b": dkroferp\n"):
                failed.append(f"{status}: {text!r}")
                return
            rounds.add(text.split()[1].decode())

    def all_answer() -> None:
        assert request(greeting, b"").endswith(b"hello\n")
        assert request(relay, b"through both") == b"through both"
        with Client(echo) as client:
            client.send(b"datagram")
            assert client.socket.recv(100) == b"datagram"
        got = tmp_path / "got"
        got.unlink(missing_ok=True)
        subprocess.run(["tftp", "-m", "binary", "127.0.0.1", str(port), "-c", "get", "boot.img", got], check=True,
                       timeout=20 * SLOW, stdout=subprocess.DEVNULL)
        assert got.read_bytes() == (files / "boot.img").read_bytes()

    with Nginx(tmp_path, {"/": php}, tmp_path) as nginx, ClientPool([relay, cat], count=3) as clients:
        browsers = [threading.Thread(target=browse, args=[nginx]) for _ in range(3)]
        for browser in browsers:
            browser.start()
        try:
            all_answer()
            for round in range(2, 5):
                daemon.pools["php"]["environment"] = f"ROUND={round}"
                daemon.hup("reloaded")
                wait_until(lambda round=round: str(round) in rounds or failed, "a page of the new round")
                all_answer()
            for pool in pools:
                control.do(f"restart {pool}")
            control.do("upgrade")
            all_answer()
            clients.wait_served(100)
        finally:
            stop.set()
            for browser in browsers:
                browser.join()
        assert not failed, (failed, nginx.complaints())
        assert {"1", "2", "3", "4"} <= rounds
    daemon.assert_quiet()


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="a snapshot of programs on stdin and stdout is for x86-64")
def test_what_starts_once(preforkd: Start, tmp_path: Path) -> None:
    """A C program, a Perl script, a Python script and php-cgi, none of them changed, from one file, as README.md has it."""
    if not shutil.which("php-cgi"):
        pytest.skip("needs php-cgi")
    for name, text in STARTED_ONCE.items():
        (tmp_path / name).write_text(text)
    c, perl, python, php = tcp4(), tcp4(), tcp4(), str(tmp_path / "php.sock")
    pools = {
        "c": {"listen": c, "handler": "/bin/cat", "start_method": "forkserver"},
        "perl": {"listen": perl, "handler": ["/usr/bin/perl", str(tmp_path / "report.pl")], "start_method": "snapshot"},
        "python": {"listen": python, "handler": ["/usr/bin/python3", str(tmp_path / "score.py")], "start_method": "snapshot",
                   "copy": "rollback", "fast_exit": "python"},
        "php": {"listen": php, "handler": shutil.which("php-cgi"), "handler_type": "listener", "listen_fd": 0,
                "socket_mode": "0666", "start_method": "snapshot", "snapshot_after": 5, "scaling": "static", "max_workers": 2},
    }
    daemon = preforkd(pools, control=True)
    control = control_of(daemon)
    with Nginx(tmp_path, {"/": php}, tmp_path) as nginx:
        for word in map(str, range(20)):
            line = f"{word}\n".encode()
            assert request(c, line) == line
            assert request(perl, line) == b"perl " + line
            assert request(python, line) == b"python " + line
            assert nginx.get(f"/page.php?word={word}") == (200, f"php {word}".encode())
        wait_until(lambda: control.pool("php")["template"]["requests"] == 5, "a template that has served")
    for name in pools:
        wait_until(lambda name=name: control.pool(name)["totals"]["requests"] >= 20, "all counted")  # nginx asks when it starts
        assert control.pool(name)["template"]["state"] == "ready", name
