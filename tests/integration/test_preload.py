"""`accounting = preload`: programs that know nothing of preforkd, the FastCGI programs that people use among them, and the
traps that each of them sets."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control import Control, control_of
from daemon import (AS_ROOT, POOL_USER, SLOW, Daemon, abstract, alive, connect, preload_object, read_all, request, run_preforkd,
                    tcp4, wait_until)
from nginx import Nginx
from programs import LIBRARY, PYTHON, begin, command, end, rows, talk_open, wait_rows, wait_total

pytestmark = pytest.mark.usefixtures("listener_method")

Start = Callable[..., Daemon]

PHP = {
    "pid.php": "<?php echo getmypid();",
    "input.php": "<?php echo strrev(file_get_contents('php://input'));",
    "sleep.php": "<?php $begun = microtime(true); $left = usleep(200000); "
                 "echo microtime(true) - $begun >= 0.2 ? 'slept' : 'cut short';",
    "environment.php": "<?php foreach (getenv() as $key => $value) echo \"$key=$value\\n\"; passthru('env');",
    "fds.php": "<?php passthru('ls -l /proc/self/fd');",
    "exit.php": "<?php echo getmypid(); exit(3);",
    "crash.php": "<?php posix_kill(getmypid(), 11);",
}

CGI = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
case $QUERY_STRING in
sleep) sleep 0.2; printf slept;;
*) printf '%s' "$PPID";;
esac
"""

PERL = """use FCGI;
my $request = FCGI::Request();
while ($request->Accept() >= 0) {
    print "Content-Type: text/plain\\r\\n\\r\\n";
    if (($ENV{QUERY_STRING} // '') eq 'sleep') { my $slept = select(undef, undef, undef, 0.2); print 'slept'; }
    else { print $$; }
    $request->Finish();
}
"""

HTTP = """import http.server, os, socket, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/sleep':
            time.sleep(0.2)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'%d' % os.getpid())

    def log_message(self, *arguments):
        pass

server = http.server.HTTPServer(('127.0.0.1', 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
server.serve_forever()
"""


def needs(*programs: str) -> str:
    """The first of these programs that is here; skips the test if none is."""
    for program in programs:
        found = shutil.which(program) or (shutil.which(f"/usr/sbin/{program}"))
        if found:
            return found
    pytest.skip(f"needs {programs[0]}")


def fastcgi(kind: str, directory: Path, socket: str | Path, **keys: object) -> dict[str, Any]:
    """A pool of a FastCGI program, with its scripts."""
    for name, text in PHP.items():
        (directory / name).write_text(text)
    (directory / "script.cgi").write_text(CGI)
    (directory / "script.cgi").chmod(0o755)
    (directory / "program.pl").write_text(PERL)
    handler = {"php": lambda: [needs("php-cgi")], "fcgiwrap": lambda: [needs("fcgiwrap")],
               "perl": lambda: ["/usr/bin/env", "perl", str(directory / "program.pl")]}[kind]()
    return {"listen": socket, "socket_mode": "0666", "handler_type": "listener", "listen_fd": 0, "handler": handler, **keys}


PATHS = {"php": ("/pid.php", "/sleep.php"), "fcgiwrap": ("/script.cgi", "/script.cgi?sleep"),
         "perl": ("/any", "/any?sleep")}


@pytest.fixture(params=PATHS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "perl" and subprocess.run(["perl", "-MFCGI", "-e", "1"], capture_output=True,
                                                  check=False).returncode:
        pytest.skip("needs libfcgi-perl")
    return request.param


@pytest.fixture
def served(preforkd: Start, tmp_path: Path) -> Iterator[Callable[..., tuple[Daemon, Nginx]]]:
    """Start a FastCGI program behind nginx."""
    servers: list[Nginx] = []

    def start(kind: str, **keys: object) -> tuple[Daemon, Nginx]:
        socket = tmp_path / "fastcgi.sock"
        daemon = preforkd({"www": fastcgi(kind, tmp_path, socket, **keys)}, control=True, master={"log_level": "debug"})
        servers.append(Nginx(tmp_path, {"/": socket}, tmp_path))
        return daemon, servers[-1]

    yield start
    for server in servers:
        server.close()


# --- FastCGI behind nginx -------------------------------------------------------------------------------------------

def test_answers_and_counts(served: Callable[..., tuple[Daemon, Nginx]], kind: str) -> None:
    daemon, nginx = served(kind, scaling="static", max_workers=2)
    workers = wait_rows(daemon, 2)
    before = control_of(daemon).pool()["totals"]["requests"]
    pids = {int(nginx.ask(PATHS[kind][0])) for _ in range(20)}
    assert pids <= set(workers)
    wait_rows(daemon, 2)
    wait_total(control_of(daemon), "requests", before + 20)
    assert not nginx.complaints()
    daemon.assert_quiet()


def load(nginx: Nginx, path: str, stop: threading.Event, answers: list[tuple[int, bytes]]) -> None:
    while not stop.is_set():
        answers.append(nginx.get(path))


def gone(control: Control) -> int:
    """How many workers have ended as they were told."""
    totals = control.pool()["totals"]
    return int(totals["retired"] + totals["recycled"])


def test_no_request_is_lost(served: Callable[..., tuple[Daemon, Nginx]], kind: str) -> None:
    """Retired and recycled without end, under load: none fails, none hangs, no sleep is cut short."""
    daemon, nginx = served(kind, min_spare_workers=2, max_spare_workers=4, start_workers=2, max_workers=6, max_requests=20)
    stop, control = threading.Event(), control_of(daemon)
    answers: list[tuple[int, bytes]] = []
    sleeps: list[tuple[int, bytes]] = []
    threads = [threading.Thread(target=load, args=(nginx, PATHS[kind][i == 0], stop, sleeps if i == 0 else answers))
               for i in range(4)]
    for thread in threads:
        thread.start()
    try:
        while gone(control) <= 12:
            forked = control.pool()["totals"]["forked"]
            control.do("restart www")
            wait_until(lambda: control.pool()["totals"]["forked"] > forked, "new workers")  # noqa: B023
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in answers + sleeps} == {200}, nginx.complaints()
    assert {text for _, text in sleeps} == {b"slept"}
    assert not nginx.complaints()
    assert gone(control) > 12 and control.pool()["totals"]["died"] == 0
    daemon.assert_quiet()


def test_php_gets_its_input(served: Callable[..., tuple[Daemon, Nginx]]) -> None:
    _, nginx = served("php")
    text = "".join(chr(33 + i % 90) for i in range(70000))
    assert nginx.ask("/input.php", text.encode()) == text[::-1]


def test_php_is_recycled(served: Callable[..., tuple[Daemon, Nginx]]) -> None:
    """max_requests holds exactly, and nobody notices."""
    daemon, nginx = served("php", scaling="static", max_workers=1, max_requests=4, max_requests_jitter="0%")
    pids = [nginx.ask("/pid.php") for _ in range(16)]
    counts = [pids.count(pid) for pid in dict.fromkeys(pids)]
    assert counts[1:-1] == [4] * (len(counts) - 2) and max(counts) == 4, counts
    daemon.assert_quiet()


def test_php_grows(served: Callable[..., tuple[Daemon, Nginx]]) -> None:
    daemon, nginx = served("php", min_spare_workers=1, start_workers=1, max_workers=8)
    threads = [threading.Thread(target=nginx.ask, args=("/sleep.php",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(daemon)) >= 4
    assert not nginx.complaints()


def test_php_at_its_deadline(served: Callable[..., tuple[Daemon, Nginx]], tmp_path: Path) -> None:
    """php-cgi catches TERM and goes on: KILL follows."""
    daemon, nginx = served("php", request_timeout="2s", kill_timeout="200ms")
    (tmp_path / "long.php").write_text("<?php while (true) sleep(60);")
    assert nginx.get("/long.php")[0] == 502
    daemon.wait_message("request timed out")
    assert nginx.ask("/pid.php")
    daemon.assert_none(["backing off"])


def test_php_sees_nothing_of_ours(served: Callable[..., tuple[Daemon, Nginx]]) -> None:
    """Neither does what it executes."""
    _, nginx = served("php", environment=["A=b", "PHP_FCGI_CHILDREN=0"])
    text = nginx.ask("/environment.php")
    assert "A=b" in text and not re.search("PREFORK|LD_PRELOAD", text), text
    # The listener, the connection, and what PHP opens; the scoreboard, the wake pipe and the door are ours.
    assert not re.search(r"memfd|eventfd|statm", nginx.ask("/fds.php"))


def test_php_that_crashes(served: Callable[..., tuple[Daemon, Nginx]]) -> None:
    daemon, nginx = served("php", scaling="static", max_workers=2)
    for _ in range(4):
        assert nginx.ask("/pid.php")
    assert nginx.get("/crash.php")[0] == 502
    wait_rows(daemon, 2)
    assert nginx.ask("/pid.php")
    assert nginx.ask("/exit.php")
    daemon.assert_none(["backing off"])


# --- others ---------------------------------------------------------------------------------------------------------

def test_http_server(preforkd: Start, tmp_path: Path) -> None:
    """Python's own server: polls, and is retired by TERM where it holds no connection."""
    address = tcp4()
    (tmp_path / "server.py").write_text(HTTP)
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "scaling": "static", "max_workers": 2,
                               "handler": [PYTHON, str(tmp_path / "server.py")]}}, control=True)
    wait_rows(daemon, 2)
    question = b"GET / HTTP/1.0\r\n\r\n"
    pids = {request(address, question).rpartition(b"\n")[2] for _ in range(10)}
    assert {int(pid) for pid in pids} <= set(wait_rows(daemon, 2))
    wait_total(control_of(daemon), "requests", 10)
    with begin(address, "GET /sleep HTTP/1.0\r\n") as client:
        wait_until(lambda: [row for row in rows(daemon) if row["state"] == "busy"], "a busy one")
        control_of(daemon).do("restart www")
        assert read_all(client).startswith(b"HTTP/1.0 200")
    new = wait_until(lambda: (now := set(wait_rows(daemon, 2))) and not now & {int(pid) for pid in pids} and now, "new ones")
    assert int(request(address, question).rpartition(b"\n")[2]) in new
    daemon.assert_quiet()


@pytest.fixture
def acceptor(program: Callable[[str], str]) -> Callable[..., dict[str, Any]]:
    """A pool of `handler_acceptor`, which knows nothing of preforkd."""
    def pool(address: str | list[str], *wrapper: str, way: str = "plain", **keys: object) -> dict[str, Any]:
        return {"listen": address, "handler_type": "listener",
                "handler": [*wrapper, program("acceptor"), way, str(keys.get("listen_fd", 3))], **keys}
    return pool


@pytest.mark.parametrize("wrapper", [["/usr/bin/env"], ["/bin/sh", "-c", 'true; exec "$0" "$@"'],
                                     ["/bin/bash", "-c", 'true; exec "$0" "$@"'], ["/usr/bin/env", "/bin/sh", "-c",
                                                                                   'exec "$0" "$@"']])
def test_wrappers(preforkd: Start, acceptor: Callable[..., dict[str, Any]], wrapper: list[str]) -> None:
    """Programs that execute the handler in their place pass on what it needs, and what they run besides gets nothing."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, *wrapper, scaling="static", max_workers=1)}, control=True)
    [pid] = wait_rows(daemon, 1)
    lines = command(address, "report").splitlines()
    assert f"pid {pid}" in lines and not [line for line in lines if re.search("PREFORK|LD_PRELOAD", line)]
    control_of(daemon).do("restart www")
    wait_until(lambda: wait_rows(daemon, 1) != [pid], "another")
    daemon.assert_quiet()


@pytest.mark.parametrize("way", ["plain", "poll"])
@pytest.mark.parametrize("retire_signal", ["return", "TERM", "exit"])
def test_ways_to_end(preforkd: Start, acceptor: Callable[..., dict[str, Any]], way: str, retire_signal: str) -> None:
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, way=way, scaling="static", max_workers=2, retire_signal=retire_signal)},
                      control=True)
    old = wait_rows(daemon, 2)
    client = begin(address, "sleep 300")
    assert client.recv(6) == b"begun\n"
    control_of(daemon).do("restart www")
    assert end(client) == "slept"
    wait_until(lambda: not set(wait_rows(daemon, 2)) & set(old), "others")
    daemon.assert_quiet()


@pytest.mark.parametrize("how", ["close", "dup2", "dup3", "close_range", "_exit"])
def test_the_end_of_a_request(preforkd: Start, acceptor: Callable[..., dict[str, Any]], how: str) -> None:
    """Whatever ends the connection is counted, once."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1)}, control=True)
    wait_rows(daemon, 1)
    for count in range(1, 4):
        assert command(address, f"end {how}")
        wait_total(control_of(daemon), "requests", count)
        wait_rows(daemon, 1)


def test_a_child_that_comes_back(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """A script forks, and the child goes on to accept: it is nobody's worker, and ends there."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1)}, control=True)
    [pid] = wait_rows(daemon, 1)
    child = int(command(address, "fork"))
    assert not alive(child)
    assert command(address, "pid") == str(pid)
    daemon.assert_quiet()


def limit(pid: int, descriptors: int) -> None:
    """Change the soft limit of a process of a pool, as its user, who needs no privilege for that."""
    subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={descriptors}:"], check=True,
                   **({"user": POOL_USER, "group": pwd.getpwnam(POOL_USER).pw_gid, "extra_groups": []} if AS_ROOT else {}))


def test_a_shortage_of_descriptors(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """EMFILE never reaches the program, which would end: it serves when there is one again."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1, limit_nofile=64)}, control=True)
    [pid] = wait_rows(daemon, 1)
    limit(pid, 4)
    assert command(address, "pid") == str(pid)  # the kernel has reserved a descriptor for the call that waits
    with begin(address, "pid") as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        limit(pid, 64)
        client.settimeout(20)
        assert int(read_all(client)) == pid
    daemon.assert_quiet()


def test_a_listener_that_does_not_block(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """A pool that may refuse has such listeners; a program that expects others does not see EAGAIN."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=2, when_full="refuse")}, control=True)
    old = wait_rows(daemon, 2)
    for _ in range(10):
        assert int(command(address, "pid")) in old
    control_of(daemon).do("restart www")
    wait_until(lambda: not set(wait_rows(daemon, 2)) & set(old), "others")
    daemon.assert_quiet()


def test_what_the_user_preloads_stays(preforkd: Start, acceptor: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """It is loaded, and the program sees LD_PRELOAD as without preforkd."""
    other = tmp_path / "other.so"
    shutil.copy(LIBRARY, other)
    other.chmod(0o755)
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, environment=f"LD_PRELOAD={other}", scaling="static", max_workers=1)},
                      control=True)
    [pid] = wait_rows(daemon, 1)
    assert f"env LD_PRELOAD={other}" in command(address, "report").splitlines()
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert str(other) in maps and "preforkd-preload.so" in maps


def test_a_busy_one_is_busy_however_long(preforkd: Start, acceptor: Callable[..., dict[str, Any]]) -> None:
    """A connection that is kept open is one request, and is not ended by a retirement."""
    address = tcp4()
    daemon = preforkd({"www": acceptor(address, scaling="static", max_workers=1)}, control=True)
    [pid] = wait_rows(daemon, 1)
    with talk_open(address) as client:
        control_of(daemon).do("restart www")
        wait_until(lambda: [row["state"] for row in rows(daemon) if row["pid"] == pid] == ["retiring"], "its retirement")
        client.sendall(b"y")
        assert client.recv(1) == b"y"
    wait_until(lambda: not alive(pid), "its end")
    wait_rows(daemon, 1)
    daemon.assert_quiet()


# --- what it cannot be loaded into ----------------------------------------------------------------------------------

def patched(path: Path, change: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(change(Path("/bin/true").read_bytes()))
    path.chmod(0o755)
    return path


def statically_linked(data: bytes) -> bytes:
    """Without the header of its loader."""
    interp, note = b"\x03\x00\x00\x00\x04\x00\x00\x00", b"\x04\x00\x00\x00\x04\x00\x00\x00"
    assert data.count(interp) >= 1
    return data.replace(interp, note, 1)


def of_another_libc(data: bytes) -> bytes:
    assert b"/lib64/ld-linux-x86-64.so.2" in data
    return data.replace(b"/lib64/ld-linux-x86-64.so.2", b"/bin/sh\0aaaaaaaaaaaaaaaaaaa")


def check(directory: Path, **keys: str) -> subprocess.CompletedProcess[str]:
    settings = {"listen": "@preforkd-x", "handler_type": "listener", **({"user": POOL_USER} if AS_ROOT else {}), **keys}
    file = directory / "preforkd.conf"
    file.write_text("[www]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
    return run_preforkd("-t", "-c", file, env={**os.environ, **preload_object(directory), **(
        {"PREFORKD_PRELOAD": keys["object"]} if "object" in keys else {})})


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the program that is changed is one of x86-64")
@pytest.mark.parametrize("change", [statically_linked, of_another_libc])
def test_programs_that_do_not_load_it(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """`-t` says so, also of the interpreter of a script; with another accounting it is fine."""
    program = patched(tmp_path / "program", change)
    script = tmp_path / "script"
    script.write_text(f"#!{program}\n")
    script.chmod(0o755)
    for handler in (program, script):
        result = check(tmp_path, handler=str(handler))
        assert result.returncode != 0 and re.search(r":\d+: accounting: ", result.stderr), result.stderr
        assert check(tmp_path, handler=str(handler), accounting="api").returncode == 0
    assert check(tmp_path, handler="/bin/cat").returncode == 0


def written_in_go(data: bytes) -> bytes:
    """Its note is that of Go's linker, whose name is as long as that of the other one."""
    gnu, go = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0", b"\x04\0\0\0\x14\0\0\0\x04\0\0\0Go\0\0"
    assert data.count(gnu) == 1
    return data.replace(gnu, go)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the program that is changed is one of x86-64")
def test_programs_that_call_the_kernel_themselves(tmp_path: Path) -> None:
    """Go's load the object, which does not see how they accept."""
    program = patched(tmp_path / "program", written_in_go)
    result = check(tmp_path, handler=str(program))
    assert result.returncode != 0 and re.search(r":\d+: accounting: .*: it is written in Go", result.stderr)
    assert check(tmp_path, handler=str(program), accounting="none").returncode == 0
    assert check(tmp_path, handler=str(program), handler_type="inetd", start_method="forkserver").returncode == 0


def test_a_root_directory_without_it(tmp_path: Path) -> None:
    if not AS_ROOT:
        pytest.skip("needs root")
    root = tmp_path / "root"
    for file in ["/bin/cat", *re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", "/bin/cat"], capture_output=True,
                                                                        text=True, check=True).stdout)]:
        target = root / file.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    result = check(tmp_path, handler="/bin/cat", root_directory=str(root))
    assert result.returncode != 0 and re.search(r":\d+: accounting: .*preforkd-preload\.so", result.stderr), result.stderr
    inside = root / str(preload_object(tmp_path)["PREFORKD_PRELOAD"]).lstrip("/")
    inside.parent.mkdir(parents=True)
    shutil.copy(preload_object(tmp_path)["PREFORKD_PRELOAD"], inside)
    for directory in [inside.parent, *inside.parent.parents]:
        if root in directory.parents:
            directory.chmod(0o755)
    result = check(tmp_path, handler="/bin/cat", root_directory=str(root))
    assert result.returncode == 0, result.stderr


def test_a_program_that_forks_workers(preforkd: Start, tmp_path: Path, listener_method: str) -> None:
    """Its children would be nobody's workers. It fails to start, and does not serve half."""
    (tmp_path / "forks.py").write_text(
        "import os, socket, time\nlistener = socket.socket(fileno=3)\n"
        "if os.fork() == 0:\n    listener.accept()\nos.wait()\nos._exit(1)\n")
    daemon = preforkd({"www": {"listen": abstract(), "handler_type": "listener", "max_workers": 1,
                               "handler": [PYTHON, str(tmp_path / "forks.py")]}})
    daemon.wait_message("backing off")
    if listener_method == "exec":
        daemon.wait_message("worker died")
    else:
        assert daemon.wait_copies("refused") == "it makes processes that accept connections"


def test_a_deadline_is_counted_once(preforkd: Start, tmp_path: Path) -> None:
    """A program that ends on TERM closes its connection before, or leaves that to the kernel."""
    address = tcp4()
    (tmp_path / "ends.py").write_text(
        "import os, signal, socket, time\nlistener = socket.socket(fileno=3)\n"
        "while True:\n    connection, _ = listener.accept()\n"
        "    def end(*_):\n        if how == b'close':\n            connection.close()\n        os._exit(0)\n"
        "    signal.signal(signal.SIGTERM, end)\n"
        "    how = connection.recv(9)\n    time.sleep(1000)\n")
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "scaling": "static", "max_workers": 1,
                               "request_timeout": "1s", "handler": [PYTHON, str(tmp_path / "ends.py")]}}, control=True)
    for number, how in enumerate([b"close", b"leave"], 1):
        assert request(address, how, half_close=False) == b""
        wait_total(control_of(daemon), "requests", number)
        wait_total(control_of(daemon), "forked", number + 1)
        wait_rows(daemon, 1)
    totals = control_of(daemon).pool()["totals"]
    assert (totals["requests"], totals["request_timeouts"], totals["handler_deaths"], totals["died"]) == (2, 2, 0, 0)
    assert 2000 <= totals["busy_ms"] < 2000 + 5000 * SLOW
    daemon.assert_quiet()


def test_a_signal_of_its_own_gets_through(preforkd: Start, tmp_path: Path) -> None:
    """EINTR of the program's own signals is the program's; ours never is."""
    (tmp_path / "alarm.py").write_text(
        "import signal, socket, sys, os\nlistener = socket.socket(fileno=3)\n"
        "def tell(*_):\n    os.write(2, b'alarm\\n')\n"
        "signal.signal(signal.SIGUSR2, tell)\n"
        "while True:\n    connection, _ = listener.accept()\n    connection.sendall(b'%d' % os.getpid())\n"
        "    connection.close()\n")
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "listener", "scaling": "static", "max_workers": 1,
                               "handler": [PYTHON, str(tmp_path / "alarm.py")]}}, control=True)
    [pid] = wait_rows(daemon, 1)
    # One that comes just before the program waits is seen after its next connection, as without us.
    wait_until(lambda: os.kill(pid, signal.SIGUSR2) or daemon.said("alarm"), "the program's own handler")
    assert request(address) == str(pid).encode()
    with connect(address) as client:
        assert read_all(client) == str(pid).encode()
    daemon.assert_quiet()
