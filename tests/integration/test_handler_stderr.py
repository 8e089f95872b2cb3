"""`stderr = log`: lines of handlers in the log, whole, tagged, bounded, and never at the expense of anybody else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import ClientPool
from daemon import Daemon, burst, connect, is_sanitized, request, tcp4, wait_until
from methods import ALL_BEFORE, not_at_touch
from served import Watch, resident_kb

Start = Callable[..., Daemon]


def perl(program: str) -> list[str]:
    return ["/usr/bin/perl", "-e", program]


@not_at_touch(ALL_BEFORE)
def test_lines_carry_pool_and_worker(preforkd: Start) -> None:
    addresses = [tcp4(), tcp4()]
    daemon = preforkd({name: {"listen": address, "handler": ["/bin/sh", "-c", "echo one >&2; echo two >&2; echo $PPID"]}
                       for name, address in zip(("www", "git"), addresses)})
    for name, address in zip(("www", "git"), addresses):
        worker = int(request(address))
        for word in ("one", "two"):
            daemon.wait_log(rf"^preforkd: pool {name}: worker {worker}: {word}$")


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_what_git_daemon_says(preforkd: Start, tmp_path: Path) -> None:
    """As the README promises of its example: without --log-destination=stderr, --inetd sends it to syslog."""
    address = tcp4()
    daemon = preforkd({"git": {"listen": address, "handler": ["/usr/bin/git", "daemon", "--inetd", "--log-destination=stderr",
                                                              f"--base-path={tmp_path}"]}})
    request(address, b"002dgit-upload-pack /none.git\0host=localhost\0")
    daemon.wait_log(r"^preforkd: pool git: worker \d+: \[\d+\] '.*none\.git' does not appear to be a git repository$")


@not_at_touch(ALL_BEFORE)
def test_long_lines_are_cut(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": perl(
        "print STDERR q(a) x 2048, qq(\\n), q(b) x 2049, qq(\\n), q(c) x 100000, qq(\\nend\\n)")}})
    request(address)
    daemon.wait_log(r"^preforkd: pool www: worker \d+: end$")
    lines = re.findall(r"worker \d+: (([abc])\2+)(.*)$", daemon.log(), re.MULTILINE)
    assert [(letter, len(text), rest) for text, letter, rest in lines] == [
        ("a", 2048, ""), ("b", 2048, " [cut]"), ("c", 2048, " [cut]")]


def test_a_line_without_its_end_is_logged(preforkd: Start) -> None:
    """While the handler waits, and when it has ended."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [
        "/bin/sh", "-c", "printf question >&2; read x; printf bye >&2"]}})
    with connect(address) as client:
        daemon.wait_log(r"worker \d+: question$")
        client.sendall(b"answer\n")
        daemon.wait_log(r"worker \d+: bye$")


@not_at_touch(ALL_BEFORE)
def test_what_a_terminal_would_obey_is_made_harmless(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": perl("print STDERR qq(a\\e[2Jb\\0c\\n)")}})
    request(address)
    daemon.wait_log(r"worker \d+: a\?\[2Jb\?c$")


@not_at_touch(ALL_BEFORE)
def test_lines_of_two_workers_are_never_mixed(preforkd: Start) -> None:
    """Both write their lines byte by byte, at the same time."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "scaling": "static", "max_workers": 2, "handler": perl(
        "$l = (q(a)..q(z))[$$ % 26];"
        "for (1..50) { syswrite STDERR, $l for 1..40; syswrite STDERR, qq(\\n) } print qq($$\\n)")}})
    daemon.wait_workers(2)
    pids = [int(reply.data) for reply in burst(address, 8)]
    wait_until(lambda: len(re.findall(r"worker \d+: [a-z]{40}$", daemon.log(), re.MULTILINE)) >= 8 * 50, "all lines")
    lines = re.findall(r"pool www: worker (\d+): (.*)$", daemon.log(), re.MULTILINE)
    assert len(lines) == 8 * 50
    assert all(len(text) == 40 and len(set(text)) == 1 for _, text in lines)
    assert {text[0] for _, text in lines} == {chr(ord("a") + pid % 26) for pid in pids}


# Writes 100 MB to stderr, says so, and goes on until the client has seen enough.
FLOOD = """
$| = 1;
exit print "calm\\n" unless <STDIN> =~ /flood/;
$piece = ("x" x 4000) . ($ARGV[0] eq "lines" ? "\\n" : "");
for ($n = 1;; $n++) {
    print STDERR $piece;
    print "100 MB\\n" if $n == 25000;
    if ($n > 25000 && $n % 100 == 0) { $in = chr(1); exit if select($in, undef, undef, 0) }
}
"""


@pytest.mark.parametrize("shape", ["lines", "one line"])
def test_a_flood_slows_only_its_writer(preforkd: Start, tmp_path: Path, shape: str) -> None:
    """100 MB to stderr: the master's memory stays, other requests of the pool and other pools are served meanwhile."""
    address, other, flood = tcp4(), tcp4(), tmp_path / "flood.pl"
    flood.write_text(FLOOD)
    daemon = preforkd({"www": {"listen": address, "scaling": "static", "max_workers": 2,
                               "handler": ["/usr/bin/perl", str(flood), shape]},
                       "other": {"listen": other, "handler": "/bin/cat"}})
    assert request(address, b"calm\n") == b"calm\n"
    before = resident_kb(daemon.pid)
    with (Watch(lambda: resident_kb(daemon.pid)) as watch, ClientPool([other], count=2) as clients,
          connect(address, 60) as client):
        client.sendall(b"flood\n")
        for _ in range(5):
            assert request(address, b"calm\n") == b"calm\n"
        clients.wait_served(10)
        assert client.recv(100) == b"100 MB\n"
    assert watch.most - before < (40000 if is_sanitized(daemon.pid) else 2000), "kB"


@not_at_touch(ALL_BEFORE)
def test_a_writer_that_outlives_its_request(preforkd: Start) -> None:
    """A process that a handler left behind has the pipe still: its words reach the log, and the worker goes on."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "scaling": "static", "max_workers": 1, "handler": [
        "/bin/sh", "-c", "(sleep 1; echo late >&2) <&- >&- & echo $PPID"]}})
    [worker] = daemon.wait_workers(1)
    assert [int(request(address)) for _ in range(2)] == [worker] * 2
    daemon.wait_log(rf"worker {worker}: late$")
