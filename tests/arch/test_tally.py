"""The counting behind `./check`'s last line: nothing that failed may be lost on the way to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "tally.py"
TWO_GOOD = "1..2\nok 1 - a\nok 2 - b\n"


def run(directory: Path, **files: str) -> tuple[int, list[str]]:
    for name, text in files.items():
        (directory / name.replace("_dot_", ".")).write_text(text)
    result = subprocess.run([sys.executable, str(SCRIPT), str(directory)], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout.splitlines()


def program(output: str, status: int = 0) -> str:
    return json.dumps({"name": "p", "stdout": output, "returncode": status, "result": "OK"}) + "\n"


def junit(cases: str) -> str:
    return f"<testsuites><testsuite>{cases}</testsuite></testsuites>"


def test_all_good(tmp_path: Path) -> None:
    status, lines = run(tmp_path, unit_dot_json=program(TWO_GOOD) * 2, i_dot_xml=junit('<testcase name="t"/>'))
    assert (status, lines) == (0, ["5 passed, 0 failed"])


def test_nothing_at_all_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path)[0] == 1


def test_a_failed_case(tmp_path: Path) -> None:
    status, lines = run(tmp_path, unit_dot_json=program("1..2\nok 1 - a\nnot ok 2 - b\n", 1))
    assert (status, lines[-1]) == (1, "1 passed, 1 failed")


def test_a_program_that_died(tmp_path: Path) -> None:
    """Its remaining cases, or, if it had none left or never said how many, itself."""
    assert run(tmp_path, unit_dot_json=program("1..3\nok 1 - a\n", -11))[1][-1] == "1 passed, 2 failed"
    assert run(tmp_path, unit_dot_json=program("", -11))[1][-1] == "0 passed, 1 failed"
    assert run(tmp_path, unit_dot_json=program(TWO_GOOD, 99))[1][-1] == "2 passed, 1 failed"


def test_a_program_without_cases(tmp_path: Path) -> None:
    assert run(tmp_path, unit_dot_json=program("hello\n"))[1][-1] == "0 passed, 1 failed"


def test_skips_are_counted_with_their_reasons(tmp_path: Path) -> None:
    skipped = '<testcase name="t"><skipped message="Skipped: needs root"/></testcase>'
    status, lines = run(tmp_path, unit_dot_json=program("1..2\nok 1 - a\n# skip: needs IPv6\nnot ok 2 # SKIP b\n"),
                        i_dot_xml=junit(skipped * 2))
    assert (status, lines) == (0, ["3 skipped: needs IPv6 (1); needs root (2)", "1 passed, 0 failed"])


def test_a_case_fails_once(tmp_path: Path) -> None:
    """pytest reports the test and its fixture's end as two cases of one name."""
    cases = '<testcase name="t"><failure/></testcase><testcase name="t"><error/></testcase><testcase name="u"/>'
    assert run(tmp_path, i_dot_xml=junit(cases))[1][-1] == "1 passed, 1 failed"


def test_a_failed_step_counts_when_no_case_of_it_did(tmp_path: Path) -> None:
    good = junit('<testcase name="t"/>')
    assert run(tmp_path, i_dot_xml=good, i_dot_failed="cut short")[1][-1] == "1 passed, 1 failed"
    bad = junit('<testcase name="t"><failure/></testcase>')
    assert run(tmp_path, i_dot_xml=bad, i_dot_failed="failed")[1][-1] == "0 passed, 1 failed"
