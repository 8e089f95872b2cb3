#!/usr/bin/python3
"""What preforkd promises, what proves it, and how often that was tried: the table in tests/README.md.

Every hostile test, model and fuzz harness proves a promise; others may.

    tests/promises.py                    write the table
    tests/promises.py --record RESULTS   take the numbers of a run of ./check from its results first
    tests/promises.py --check            print what is wrong with the table, if anything is

The promises and their proofs are listed here; the numbers are in tests/promises.json, and nobody types them:
`./check --record --long` and `./check --record --fuzz MINUTES` put them there. A suite that did not run keeps its numbers.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent
NUMBERS = TESTS / "promises.json"
README = TESTS / "README.md"
BEGIN = "<!-- The promises: written by tests/promises.py. -->\n"
END = "<!-- The end of the promises. -->\n"


@dataclass(frozen=True)
class Promise:
    """A proof is a file of tests/, or one test in it (`FILE::NAME`), or `faults: WORD`: the campaigns of injected faults
    whose name begins so."""

    text: str
    proofs: tuple[str, ...]


PROMISES = [
    Promise("No connection is lost by what preforkd does: not by retiring, recycling or replacing workers, by a reload, an "
            "upgrade, less capacity or a moment's shortage. A listener that closes is drained first.", (
                "integration/test_retirement.py", "integration/test_recycling.py", "integration/test_reload.py",
                "integration/test_drain.py", "integration/test_drain_far.py", "integration/test_drain_unprivileged.py",
                "integration/test_churn.py", "integration/test_volume.py", "integration/test_handler_types.py",
                "integration/test_succession.py", "integration/test_shortage.py", "integration/test_rates.py",
                "integration/test_answers.py", "integration/test_connections.py", "integration/test_draining.py",
                "integration/test_templates.py", "integration/test_rollback.py",
                "integration/test_master_death.py", "unit/lib/test_acceptor.c", "unit/lib/test_retirement.c",
                "model/recycling.pml", "faults: load", "faults: reload", "faults: worker", "faults: refusals")),
    Promise("Nothing that a worker, a handler, a client, a control client or a file does stops or blocks the master. How often "
            "a pool wakes it, and how much it makes it log, is bounded.", (
                "hostile/test_shared_files.py", "hostile/test_storms.py", "hostile/test_outlived_pipes.py",
                "hostile/test_status_workers.py", "hostile/test_passed_files.py",
                "integration/test_status_pool.py", "integration/test_agent.py",
                "integration/test_control.py", "integration/test_logging.py", "integration/test_handler_stderr.py",
                "integration/test_service_manager.py", "integration/test_file_size.py", "unit/logic/policy/test_wake_limit.c",
                "unit/os/test_reserve.c", "fuzz/fuzz_lines.c", "fuzz/fuzz_request.c", "fuzz/fuzz_activation.c",
                "fuzz/fuzz_address.c", "fuzz/fuzz_proxy.c", "fuzz/fuzz_pressure.c", "fuzz/fuzz_http.c", "faults: ")),
    Promise("A bad configuration never replaces a good one: every problem is reported with its file and line. What cannot be "
            "read is an error.", (
                "integration/test_reload.py", "integration/test_configuration.py", "integration/test_config_files.py",
                "integration/test_foresight.py", "integration/test_failed_start.py", "unit/logic/config/test_check.c",
                "unit/logic/config/test_parse.c", "unit/master/reload/test_participant.c", "fuzz/fuzz_config.c",
                "fuzz/fuzz_canonical.c", "fuzz/fuzz_option.c", "fuzz/fuzz_environment.c", "fuzz/fuzz_access.c",
                "fuzz/fuzz_import.c",
                "faults: reload", "faults: check")),
    Promise("An idle daemon does not wake: the master has no tick.", (
        "integration/test_scaling.py::test_an_idle_master_sleeps",
        "integration/test_status_pool.py::test_an_idle_daemon_sleeps",
        "integration/test_draining.py::test_the_master_sleeps_meanwhile",
        "integration/test_adaptive.py::test_steady_load_wakes_nobody",
        "integration/test_pressure.py::test_a_pool_at_rest_does_not_look", "unit/master/loop/test_evloop.c",
        "unit/logic/policy/test_policies_random.c")),
    Promise("Growth answers demand at once, in milliseconds; no wake-up of the master is lost.", (
        "integration/test_scaling.py::test_a_burst_is_answered_at_once",
        "integration/test_scaling.py::test_a_burst_over_several_listeners",
        "integration/test_adaptive.py::test_a_burst_from_rest", "unit/logic/policy/test_adaptive_random.c",
        "unit/lib/test_slot_races.c",
        "unit/logic/policy/test_scale.c", "unit/logic/policy/test_scale_random.c",
        "unit/logic/policy/test_level_shares.c", "model/wake.pml")),
    Promise("Limits queue or refuse, as configured, and heal by themselves; none closes a service for good.", (
        "integration/test_scaling.py", "integration/test_backoff.py", "integration/test_deadlines.py",
        "integration/test_rates.py", "integration/test_answers.py", "integration/test_total.py", "unit/base/test_rate_table.c",
        "unit/logic/policy/test_budget_random.c", "hostile/test_stopped.py", "unit/logic/policy/test_backoff.c",
        "unit/logic/policy/test_deadline.c",
        "unit/logic/policy/test_rate_limit.c", "faults: deadlines")),
    Promise("Every fork, retirement, refusal and kill has a recorded reason that a person can read.", (
        "integration/test_log_records.py", "integration/test_preforkctl.py::test_why",
        "integration/test_connections.py::test_who_is_refused_why", "integration/test_connections.py::test_how_a_handler_has_ended",
        "unit/logic/status/test_decision_ring.c")),
    Promise("The master does not trust what workers report: no word of a scoreboard is an index, a pid or a pointer, and a "
            "worker that dies or lies blocks nobody, signals nobody else's process and harms its own pool at most.", (
                "hostile/test_scoreboard.py", "hostile/test_lies.py", "hostile/test_rate_table.py",
                "hostile/test_connection_ring.py", "unit/base/test_connection_ring.c", "unit/lib/test_idle_set.c", "unit/lib/test_slot.c",
                "unit/logic/status/test_tally.c",
                "unit/master/loop/test_reaper.c", "fuzz/fuzz_handover.c", "model/wake.pml")),
    Promise("Pools are strangers: a process of one has no memory, descriptor, secret or terminal of another or of the master, "
            "and does not escape what the pool's limits do to it.", (
                "hostile/test_shared_files.py", "hostile/test_terminal.py", "hostile/test_escape.py",
                "hostile/test_secrets.py", "hostile/test_directory.py", "hostile/test_scoreboard.py",
                "integration/test_templates.py::test_nothing_of_the_pool_is_in_a_template",
                "hostile/test_module_crimes.py", "hostile/test_log_intruders.py", "hostile/test_shared_listeners.py",
                "integration/test_capabilities.py", "unit/base/test_secret.c", "unit/os/process/test_open_fds.c",
                "unit/os/process/test_credentials.c")),
    Promise("After the execution of an upgrade there is a way back: what fails is tried again, then the previous program is "
            "executed, once, while nothing is taken over.", (
                "integration/test_upgrade.py", "integration/test_two_versions.py", "faults/test_upgrade_faults.py",
                "unit/master/upgrade/test_way_back.c", "unit/logic/protocol/test_take_over.c", "unit/master/state/test_state_file.c",
                "fuzz/fuzz_handover.c", "model/upgrade.pml", "faults: upgrade")),
]

Numbers = dict[str, dict[str, dict[str, Any]]]


# --- the numbers of a run -------------------------------------------------------------------------------------------

def take_pytest(text: str, tests: dict[str, dict[str, Any]]) -> None:
    """`integration/test_x.py::test_y` → how many cases it has, how often they ran, and how often they failed."""
    for case in ElementTree.fromstring(text).iter("testcase"):
        if case.find("skipped") is not None or not case.get("classname"):
            continue
        name = f"{str(case.get('classname')).replace('.', '/')}.py::{str(case.get('name')).split('[')[0]}"
        entry = tests.setdefault(name, {"cases": set(), "runs": 0, "failed": 0})
        entry["cases"].add(case.get("name"))
        entry["runs"] += 1
        entry["failed"] += case.find("failure") is not None or case.find("error") is not None


def take_meson(text: str, tests: dict[str, dict[str, Any]]) -> None:
    """Of unit tests, which are counted by file."""
    for line in text.splitlines():
        program = json.loads(line)
        room, _, module = program["name"].rpartition("/")
        if room == "fuzz":
            continue
        entry = tests.setdefault(f"unit/{room}/test_{module}.c", {"cases": set(), "runs": 0, "failed": 0})
        for verdict, case in re.findall(r"^(ok|not ok) (?:\d+ - )?(\S+)(?!.*# SKIP)", program.get("stdout") or "", re.MULTILINE):
            entry["cases"].add(case)
            entry["runs"] += 1
            entry["failed"] += verdict != "ok"


def take_files(directory: Path) -> dict[str, dict[str, Any]]:
    """Numbers that a suite has written: one object in each file."""
    found = [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]
    return {str(entry["name"]) + (f", {entry['form']}" if "form" in entry else ""): entry for entry in found}


def all_proofs() -> set[str]:
    return {proof for promise in PROMISES for proof in promise.proofs}


def sum_of(proof: str, tests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of all tests of a file, or of the one that is named."""
    found = [entry for name, entry in tests.items() if name == proof or name.startswith(f"{proof}::")]
    return {"cases": sum(len(entry["cases"]) for entry in found), "runs": sum(entry["runs"] for entry in found),
            "failed": sum(entry["failed"] for entry in found)}


def taken(results: Path) -> Numbers:
    """All the numbers of a run of ./check."""
    tests: dict[str, dict[str, Any]] = {}
    for path in sorted(results.glob("*.xml")):
        take_pytest(path.read_text(errors="replace"), tests)
    for path in sorted(results.glob("*.json")):
        take_meson(path.read_text(errors="replace"), tests)
    counted = {proof: entry for proof in sorted(all_proofs()) if (entry := sum_of(proof, tests))["runs"] > 0}
    models = {name: {"states": entry["states"], "found": bool(entry["error"])}
              for name, entry in take_files(results / "models").items()}
    fuzz = {name: {"executions": entry["executions"]} for name, entry in take_files(results / "fuzz").items()}
    faults = {name: {key: entry[key] for key in ("tried", "hit", "masters_lost", "clients_lost")}
              for name, entry in take_files(results / "faults").items()}
    return {"tests": counted, "models": models, "fuzz": fuzz, "faults": faults}


def known_searches() -> set[str]:
    """The names of all searches of models."""
    sys.path.insert(0, str(TESTS / "model"))
    import test_model  # here, because it needs pytest

    return {search.name for search in (*test_model.SEARCHES, *test_model.SEEDED)}


def record(results: Path, numbers: Numbers) -> Numbers:
    """What has run replaces what was known of it; what is gone is forgotten."""
    merged = {kind: {**numbers.get(kind, {}), **found} for kind, found in taken(results).items()}
    for kind, known in (("tests", all_proofs()), ("models", known_searches())):
        merged[kind] = {name: entry for name, entry in merged[kind].items() if name in known}
    return merged


def written(numbers: Numbers) -> str:
    """As JSON, one entry a line, so that a change is a small difference."""
    kinds = [f'"{kind}": {{\n' + ",\n".join(f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(numbers[kind].items()))
             + "\n}" for kind in sorted(numbers)]
    return "{\n" + ",\n".join(kinds) + "\n}\n"


# --- the table ------------------------------------------------------------------------------------------------------

def exists(proof: str) -> bool:
    """Is there such a file, and such a test in it?"""
    if proof.startswith("faults: "):
        return (TESTS / "faults").is_dir()
    name, _, test = proof.partition("::")
    path = TESTS / name
    return path.is_file() and (not test or f"def {test}(" in path.read_text())


def amount(number: int) -> str:
    """12,345; 12.3 million."""
    return f"{number / 1e6:.1f} million" if number >= 10_000_000 else f"{number:,}"


class Tally:
    """What the proofs of a promise come to."""

    def __init__(self, proofs: Sequence[str], numbers: Numbers) -> None:
        self.proofs = proofs
        self.numbers = numbers
        self.sums: dict[str, int] = defaultdict(int)
        for name in {name for proof in proofs for name in self.names(proof)}:
            self.add(*name)

    @staticmethod
    def kind_of(proof: str) -> str:
        return {"faults:": "faults", "model": "models", "fuzz": "fuzz"}.get(proof.split("/")[0].split(" ")[0], "tests")

    def names(self, proof: str) -> list[tuple[str, str]]:
        """Where its numbers are. Once, if two proofs name the same."""
        kind = self.kind_of(proof)
        stem = Path(proof).stem
        wanted: Callable[[str], bool] = {
            "faults": lambda name: name.startswith(proof.removeprefix("faults: ")),
            "models": lambda name: name == stem or name.startswith(f"{stem}-"),
            "fuzz": lambda name: name == stem.removeprefix("fuzz_"),
            "tests": lambda name: name == proof}[kind]
        return [(kind, name) for name in self.numbers.get(kind, {}) if wanted(name)]

    def add(self, kind: str, name: str) -> None:
        entry = self.numbers[kind][name]
        if kind == "models":
            entry = {"bugs": 1} if entry["found"] else {"states": entry["states"]}
        for key, value in entry.items():
            self.sums[key] += value

    def cells(self) -> list[str]:
        """A dash: nothing of the kind proves this. (An injected fault that was not hit proves nothing.)"""
        has = {kind: any(self.kind_of(proof) == kind for proof in self.proofs) for kind in ("tests", "models", "fuzz", "faults")}
        columns = [("cases", "tests"), ("runs", "tests"), ("states", "models"), ("bugs", "models"), ("executions", "fuzz"),
                   ("hit", "faults"), ("failed", "tests"), ("masters_lost", "faults"), ("clients_lost", "faults")]
        return [amount(self.sums[name]) if has[kind] else "–" for name, kind in columns]


HEAD = ["", "tests", "runs of them", "states of models", "seeded bugs found", "fuzz executions", "faults injected",
        "tests failed", "masters lost", "clients lost"]


def shown(proof: str) -> str:
    if not proof.startswith("faults: "):
        return f"`{proof}`"
    word = proof.removeprefix("faults: ")
    return f"injected faults ({word})" if word else "all injected faults"


def paragraph(number: int, promise: Promise) -> list[str]:
    mark = f"{number}. "
    text = f"{promise.text} *Proved by* {', '.join(map(shown, promise.proofs))}."
    return textwrap.wrap(text, 120, initial_indent=mark, subsequent_indent=" " * len(mark), break_long_words=False,
                         break_on_hyphens=False)


def table(numbers: Numbers) -> str:
    """Between the marks in tests/README.md: the promises, and then their numbers."""
    lines = [line for number, promise in enumerate(PROMISES, 1) for line in paragraph(number, promise)]
    lines += ["", f"| {' | '.join(HEAD)} |".replace("|  |", "| |"), "|---" + "|---:" * (len(HEAD) - 1) + "|"]
    for number, promise in enumerate(PROMISES, 1):
        lines.append(f"| {number} | {' | '.join(Tally(promise.proofs, numbers).cells())} |")
    return "\n".join(lines) + "\n"


def known_numbers() -> Numbers:
    return json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}  # type: ignore[no-any-return]


def with_table(text: str, numbers: Numbers) -> str:
    before, rest = text.split(BEGIN)
    return before + BEGIN + table(numbers) + END + rest.split(END)[1]


def problems() -> list[str]:
    """What is wrong with the promises, their proofs or their table."""
    found = [f"promise {number} has no proof" for number, promise in enumerate(PROMISES, 1) if not promise.proofs]
    found += [f"promise {number}: there is no {proof}" for number, promise in enumerate(PROMISES, 1)
              for proof in promise.proofs if not exists(proof)]
    suites = [path.relative_to(TESTS).as_posix() for pattern in ("hostile/test_*.py", "model/*.pml", "fuzz/fuzz_*.c")
              for path in sorted(TESTS.glob(pattern))]
    found += [f"{suite} proves no promise: name it here" for suite in suites
              if not any(proof.partition("::")[0] == suite for proof in all_proofs())]
    if README.read_text() != with_table(README.read_text(), known_numbers()):
        found.append("the table in tests/README.md is out of date: run tests/promises.py")
    return found


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--check"]:
        print("\n".join(problems()))
        return 1 if problems() else 0
    if arguments[:1] == ["--record"]:
        NUMBERS.write_text(written(record(Path(arguments[1]), known_numbers())))
    README.write_text(with_table(README.read_text(), known_numbers()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
