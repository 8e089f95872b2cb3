"""No fault of a call loses the master or a client; see campaign.py and scenarios.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from campaign import LONG, SHORT, Campaign, Form
from daemon import Daemon
from faults import Faults, Role
from kinds import (Datagrams, Listeners, LogFile, PartialStarts, WaitService, a_builtin, a_copied_program, a_listener,
                   a_module, a_rolled_back_program, an_unwatched_listener)
from short_lived import Checks, Controls, Starts, Stops
from scenarios import Commands, Deadlines, Load, Refuse, Reload, Upgrade, WorkerEnds, WorkerServes, WorkerStart

Start = Callable[..., Daemon]
Make = Callable[[Start, Path, Faults], Any]

# What is served otherwise than by a program on stdin, logged otherwise than to stderr, or not there at the start.
KINDS: dict[str, Make] = {
    "module, worker start": lambda *args: WorkerStart(*args, "module", a_module),
    "module, worker serve": lambda *args: WorkerServes(*args, "module", a_module),
    "module, worker end": lambda *args: WorkerEnds(*args, "module", a_module),
    "builtin, worker start": lambda *args: WorkerStart(*args, "builtin", a_builtin),
    "builtin, worker serve": lambda *args: WorkerServes(*args, "builtin", a_builtin),
    "builtin, worker end": lambda *args: WorkerEnds(*args, "builtin", a_builtin),
    "copied, worker start": lambda *args: WorkerStart(*args, "copied", a_copied_program),
    "rolled back, worker start": lambda *args: WorkerStart(*args, "rolled back", a_rolled_back_program),
    "datagrams": Datagrams,
    "listener, worker start": lambda *args: WorkerStart(*args, "listener", a_listener),
    "unwatched listener, worker start": lambda *args: WorkerStart(*args, "unwatched listener", an_unwatched_listener),
    "listener": Listeners,
    "wait service": WaitService,
    "log file": lambda *args: LogFile(*args, role=Role.MASTER),
    "log process": LogFile,
    "partial start": PartialStarts,
}

SCENARIOS: dict[str, Make] = {
    "commands": Commands,
    "load": Load,
    "reload that adds": Reload,
    "reload that removes": lambda *args: Reload(*args, grows=False),
    "reload that adds, managed": lambda *args: Reload(*args, managed=True),
    "reload that removes, managed": lambda *args: Reload(*args, grows=False, managed=True),
    "configuration child": lambda *args: Reload(*args, role=Role.CONFIGURATION),
    "upgrade, the old program": lambda *args: Upgrade(*args, "the old program"),
    "upgrade, the preflight": lambda *args: Upgrade(*args, "the preflight"),
    "upgrade, the new program": lambda *args: Upgrade(*args, "the new program"),
    "start": Starts,
    "start, its child": lambda *args: Starts(*args, role=Role.CONFIGURATION),
    "start, its workers": lambda *args: Starts(*args, role=Role.WORKER),
    "stop": Stops,
    "check": Checks,
    "preforkctl": Controls,
    "deadlines": Deadlines,
    "deadlines, the worker": lambda *args: Deadlines(*args, role=Role.WORKER),
    "refusals": Refuse,
    "refusals, the worker": lambda *args: Refuse(*args, role=Role.WORKER),
    "worker start": WorkerStart,
    "worker serve": WorkerServes,
    "worker end": WorkerEnds,
    **KINDS,
}


def run(scenario: Any, faults: Faults, form: Form) -> None:
    try:
        result = Campaign(scenario, faults, form).run()
    finally:
        scenario.end()
    assert not result.violations, "\n".join([f"{len(result.violations)} of {result.tried}:", *result.violations])
    assert result.hit == result.tried > 0


# With a service manager there is more to a reload; the sample does without the others. Of the kinds it has the quick ones.
LEFT_OUT = {"reload that adds", "reload that removes"} | set(KINDS) - {
    "module, worker start", "builtin, worker start", "builtin, worker end", "copied, worker start"}
SAMPLED = [name for name in SCENARIOS if name not in LEFT_OUT]


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample(preforkd: Start, tmp_path: Path, faults: Faults, name: str) -> None:
    run(SCENARIOS[name](preforkd, tmp_path, faults), faults, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
def test_all(preforkd: Start, tmp_path: Path, faults: Faults, name: str) -> None:
    run(SCENARIOS[name](preforkd, tmp_path, faults), faults, LONG)
