"""Every promise has a test that exists, and the table in tests/README.md is what tests/promises.py writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import promises  # noqa: E402


def test_the_promises_have_proofs_and_the_table_is_current() -> None:
    assert promises.problems() == []


def test_what_lacks_a_proof_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises, "PROMISES", [
        promises.Promise("Nothing proves this.", ()),
        promises.Promise("A file that is gone.", ("integration/test_nothing.py",)),
        promises.Promise("A test that is gone.", ("integration/test_scaling.py::test_nothing",))])
    assert [problem for problem in promises.problems() if problem.startswith("promise")] == [
        "promise 1 has no proof", "promise 2: there is no integration/test_nothing.py",
        "promise 3: there is no integration/test_scaling.py::test_nothing"]


def test_the_numbers_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind of result: cases are counted once, however often they run; what did not run keeps its numbers."""
    monkeypatch.setattr(promises, "known_searches", lambda: {"wake-a", "wake-b"})
    case = '<testcase classname="integration.test_backoff" name="{}"/>'
    failed = '<testcase classname="integration.test_backoff" name="test_a[1]"><failure message=""/></testcase>'
    (tmp_path / "integration.xml").write_text(f"<a>{case.format('test_a[1]')}{case.format('test_a[2]')}</a>")
    (tmp_path / "repeat-1.xml").write_text(f"<a>{failed}</a>")
    (tmp_path / "unit.json").write_text(json.dumps({"name": "lib/slot", "stdout": "1..2\nok 1 - a\nnot ok 2 - b\n"}) + "\n")
    for kind, name, entry in (("models", "wake-a", {"name": "wake-a", "states": 7, "transitions": 9, "error": ""}),
                              ("models", "wake-b", {"name": "wake-b", "states": 5, "transitions": 9, "error": "assertion"}),
                              ("fuzz", "lines", {"name": "lines", "executions": 100}),
                              ("faults", "load", {"name": "load", "form": "long", "tried": 3, "hit": 2, "masters_lost": 0,
                                                  "clients_lost": 1, "seconds": 1.0})):
        (tmp_path / kind).mkdir(exist_ok=True)
        (tmp_path / kind / f"{name}.json").write_text(json.dumps(entry))
    kept = {"cases": 1, "runs": 1, "failed": 0}
    numbers = promises.record(tmp_path, {"tests": {"integration/test_control.py": kept, "integration/test_gone.py": kept},
                                         "models": {"wake-gone": {"states": 1, "found": False}},
                                         "fuzz": {"lines": {"executions": 1}}})
    assert numbers == {
        "tests": {"integration/test_control.py": kept, "integration/test_backoff.py": {"cases": 2, "runs": 3, "failed": 1},
                  "unit/lib/test_slot.c": {"cases": 2, "runs": 2, "failed": 1}},
        "models": {"wake-a": {"states": 7, "found": False}, "wake-b": {"states": 5, "found": True}},
        "fuzz": {"lines": {"executions": 100}},
        "faults": {"load, long": {"tried": 3, "hit": 2, "masters_lost": 0, "clients_lost": 1}}}
    assert json.loads(promises.written(numbers)) == numbers
    wake = promises.Tally(("model/wake.pml", "integration/test_backoff.py", "faults: lo", "faults: "), numbers)
    assert wake.cells() == ["2", "3", "7", "1", "–", "2", "1", "0", "1"]
