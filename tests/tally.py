#!/usr/bin/python3
"""Count test cases over every suite: `tally.py DIRECTORY` prints the skips with reasons and `N passed, N failed`.

`./check` collects results in the directory, one file a run: `NAME.xml` (pytest's JUnit format), `NAME.json` (meson's
log, whose tests are cmocka programs that speak TAP), `NAME.failed` (the step NAME failed; the text says what happened;
counts if none of its cases has failed, as with a build or a run that was cut short). A program that dies before it has
run all the cases it announced has failed with the rest of them. Exits 0 if something passed and nothing failed.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Tally:
    """What is counted."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)
    skips: Counter[str] = field(default_factory=Counter)

    def add_junit(self, run: str, text: str) -> None:
        """A case fails once, however many of its parts (the test, a fixture's end) failed."""
        for case in ElementTree.fromstring(text).iter("testcase"):
            name = f"{run}: {case.get('classname')}.{case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                if name not in self.failures:
                    self.failures.append(name)
            elif skipped is not None:
                self.skips[re.sub(r"^Skipped: ", "", skipped.get("message") or "no reason given")] += 1
            else:
                self.passed += 1

    def add_meson(self, run: str, text: str) -> None:
        """One JSON object a line, one program each."""
        for line in text.splitlines():
            program = json.loads(line)
            self.add_program(f"{run}: {program['name']}", program.get("stdout") or "", program["returncode"],
                             program.get("result", ""))

    def add_program(self, name: str, output: str, status: int, result: str) -> None:
        """One test program's TAP output and exit status."""
        before = len(self.failures)
        seen = 0
        reason = ""
        for verdict, rest in re.findall(r"^(ok|not ok|# skip:)(.*)$", output, re.MULTILINE):
            if verdict == "# skip:":  # cmocka knows no reasons; a test prints its own before skip()
                reason = rest.strip()
                continue
            case = re.sub(r"^\s*\d*\s*-?\s*", "", rest)
            skip = re.search(r"#\s*skip\w*\s*(.*)$", case, re.IGNORECASE)
            seen += 1
            if skip:
                self.skips[reason or f"{name}: {skip.group(1)}"] += 1
                reason = ""
            elif verdict == "ok":
                self.passed += 1
            else:
                self.failures.append(f"{name}: {case}")
        announced = sum(int(count) for count in re.findall(r"^1\.\.(\d+)", output, re.MULTILINE))
        for _ in range(max(announced - seen, 0)):
            self.failures.append(f"{name}: a case that was not reached (status {status} {result})")
        if status != 0 and len(self.failures) == before:
            self.failures.append(f"{name}: ended with status {status} {result}")
        elif status == 0 and seen == 0:
            self.failures.append(f"{name}: reported no cases")


def tally(directory: Path) -> Tally:
    """Count everything in a directory."""
    total = Tally()
    for path in sorted(filter(Path.is_file, directory.iterdir())):  # directories are for tests/promises.py
        text = path.read_text(errors="replace")
        if path.suffix == ".xml":
            total.add_junit(path.stem, text)
        elif path.suffix == ".json":
            total.add_meson(path.stem, text)
    for path in sorted(directory.glob("*.failed")):
        if not any(re.match(rf"{re.escape(path.stem)}(-alone)?: ", failure) for failure in total.failures):
            total.failures.append(f"{path.stem}: {path.read_text(errors='replace').strip()}")
    return total


def main() -> int:
    total = tally(Path(sys.argv[1]))
    if total.failures:
        print("Failed:")
        for name in total.failures[:100]:
            print(f"  {name}")
    if total.skips:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in sorted(total.skips.items()))
        print(f"{sum(total.skips.values())} skipped: {reasons}")
    print(f"{total.passed} passed, {len(total.failures)} failed")
    return 0 if total.passed and not total.failures else 1


if __name__ == "__main__":
    sys.exit(main())
