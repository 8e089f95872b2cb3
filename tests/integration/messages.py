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
    "request timed out": r"request_timeout: ",
    "request killed": r"kill_timeout: ",
    "connections at risk": r"cannot keep new connections from ",
}


def message_ids() -> dict[str, str]:
    """Kind → id, as the daemon has it: MESSAGE_ID_RELOAD_REFUSED is "reload refused"."""
    return {name.lower().replace("_", " "): text for name, text in
            re.findall(r'\[MESSAGE_ID_(\w+)\] = "(\w+)"', SOURCE.read_text())}


def message_pattern(kind: str, pool: str | None = None) -> str:
    """A regular expression for a whole line of that kind on stderr, about any pool or one."""
    name = re.escape(pool) if pool else r"\S+"
    prefix = rf"pool {name}: (?:worker \d+: )?"
    return rf"^preforkd: (?:\w+: )?{prefix if pool else f'(?:{prefix})?'}(?:{WORDING[kind]}).*$"
