"""The kinds of records that have a MESSAGE_ID: how a test asks for one without knowing its wording.

In the journal a record has its id. On stderr, where most tests read the log, it has its wording only; that is here, once,
and test_logging holds it against the ids. `daemon.wait_message("saturated", pool="www")` waits for a kind.
"""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src/base/message_id.c"

# What a record of the kind says behind its pool and worker.
WORDING = {
    "started": r"preforkd \S+ ready: ",
    "start refused": r"not started|nothing to serve",
    "stopping": r"stopping \(",
    "stop timed out": r"shutdown_timeout has passed",
    "stopped": r"stopped$",
    "reloaded": r"reloaded: ",
    "reload refused": r"not reloaded: ",
    "upgraded": r"preforkd \S+ has taken over from ",
    "upgrade refused": r"not upgraded: ",
    "saturated": r"saturated: ",
    "relieved": r"no longer saturated",
    "backing off": r"backing off: ",
    "worker died": r"(?:killed by signal|exited with code|cannot serve: )",
    "worker stuck": r"(?:start_timeout|does not retire): ",
    "request slow": r"request_slowlog_timeout: ",
    "request timed out": r"request_timeout: ",
    "request killed": r"kill_timeout: ",
    "connections at risk": r"cannot keep new connections from |closed \S+ with clients that wait there: ",
    "scoreboard implausible": r"the scoreboard says what cannot be ",
    "listener damaged": r"nobody can connect to \S+ any more: |\S+ gets no datagrams any more: |\S+ is not as it was opened \(",
    "address unavailable": r"cannot open \S+: ",
    "connection": r"connection pool=",
}


# A problem of a configuration on stderr. Its text is the same wherever problems are shown. What is said of a pool that runs
# is no such problem.
PROBLEM = r"^preforkd: (?P<severity>error|warning): (?!pool \S+: )(?:(?P<file>/[^:\n]+)(?::(?P<line>\d+))?: )?(?P<text>.*)$"


# The first and the last moment of a worker that the master decides; at log_level debug.
LIFE = r"^preforkd: debug: pool (?P<pool>\S+): worker (?P<worker>\d+): (?P<what>forked|retired) \((?P<reason>[^)]+)\)$"


# The death of a worker by a signal, and what it did.
DEATH = r"^preforkd: warning: pool \S+: worker \d+: killed by signal \d+ \(\w+\) while (?P<doing>\w+)\b"


# Records with a number that no other interface has; they have no MESSAGE_ID.
TOLD = {
    "lines dropped": r"(\d+) lines? of stderr (?:was|were) dropped",
    "handler failed": r"handler failed after (\d+) ms: ",
    "others ended": r"(\d+) other requests? of its threads ended with it",
    "template ready": r"template (\d+): ready after ",
    "strangers killed": r"killed (\d+) process(?:es)? that nobody ordered",
    "records dropped": r"connection_log: (\d+) records were dropped",
    "stderr closed": r"the stderr of (\d+) workers? that ha(?:s|ve) ended was closed",
}


# Why a handler could not be copied, for now or at all, and how the copy that waited for a connection died. No other
# interface has the reason.
COPIES = {
    "refused": r"start_method = snapshot cannot copy the handler: (.*); expected (?:forkserver or )?exec$",
    "serves on": r"snapshot_after: the worker cannot be copied: (.*); it serves on$",
    "not rolled back": r"copy = rollback cannot be used with the handler: (.*); expected fork$",
    "end slowly": r"fast_exit = python has no effect: (.*)$",
    "no process": r"cannot make a process for (?:the next|a) connection: (.*); trying again until it is over$",
    "no descriptor": r"cannot wait for connections: (.*); trying again until it is over$",
    "died": r"the process of the handler that waited for a connection has ended, killed by signal (\d+) \(\w+\)$",
}


# The time at the beginning of a line (log_time).
STAMP = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d "


def without_stamps(log: str) -> str:
    """Lines of a log as they would be without the time: what tests look for begins with `preforkd: `."""
    return re.sub(STAMP, "", log, flags=re.MULTILINE)


def told_pattern(kind: str, pool: str) -> str:
    """A regular expression for the beginning of such a record of a pool, the number its group 1."""
    return rf"^preforkd: (?:\w+: )?pool {re.escape(pool)}: (?:worker \d+: )?{TOLD[kind]}"


def copies_pattern(kind: str) -> str:
    """A regular expression for a record about copies of a handler, the reason its group 1."""
    return rf"^preforkd: (?:error|warning): pool \S+: worker \d+: {COPIES[kind]}"


def total_pattern(label: str, pool: str) -> str:
    """A regular expression for one total in the report of a pool, its group 1."""
    return rf"^preforkd: pool {re.escape(pool)}: generation \d+: .* (\d+) {re.escape(label)}\b"


def said_pattern(words: str, pool: str | None = None, worker: int | None = None) -> str:
    """A regular expression for a line on stderr that a handler has written, of any pool and worker, or of one."""
    name, pid = re.escape(pool) if pool else r"\S+", worker or r"\d+"
    return rf"^preforkd: pool {name}: worker {pid}: {re.escape(words)}$"


def message_ids() -> dict[str, str]:
    """Kind → id, as the daemon has it: MESSAGE_ID_RELOAD_REFUSED is "reload refused"."""
    return {name.lower().replace("_", " "): text for name, text in
            re.findall(r'\[MESSAGE_ID_(\w+)\] = "(\w+)"', SOURCE.read_text())}


def message_pattern(kind: str, pool: str | None = None, worker: int | None = None) -> str:
    """A regular expression for a whole line of that kind on stderr, about any pool or one, about any worker or one. Its
    group `worker` is the pid of the worker that the record is about."""
    name = re.escape(pool) if pool else r"\S+"
    prefix = rf"pool {name}: " + (rf"worker (?P<worker>{worker}): " if worker else r"(?:worker (?P<worker>\d+): )?")
    return rf"^preforkd: (?:\w+: )?{prefix if pool or worker else f'(?:{prefix})?'}(?:{WORDING[kind]}).*$"
