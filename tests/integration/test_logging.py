"""Where the log goes, and that nobody who reads it, or does not, can stop the daemon."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from control import Control
from daemon import Daemon, Timeout, burst, clean_environment, connect, request, tcp4, wait_until, with_own_mounts
from forbidden import POWERLESS, can_forbid
from messages import STAMP, message_ids, message_pattern, without_stamps
from pools import static

Start = Callable[..., Daemon]
# Two lines in the log for every request.
NOISY = ["/bin/sh", "-c", "echo one >&2; echo two >&2; echo done"]


def serves(address: str) -> bool:
    try:
        request(address)
        return True
    except OSError:
        return False


# --- stderr ---------------------------------------------------------------------------------------------------------

class Pipe:
    """A pipe on the daemon's stderr that is read when the test says so."""

    def __init__(self, size: int = 4096) -> None:
        self.read_fd, self.write_fd = os.pipe()
        fcntl.fcntl(self.read_fd, fcntl.F_SETPIPE_SZ, size)
        os.set_blocking(self.read_fd, False)
        self.text = ""

    def read(self) -> str:
        """Everything that came so far."""
        try:
            while chunk := os.read(self.read_fd, 65536):
                self.text += chunk.decode(errors="replace")
        except BlockingIOError:
            pass
        return without_stamps(self.text)

    def is_full(self) -> bool:
        """No room for another record."""
        waiting = struct.unpack("i", fcntl.ioctl(self.read_fd, 0x541B, b"\0" * 4))[0]  # FIONREAD
        return waiting > fcntl.fcntl(self.read_fd, fcntl.F_GETPIPE_SZ) - 300

    def close(self) -> None:
        for fd in (self.read_fd, self.write_fd):
            if fd >= 0:
                os.close(fd)
        self.read_fd = self.write_fd = -1


@pytest.fixture
def pipe(no_leaks: None) -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_a_pipe_that_nobody_reads_does_not_stop_the_pool(preforkd: Start, pipe: Pipe) -> None:
    """What does not fit is dropped, counted, and reported when there is room again: nothing is lost uncounted."""
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2, handler=NOISY)}}, stderr=pipe.write_fd, ready=False)
    wait_until(lambda: serves(address), "the daemon serves")
    requests = 1
    while not pipe.is_full() or requests < 300:
        assert all(reply.data == b"done\n" for reply in burst(address, 10))
        requests += 10
    pipe.read()

    def report() -> re.Match[str] | None:
        nonlocal requests
        assert request(address) == b"done\n"
        requests += 1
        return re.search(r"warning: (\d+) log records were dropped", pipe.read())

    dropped = int(wait_until(report, "the report of what was dropped")[1])
    daemon.stop()
    log = pipe.read()
    assert len(re.findall(r"log records? (?:was|were) dropped", log)) == 1, log
    lines = len(re.findall(r"worker \d+: (?:one|two)$", log, re.MULTILINE))
    assert dropped > 0 and 2 * requests <= lines + dropped <= 3 * requests  # other records may be among the dropped
    assert all(line.startswith("preforkd: ") for line in log.splitlines()), "no half lines"


def test_a_pipe_without_a_reader_does_not_stop_the_pool(preforkd: Start, pipe: Pipe) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2, handler=NOISY)}}, stderr=pipe.write_fd, ready=False)
    wait_until(lambda: serves(address), "the daemon serves")
    pipe.close()
    assert all(reply.data == b"done\n" for reply in burst(address, 50))
    daemon.stop()


def test_the_pipe_is_nobodys_but_ours_to_change(preforkd: Start, pipe: Pipe) -> None:
    """A shell shares it: O_NONBLOCK there would break everybody else's writes."""
    address = tcp4()
    preforkd({"www": {"listen": address, **static(1, stderr="inherit")}}, stderr=pipe.write_fd, ready=False)
    wait_until(lambda: serves(address), "the daemon serves")
    assert os.get_blocking(pipe.write_fd)


def test_a_reload_and_a_stop_with_a_full_pipe(preforkd: Start, pipe: Pipe) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2)}}, stderr=pipe.write_fd, ready=False)
    wait_until(lambda: serves(address), "the daemon serves")
    while not pipe.is_full():
        daemon.send_signal(signal.SIGUSR1)
        serves(address)
    daemon.pools["www"]["handler"] = "/bin/echo new"
    daemon.hup(None)
    wait_until(lambda: request(address) == b"new\n", "the reload")
    daemon.stop()


def test_levels(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}}, master={"log_level": "notice"})
    assert not daemon.find_log(r"\+1 worker")
    daemon.master["log_level"] = "debug"
    daemon.hup("reloaded")
    daemon.pools["www"]["environment"] = "A=1"
    daemon.hup("reloaded")
    daemon.wait_log(r"^preforkd: debug: pool www: worker \d+: retired \(roll\)$")
    daemon.master["log_level"] = "err"
    daemon.hup(None)
    wait_until(lambda: not daemon_says(daemon, signal.SIGUSR1), "silence")


def daemon_says(daemon: Daemon, number: int) -> bool:
    """Does a signal make it log something?"""
    mark = daemon.log_mark()
    daemon.send_signal(number)
    try:
        wait_until(lambda: daemon.log_mark() > mark, "a record", 0.3)
        return True
    except Timeout:
        return False


# --- time stamps ----------------------------------------------------------------------------------------------------

def test_lines_on_stderr_begin_with_the_time(preforkd: Start, tmp_path: Path) -> None:
    """Every line, the first included, and the zone is the local one; log_time changes it without a restart."""
    address = tcp4()
    before = datetime.now(UTC)
    daemon = preforkd({"www": {"listen": address, **static(1, handler=NOISY)}},
                      popen={"env": clean_environment(TZ="Asia/Kolkata")})
    assert request(address) == b"done\n"
    daemon.wait_said("two")
    stamped = daemon.log_path.read_text()
    times = re.findall(rf"(?m){STAMP}", stamped)
    assert len(times) == stamped.count("\n") and all(time.endswith("+05:30 ") for time in times), stamped
    moments = [datetime.fromisoformat(time.strip()) for time in times]
    assert moments == sorted(moments) and before - timedelta(milliseconds=1) <= moments[0] and moments[-1] <= datetime.now(UTC)
    for value, has_stamps in (("no", False), ("yes", True), ("no", False), ("auto", True)):
        daemon.master["log_time"] = value
        daemon.hup("reloaded")
        mark = len(daemon.log_path.read_text())
        daemon.send_signal(signal.SIGUSR1)
        wait_until(lambda: daemon.log_path.read_text()[mark:].endswith("\n"), "the report")
        assert bool(re.match(STAMP, daemon.log_path.read_text()[mark:])) == has_stamps


@pytest.mark.parametrize(("value", "stamped"), [(None, False), ("yes", True)])
def test_the_journal_stamps_lines_itself(preforkd: Start, pipe: Pipe, value: str | None, stamped: bool) -> None:
    """stderr is its stream, and there is no socket for records, or lines are wanted."""
    status = os.fstat(pipe.write_fd)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1)}}, stderr=pipe.write_fd, ready=False,
                      master={"log_target": "stderr", "log_time": value},
                      popen={"env": clean_environment(JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}")})
    wait_until(lambda: serves(address), "the daemon serves")
    daemon.stop()
    pipe.read()
    [line] = [line for line in pipe.text.splitlines() if line.endswith("stopped")]
    assert bool(re.fullmatch(rf"<5>{STAMP[1:]}stopped", line)) == stamped
    assert stamped or line == "<5>stopped"


# --- the journal and syslog -----------------------------------------------------------------------------------------

class Receiver:
    """A datagram socket in the place of journald's or syslogd's."""

    def __init__(self, path: Path, room: int | None = None) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if room:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        path.chmod(0o666)
        self.records: list[bytes] = []
        self.follower: threading.Thread | None = None

    def follow(self) -> None:
        """Read everything at once from now on: a queue of datagrams is short (net.unix.max_dgram_qlen, 10), and what does
        not fit is dropped."""
        self.socket.setblocking(True)

        def take() -> None:
            while record := self.socket.recv(1 << 20):
                self.records.append(record)

        self.follower = threading.Thread(target=take, daemon=True)
        self.follower.start()

    def read(self) -> list[bytes]:
        """Everything that came so far."""
        if self.follower:
            return list(self.records)
        try:
            while True:
                self.records.append(self.socket.recv(1 << 20))
        except BlockingIOError:
            return self.records

    def find(self, pattern: str) -> re.Match[str] | None:
        for record in self.read():
            if match := re.search(pattern, record.decode(), re.MULTILINE | re.DOTALL):
                return match
        return None

    def wait(self, pattern: str) -> re.Match[str]:
        return wait_until(lambda: self.find(pattern), f"/{pattern}/ in a record")

    def fields(self, message: str) -> dict[str, str]:
        """The fields of the journal record with that message."""
        self.wait(rf"^MESSAGE=[^\n]*{message}")
        for record in self.records:
            text = record.decode()
            if re.search(rf"^MESSAGE=[^\n]*{message}", text, re.MULTILINE):
                return dict(line.split("=", 1) for line in text.splitlines())
        raise AssertionError(message)

    def messages(self) -> list[tuple[str, str]]:
        """(MESSAGE_ID or "", MESSAGE) of every journal record so far; of those in one line each."""
        found = []
        for record in self.read():
            fields = dict(line.split("=", 1) for line in record.decode().splitlines() if "=" in line)
            found.append((fields.get("MESSAGE_ID", ""), fields.get("MESSAGE", "")))
        return found

    def wait_message(self, kind: str) -> None:
        """Wait for a journal record of a kind that has a MESSAGE_ID, see messages.py."""
        wait_until(lambda: any(found == message_ids()[kind] for found, _ in self.messages()), f"a record \"{kind}\"", 20)

    def close(self) -> None:
        if self.follower:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", str(self.path))
            self.follower.join()
        self.socket.close()
        self.path.unlink(missing_ok=True)


class Places:
    """/dev/log and journald's socket as the daemon sees them: links to sockets in the test's directory."""

    def __init__(self, directory: Path) -> None:
        self.journal, self.syslog = directory / "journal.sock", directory / "syslog.sock"
        old_dev = directory / "dev"
        old_dev.mkdir()
        quoted = {name: shlex.quote(str(path)) for name, path in
                  (("dev", old_dev), ("journal", self.journal), ("syslog", self.syslog))}
        self.binary = with_own_mounts(
            directory, f"mount --rbind /dev {quoted['dev']}", "mount -t tmpfs none /dev",
            "touch /dev/null /dev/tty", f"mount --bind {quoted['dev']}/null /dev/null", "mkdir /dev/fd",
            f"ln -s {quoted['syslog']} /dev/log", "mount -t tmpfs none /run", "mkdir -p /run/systemd/journal",
            f"ln -s {quoted['journal']} /run/systemd/journal/socket")
        self.receivers: list[Receiver] = []

    def receive(self, path: Path, room: int | None = None) -> Receiver:
        receiver = Receiver(path, room)
        self.receivers.append(receiver)
        return receiver


@pytest.fixture
def places(tmp_path: Path, own_mounts: Path, no_leaks: None) -> Iterator[Places]:
    directory = tmp_path / "places"
    directory.mkdir()
    places = Places(directory)
    yield places
    for receiver in places.receivers:
        receiver.close()


def test_journal_fields(preforkd: Start, places: Places) -> None:
    journal = places.receive(places.journal)
    address, slow = tcp4(), tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2, handler=NOISY)},
                       "slow": {"listen": slow, **static(1, handler="/bin/cat", request_timeout="200ms")}},
                      master={"log_target": "journal", "log_level": "debug"}, binary=places.binary, ready=False)
    ready = journal.fields("ready: 2 pools")
    assert ready["SYSLOG_IDENTIFIER"] == "preforkd" and ready["PRIORITY"] == "5"
    assert ready["SYSLOG_PID"] == str(daemon.pid)
    assert "POOL" not in ready and "WORKER_PID" not in ready
    workers = daemon.wait_workers(2)
    forked = journal.fields(r"worker \d+: forked")
    assert forked["POOL"] in ("www", "slow") and forked["REASON"] == "scale" and forked["GENERATION"] == "1"
    assert int(forked["WORKER_PID"]) > 0
    request(address)
    said = journal.fields("one$")
    assert said["POOL"] == "www" and int(said["WORKER_PID"]) in workers
    with connect(slow) as client:
        client.sendall(b"x")
        late = journal.fields("request_timeout: TERM")
    assert late["POOL"] == "slow" and int(late["REQUEST_DURATION_USEC"]) >= 200_000 and late["PRIORITY"] == "4"
    os.kill(workers[0], signal.SIGKILL)
    dead = journal.fields("killed by signal 9")
    assert dead["WORKER_PID"] == str(workers[0]) and dead["POOL"] == "www"
    daemon.write_raw_config("[www]\nnonsense\n")
    daemon.send_signal(signal.SIGHUP)
    wrong = journal.fields("nonsense|expected|key")
    assert wrong["CONFIG_FILE"] == str(daemon.config) and wrong["CONFIG_LINE"] == "2" and wrong["PRIORITY"] == "3"
    daemon.write_config()


def test_message_ids(preforkd: Start, places: Places, tmp_path: Path) -> None:
    """Every kind of record that has a MESSAGE_ID, each seen once with it; and no other record has one."""
    journal = places.receive(places.journal)
    journal.follow()
    full, late, broken = tcp4(), tcp4(), tcp4()
    vanishing = tmp_path / "handler.sh"
    vanishing.write_text("#!/bin/sh\nexec /bin/cat\n")
    vanishing.chmod(0o755)
    pools = {"full": {"listen": full, "handler": "/bin/cat", "max_workers": 1, "max_spare_workers": 1},
             "late": {"listen": late, "handler": ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
                      "max_workers": 2, "request_timeout": "1s", "kill_timeout": "300ms"},
             "broken": {"listen": broken, "handler": str(vanishing), "scaling": "ondemand"}}
    control = Control(tmp_path / "control.sock")
    daemon = preforkd(pools, master={"log_target": "journal", "log_level": "debug", "control": str(control.path),
                                     "shutdown_timeout": "500ms"}, binary=places.binary, popen=POWERLESS, ready=False)
    journal.wait_message("started")
    with connect(full), connect(full):
        journal.wait_message("saturated")
    control.do("scale full max_workers=2")
    journal.wait_message("relieved")
    with connect(late):
        journal.wait_message("request timed out")
        journal.wait_message("request killed")
    [stuck, *_] = daemon.wait_workers(1, "full")
    os.kill(stuck, signal.SIGSTOP)
    control.do("restart full")
    journal.wait_message("worker stuck")
    vanishing.unlink()
    with connect(broken):
        journal.wait_message("backing off")
    journal.wait_message("worker died")
    daemon.send_signal(signal.SIGHUP)
    journal.wait_message("reload refused")
    del daemon.pools["broken"]
    daemon.hup(None)
    journal.wait_message("reloaded")
    assert control.refused("upgrade /bin/true", "refused")
    journal.wait_message("upgrade refused")
    daemon.send_signal(signal.SIGUSR2)
    journal.wait_message("upgraded")
    with connect(full) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGTERM)
        journal.wait_message("stopping")
        journal.wait_message("stop timed out")
    journal.wait_message("stopped")
    daemon.stop()
    if can_forbid():
        journal.wait_message("connections at risk")
    nothing = preforkd({}, ready=False)  # its log_target is what a configuration that is refused does not decide
    nothing.wait_message("start refused")
    nothing.wait_end()
    for found, message in journal.messages():
        kind = next((kind for kind in message_ids() if re.search(message_pattern(kind), f"preforkd: {message}")), None)
        assert found == (message_ids()[kind] if kind else ""), message


def test_a_journal_that_is_never_read(preforkd: Start, places: Places) -> None:
    """As when journald is stopped: its queue fills, the pool goes on, and later it hears how much it missed."""
    journal = places.receive(places.journal)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(4, handler=NOISY)}}, master={"log_target": "journal"},
                      binary=places.binary, ready=False)
    wait_until(lambda: serves(address), "the daemon serves")
    for _ in range(30):
        assert all(reply.data == b"done\n" for reply in burst(address, 10))
    daemon.send_signal(signal.SIGUSR1)

    def report() -> re.Match[str] | None:
        request(address)
        return journal.find(r"^MESSAGE=(\d+) log records were dropped")

    journal.read()
    assert int(wait_until(report, "the report of what was dropped")[1]) > 100


def test_a_journal_that_goes_and_comes_back(preforkd: Start, places: Places) -> None:
    journal = places.receive(places.journal)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2, handler=NOISY)}}, master={"log_target": "journal"},
                      binary=places.binary, ready=False)
    journal.wait("ready")
    journal.close()
    assert all(reply.data == b"done\n" for reply in burst(address, 20))
    again = places.receive(places.journal)
    daemon.send_signal(signal.SIGUSR1)
    again.wait(r"^MESSAGE=\d+ log records were dropped")


def test_syslog(preforkd: Start, places: Places) -> None:
    syslog = places.receive(places.syslog)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(1, handler=NOISY)}}, master={"log_target": "syslog"},
                      binary=places.binary, ready=False)
    # <facility * 8 + priority>, local time, tag[pid]: what every syslog daemon understands.
    head = rf"^<(\d+)>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d preforkd\[{daemon.pid}\]: "
    assert syslog.wait(head + r"preforkd [\d.]+ ready")[1] == str(3 * 8 + 5)
    request(address)
    syslog.wait(head + r"pool www: worker \d+: one$")
    daemon.send_signal(signal.SIGUSR2)
    syslog.wait(head + "upgrading: preflight of .* .SIGUSR2.$")
    syslog.wait(head + "preforkd [\\d.]+ has taken over")


def test_a_syslog_that_is_never_read(preforkd: Start, places: Places) -> None:
    places.receive(places.syslog)
    address = tcp4()
    preforkd({"www": {"listen": address, **static(4, handler=NOISY)}}, master={"log_target": "syslog"},
             binary=places.binary, ready=False)
    wait_until(lambda: serves(address), "the daemon serves")
    for _ in range(30):
        assert all(reply.data == b"done\n" for reply in burst(address, 10))


def test_a_target_that_changes_in_a_reload(preforkd: Start, places: Places) -> None:
    """From the reload on every record goes to the new place, and workers are not touched."""
    journal, syslog = places.receive(places.journal), places.receive(places.syslog)
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, **static(2, handler=NOISY)}}, binary=places.binary)
    workers = daemon.wait_workers(2)
    daemon.may_leak = True  # another kind of descriptor for another kind of log
    daemon.master["log_target"] = "journal"
    daemon.hup(None)
    journal.wait("^MESSAGE=reloaded")
    mark = daemon.log_mark()
    request(address)
    journal.wait("^MESSAGE=pool www: worker .*: two$|^MESSAGE=.*two$")
    assert daemon.log_mark() == mark
    daemon.master["log_target"] = "syslog"
    daemon.hup(None)
    syslog.wait("reloaded")
    before = len(journal.read())
    request(address)
    syslog.wait("two$")
    assert len(journal.read()) == before
    daemon.master["log_target"] = "stderr"
    daemon.hup("reloaded")
    assert daemon.workers() == workers


@pytest.mark.parametrize("target", ["journal", "syslog"])
def test_a_target_that_is_not_there_is_warned_of_where_it_can_be_read(preforkd: Start, places: Places, target: str) -> None:
    """It may come later, so it is no error; but nobody would ever find out from a log that goes nowhere."""
    daemon = preforkd({"www": {"listen": tcp4(), **static(1)}}, binary=places.binary)
    daemon.may_leak = True
    daemon.master["log_target"] = target
    path = {"journal": "/run/systemd/journal/socket", "syslog": "/dev/log"}[target]
    daemon.hup(None)
    daemon.wait_log(rf"warning: {re.escape(str(daemon.config))}:\d+: log_target: {path}: No such file")


def test_auto_is_the_journal_when_stderr_is(preforkd: Start, places: Places) -> None:
    """What systemd does: stderr is a stream to journald, named by JOURNAL_STREAM."""
    journal = places.receive(places.journal)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        status = os.fstat(theirs.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        preforkd({"www": {"listen": tcp4(), **static(1)}}, binary=places.binary, stderr=theirs.fileno(),
                 popen={"env": environment}, ready=False)
        journal.wait("^MESSAGE=.*ready: 1 pool")
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)


def test_auto_without_journald_marks_lines_with_their_priority(preforkd: Start, places: Places) -> None:
    """The stream is journald's (a remote one, perhaps), its socket is not there: lines carry <N>."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("r") as lines:
        status = os.fstat(theirs.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        ours.settimeout(20)
        preforkd({"www": {"listen": tcp4(), **static(1)}}, binary=places.binary, stderr=theirs.fileno(),
                 popen={"env": environment}, ready=False)
        seen = ""
        while "ready" not in seen:
            seen = lines.readline()
            assert re.match(r"<[0-7]>\S", seen), seen
        assert seen.startswith("<5>preforkd ")
