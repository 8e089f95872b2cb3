"""Inetd-style handlers of all kinds, as rows of one table: what each is sent and what it answers, however it is started.

A row's answer is that of a program that is executed for its connection; every other start method must give the same. A
new handler that broke something is a new row.

    for row in works(): daemon = preforkd({"www": {"handler": row.command(tmp_path), "start_method": …}})
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemon import handler
from programs import PYTHON

LINE = b"some words\n"


@dataclass(frozen=True)
class InetdHandler:
    """`arguments` may name the files and the directory: "{dir}/script.pl". The answer to `sends` matches `answer` (a
    regular expression, the whole of it). `refusal`: it cannot be copied at its first touch of the connection, for this
    reason; it can still be executed."""

    name: str
    arguments: Sequence[str]
    answer: bytes
    files: dict[str, str] = field(default_factory=dict)
    sends: bytes = LINE
    half_close: bool = True
    needs: Sequence[str] = ()
    prepare: Callable[[Path], None] = lambda _: None
    environment: dict[str, str] = field(default_factory=dict)
    refusal: str | None = None

    def missing(self) -> str:
        """Which program it needs that is not here; "": none."""
        return " ".join(name for name in self.needs if not shutil.which(name, path=PATH))

    def command(self, directory: Path) -> list[str]:
        """The command line; makes the files in `directory`, readable for every user."""
        for name, text in self.files.items():
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)
        self.prepare(directory)
        (directory / "lines").write_text("aabbccdd\n")
        words = [word.replace("{dir}", str(directory)) for word in self.arguments]
        if words[0].startswith("handler_"):
            words[0] = handler(words[0].removeprefix("handler_"), directory)
        return words

    def variables(self, directory: Path) -> dict[str, str]:
        return {name: value.replace("{dir}", str(directory)) for name, value in self.environment.items()}

    def is_answer(self, answer: bytes) -> bool:
        return re.fullmatch(self.answer, answer, re.DOTALL) is not None


PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/lib/git-core"


def way(name: str, answer: bytes, refusal: str | None = None) -> InetdHandler:
    """A way of tests/handlers/ways.c."""
    return InetdHandler(f"c-{name}", ["handler_ways", name], answer, refusal=refusal,
                        environment={"WAYS_FILE": "{dir}/lines"})


def script(name: str, interpreter: str, text: str, answer: bytes, **more: object) -> InetdHandler:
    """A script, given to its interpreter."""
    words = interpreter.split()
    return InetdHandler(name, [*words, f"{{dir}}/{name}"], answer, {name: text}, needs=[words[0]],
                        **more)  # type: ignore[arg-type]


def static_handler(directory: Path) -> None:
    handler("static", directory)


def setuid_cat(directory: Path) -> None:
    """Into a program that gets more rights nothing can be loaded."""
    shutil.copy("/bin/cat", directory / "cat")
    (directory / "cat").chmod(0o4755)


def repository(directory: Path) -> None:
    """An empty repository that git-daemon may export: it has no references to name."""
    subprocess.run(["git", "init", "-q", "--bare", str(directory / "empty.git")], check=True)
    subprocess.run(["chmod", "-R", "a+rX", str(directory / "empty.git")], check=True)


GIT_REQUEST = b"git-upload-pack /empty.git\0host=localhost\0"


def without_descriptor(reason: str) -> str:
    """The reason for a refusal without the number of the descriptor that it is about: that is not the handler's choice."""
    return re.sub(r": descriptor \d+$", "", reason)


INETD_HANDLERS = [
    # Interpreters, reading and speaking first.
    script("perl", "perl", """
use strict; use warnings; use JSON::PP; use POSIX; use IO::Socket; use Encode;
$| = 1;
my $line = <STDIN>;
print encode_json([$line]), "\\n";
""", rb'\["some words\\n"\]\n'),
    script("perl-banner", "perl", '$| = 1; print "welcome\\n"; my $line = <STDIN>; print $line;', b"welcome\n" + LINE),
    # The rest of the script is read after the stop, from an offset that each copy must have for itself.
    script("perl-data", "perl", """
$| = 1; my $line = <STDIN>; my @data = <DATA>; print scalar(@data), " lines, last $data[-1]";
__DATA__
one
two
""", b"2 lines, last two\n"),
    script("perl-dup", "perl", 'open(my $in, "<&", \\*STDIN) or die; my $line = <$in>; $| = 1; print "got $line";',
           b"got " + LINE),
    script("perl-alarm", "perl", """
$| = 1;
$SIG{ALRM} = sub { print "too late\\n"; exit };
alarm 1;
1 while <STDIN>;
""", b"too late\n", half_close=False),
    script("perl-command", "perl", 'my $word = `echo before`; my $line = <STDIN>; print "$word$line", `echo after`;',
           b"before\n" + LINE + b"after\n"),
    script("python", PYTHON, """
import argparse, email, http.client, json, re, sys
data = sys.stdin.readline()
sys.stdout.write(json.dumps(data) + "\\n")
""", rb'"some words\\n"\n'),
    script("python-raw", PYTHON, """
import os, sys
data = sys.stdin.buffer.raw.read(4096)
os.write(1, data.upper())
os._exit(0)
""", b"SOME WORDS\n"),
    script("python-epoll", PYTHON, """
import os, select
poll = select.epoll()
poll.register(0, select.EPOLLIN)
print(poll.poll(10) == [(0, select.EPOLLIN)] or "nothing", os.read(0, 100).decode(), end="")
""", b"True some words\n", half_close=False),
    script("python-peer", PYTHON, """
import socket, sys
connection = socket.socket(fileno=0)
connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
connection.getpeername()
sys.stdout.write("%d %s" % (connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), connection.recv(99).decode()))
""", b"1 some words\n"),
    script("python-random", PYTHON, """
import random, sys, tempfile
sys.stdin.readline()
print(random.random(), next(tempfile._get_candidate_names()))
""", rb"\d(\.\d+)?(e-\d+)? \w{8}\n"),
    script("python-subprocess", PYTHON, """
import subprocess, sys
before = subprocess.run(["echo", "before"], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
line = sys.stdin.readline()
after = subprocess.run(["cat"], input=line, capture_output=True, text=True).stdout
sys.stdout.write(before + after)
""", b"before\n" + LINE),
    script("python-asyncio", PYTHON, """
import asyncio
async def main():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), open(0, "rb", 0))
    print((await reader.readline()).decode(), end="")
asyncio.run(main())
""", LINE),
    script("ruby", "ruby", 'require "json"; line = $stdin.gets; print JSON.generate([line]), "\\n"',
           rb'\["some words\\n"\]\n'),
    script("dash", "dash", 'read -r line\nprintf "dash %s\\n" "$line"\n', b"dash some words\n"),
    script("bash", "bash", 'read -r line\nprintf "bash %s\\n" "$line"\n', b"bash some words\n"),
    script("dash-redirect", "dash", 'exec 3<&0 4>&1\nread -r line <&3\necho "got $line" >&4\n', b"got some words\n"),
    script("bash-redirect", "bash", 'exec 3<&0 4>&1\nread -r line <&3\necho "got $line" >&4\n', b"got some words\n"),
    script("dash-command", "dash", 'word=$(echo before | tr a-z A-Z)\nread -r line\necho "$word $line $(echo after)"\n',
           b"BEFORE some words after\n"),
    # bash reads its script while it executes it.
    script("bash-offset", "bash", """
read -r line
/bin/true
if [ "$line" = quit ]; then echo bye; exit 0; fi
/bin/echo A
/bin/echo B
""", b"A\nB\n"),
    script("bash-headers", "bash", """
while read -r line; do [ "$line" = $'\\r' ] && break; done
echo "number $((RANDOM >= 0))"
/bin/echo one
/bin/echo two
""", b"number 1\none\ntwo\n", sends=b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", half_close=False),
    script("bash-environment", "bash", "read -r line\n/usr/bin/env | grep -c LD_PRELOAD || true\n", b"0\n"),
    script("awk", "mawk -f", 'BEGIN { getline line; printf "awk %s\\n", line; exit }', b"awk some words\n"),
    script("php", "php", '<?php $line = fgets(STDIN); echo "php $line";', b"php " + LINE),
    script("tcl", "tclsh", "gets stdin line\nputs \"tcl $line\"\n", b"tcl some words\r\n"),
    # Programs that execute another one in their place.
    InetdHandler("env", ["{dir}/env.pl"], b"env " + LINE, {"env.pl": '#!/usr/bin/env perl\nprint "env ", scalar <STDIN>;\n'},
                 needs=["perl"]),
    InetdHandler("wrapper", ["{dir}/wrapper"], b"bare " + LINE, {
        "wrapper": '#!/bin/sh\nMARK=bare; export MARK\nexec "{dir}/inner"\n'.replace("{dir}", "$(dirname $0)"),
        "inner": '#!/usr/bin/env perl\nprint "$ENV{MARK} ", scalar <STDIN>;\n'}, needs=["perl"]),
    InetdHandler("wrapper-search", ["/bin/sh", "-c", "PATH=/nowhere:/bin:/usr/bin; exec cat"], LINE),
    InetdHandler("wrapper-static", ["/bin/sh", "-c", "exec {dir}/handler_static -"], rb"\d+ \d+ \d+ \d+\n",
                 prepare=static_handler),
    InetdHandler("wrapper-setuid", ["/bin/sh", "-c", "exec {dir}/cat"], LINE, prepare=setuid_cat),
    InetdHandler("cat", ["/bin/cat"], LINE),
    # Daemons.
    InetdHandler("git-daemon", ["/usr/lib/git-core/git-daemon", "--inetd", "--export-all", "--base-path={dir}", "{dir}"],
                 b"0000", prepare=repository, needs=["git", "git-daemon"],
                 sends=b"%04x%s0000" % (len(GIT_REQUEST) + 4, GIT_REQUEST)),
    InetdHandler("rsync", ["rsync", "--daemon", "--config={dir}/rsyncd.conf"],
                 rb"@RSYNCD: .*\nfiles +\tall of them\n@RSYNCD: EXIT\n", needs=["rsync"], half_close=False,
                 files={"rsyncd.conf": "use chroot = no\n[files]\npath = /usr\ncomment = all of them\n"},
                 sends=b"@RSYNCD: 31.0\n#list\n"),
    # C.
    way("stdio", LINE),
    way("speak", b"hello\nand some words\n"),
    way("handlers", b"some words without:\n"),
    way("mask", b"some words term 1 sys 0 handler 1 seen 1\n"),
    way("block_all", b"some words 1 1\n"),
    way("full_handler", b"some words 1 1 1\n"),
    way("own_sigsys", b"some words 1 1 1 1\n"),
    way("suspend", b"woken some words\n"),
    way("restart", b"restarted some words\n"),
    way("pending", b"some words 1 1\n"),
    way("poll", b"some words 0 1\n"),
    way("ppoll", b"some words 1\n"),
    way("select", b"some words 1\n"),
    way("epoll", b"some words 1 7 1\n"),
    way("peer", rb"some words 0 family \d+\n"),
    way("option", b"some words 0 1\n"),
    way("nonblock", b"some words 0 1\n"),
    way("dup", b"some words 1\n"),
    way("cloexec", b"some words 1 0\n"),
    way("timers", b"some words alarm 1 timer 1 fired 1 deleted 0\n"),
    way("thread_id", b"some words 1 1 5\n"),
    way("processes", b"some words 3 4 5 6\n"),
    way("close_all", b"closed some words\n"),
    way("take_numbers", b"taken some words\n"),
    way("range_cloexec", b"some words 1 1\n"),
    way("offset", b"some words 6 aabbcc 1\n"),
    way("close", b"closed some words\n"),
    way("channels", b"some words -1 3 1 1 5 1 1 1\n"),
    way("send_fd", b"some words received\n"),
    way("uring", b"read some words\n"),
    way("joined_thread", b"joined some words\n"),
    # What cannot be copied at the touch.
    way("thread", b"threaded some words\n", "it has threads"),
    way("child", b"child some words\n", "it has children that it has not waited for"),
    way("zombie", b"zombie some words\n", "it has children that it has not waited for"),
    way("child_reads", b"some words read by a child\nand done\n", "a child has used the connection"),
    way("lock", b"locked some words\n", "it holds locks on files"),
    way("temporary", b"temporary some words\n", "it writes to a file that has no name"),
    way("pipe", b"pipe some words\n", "it has a pipe open that all copies would share"),
    way("socket", b"socket some words\n", "it has a connection open that all copies would share"),
    way("filter", b"filter some words\n", "it has installed a filter of system calls, or Landlock rules"),
    way("aio", b"aio some words\n", "it uses asynchronous I/O"),
]


def works() -> list[InetdHandler]:
    """Those that can be copied at the touch."""
    return [row for row in INETD_HANDLERS if row.refusal is None]


def refused() -> list[InetdHandler]:
    return [row for row in INETD_HANDLERS if row.refusal is not None]
