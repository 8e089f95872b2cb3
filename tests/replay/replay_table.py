#!/usr/bin/python3
"""What scaling costs and what clients wait for it, by rule, load, start and price: the table in tests/README.md.

    tests/replay/replay_table.py           run the replay and write the table
    tests/replay/replay_table.py --check   print what is wrong with the table, if anything is

The real traces are not part of the tree (they are others' work, CC-BY): PREFORKD_TRACES names the folder with conv.csv and
code.csv of Microsoft's AzurePublicDataset (AzureLLMInferenceTrace). Without it their rows stay as they are.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
README = TESTS / "README.md"
BEGIN = "<!-- The replay: written by tests/replay/replay_table.py. -->\n"
END = "<!-- The end of the replay. -->\n"
TRACES = ("conv", "code")
OURS, THRESHOLDS = "adaptive", "dynamic 1/8, 10 s"


@dataclass(frozen=True)
class Cell:
    load: str
    start_ms: int
    price_s: int
    rule: str
    cost: float  # times the optimum
    late: float  # share of the requests that waited
    wait_p999_ms: float
    wait_most_ms: float
    starts: float  # a request
    turns: float  # how often the rule was asked, a request

    @classmethod
    def read(cls, line: str) -> Cell:
        load, start, price, rule, *numbers = line.split("\t")
        return cls(load, int(start), int(price), rule, *map(float, numbers))

    @property
    def text(self) -> str:
        return f"{self.cost:.2f}, {self.wait_p999_ms:.0f}, {100 * self.late:.1f}"

    @property
    def place(self) -> str:
        return f"{self.load} at {self.price_s} s"


def built(program: str) -> Path:
    return Path(os.environ.get("PREFORKD_BUILD", TESTS.parent / "build-check")) / "tests/replay" / program


def run(*arguments: str) -> list[Cell]:
    done = subprocess.run([built("replay"), *arguments], stdout=subprocess.PIPE, check=True, text=True,
                          timeout=600)
    return [Cell.read(line) for line in done.stdout.splitlines()]


def traces() -> list[str]:
    """The arguments that replay the traces, or none."""
    folder = os.environ.get("PREFORKD_TRACES")
    return [f"{name}={folder}/{name}.csv" for name in TRACES] if folder else []


def rules_of(cells: list[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.rule for cell in cells))


def rows_of(cells: list[Cell]) -> list[str]:
    """A row for each load, start and price."""
    rows: dict[tuple[str, int, int], list[str]] = {}
    for cell in cells:
        rows.setdefault((cell.load, cell.start_ms, cell.price_s), []).append(cell.text)
    return [f"| {load} | {start} | {price} | " + " | ".join(texts) + " |\n" for (load, start, price), texts in rows.items()]


def heading(cells: list[Cell]) -> list[str]:
    rules = rules_of(cells)
    return ["| load | start, ms | price, s | " + " | ".join(rules) + " |\n", "|---|---:|---:|" + "---:|" * len(rules) + "\n"]


# --- what it must show --------------------------------------------------------------------------------------------------

def goal(words: str, cells: list[Cell], reached: Callable[[Cell], bool], number: Callable[[Cell], str]) -> str:
    missed = [cell for cell in cells if not reached(cell)]
    if not missed:
        return f"- {words}: reached in all {len(cells)} cells.\n"
    places = "; ".join(f"{cell.place} {number(cell)}" for cell in missed)
    return f"- {words}: reached in {len(cells) - len(missed)} of {len(cells)} cells, not in {places}.\n"


def goals(cells: list[Cell]) -> list[str]:
    ours = [cell for cell in cells if cell.rule == OURS]
    quick, slow = ([cell for cell in ours if cell.start_ms == start] for start in (1, 150))
    thresholds = {(cell.load, cell.start_ms, cell.price_s): cell for cell in cells if cell.rule == THRESHOLDS}
    own = {(cell.load, cell.start_ms, cell.price_s): cell for cell in ours}
    peers = [cell for cell in cells if cell.rule not in (OURS, THRESHOLDS)]

    def of(table: dict[tuple[str, int, int], Cell], cell: Cell) -> Cell:
        return table[cell.load, cell.start_ms, cell.price_s]

    def cost(cell: Cell) -> str:
        return f"({cell.cost:.2f})"

    def late(cell: Cell) -> str:
        return f"({100 * cell.late:.1f} %)"

    return [
        goal("1 ms start, at most 1.5 times the optimum", quick, lambda cell: cell.cost <= 1.5, cost),
        goal("1 ms start, p99.9 wait at most 2 ms", quick, lambda cell: cell.wait_p999_ms <= 2,
             lambda cell: f"({cell.wait_p999_ms:.1f} ms)"),
        goal("1 ms start, at most 0.1 starts a request at 10 s", [cell for cell in quick if cell.price_s == 10],
             lambda cell: cell.starts <= 0.1, lambda cell: f"({cell.starts:.4f})"),
        goal("150 ms start, at most 1.8 times the optimum", slow, lambda cell: cell.cost <= 1.8, cost),
        goal("150 ms start, at most 5 % of the requests wait at 10 s and more", [cell for cell in slow if cell.price_s >= 10],
             lambda cell: cell.late <= 0.05, late),
        goal("150 ms start, nobody waits longer than two starts", slow, lambda cell: cell.wait_most_ms <= 300,
             lambda cell: f"({cell.wait_most_ms:.0f} ms)"),
        goal("no worse than thresholds on both axes", ours,
             lambda cell: cell.cost <= of(thresholds, cell).cost or cell.late <= of(thresholds, cell).late,
             lambda cell: f"with {cell.start_ms} ms"),
        goal("1 ms start, a peer's rule is cheaper only where its p99.9 wait is at least 100 times ours",
             [cell for cell in peers if cell.start_ms == 1],
             lambda cell: cell.cost >= of(own, cell).cost or cell.wait_p999_ms >= 100 * of(own, cell).wait_p999_ms,
             lambda cell: f"({cell.rule}: {cell.cost:.2f}, {cell.wait_p999_ms:.0f} ms)"),
    ]


# --- the table ----------------------------------------------------------------------------------------------------------

def kept_rows(text: str, loads: tuple[str, ...]) -> list[str]:
    block = text[text.index(BEGIN):text.index(END)]
    return [line for line in block.splitlines(keepends=True) if line.startswith(tuple(f"| {load} |" for load in loads))]


def rewritten(text: str) -> str:
    """The README with the table as it should be. Without traces their rows stay, and so do the goals, which need both."""
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    generated = run()
    arguments = traces()
    real = run(*arguments) if arguments else []
    table = [*heading(generated), *(rows_of(real) if real else kept_rows(text, TRACES)), *rows_of(generated)]
    if real:
        said = goals(real + generated)
    else:
        said = [line for line in old.splitlines(keepends=True) if line.startswith("- ")]
    return before + BEGIN + "".join(said) + "\n" + "".join(table) + END + after


def problems() -> list[str]:
    text = README.read_text()
    if rewritten(text) != text:
        return ["the table of the replay in tests/README.md is not current: run tests/replay/replay_table.py"]
    return []


def main() -> int:
    if "--check" in sys.argv[1:]:
        found = problems()
        print(*found, sep="\n")
        return 1 if found else 0
    README.write_text(rewritten(README.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
