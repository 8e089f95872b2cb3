"""The protocols between processes as Promela models, searched exhaustively by spin(1).

Each model names the functions that it follows, and asserts what must hold. A search tries every order of steps within the
bounds that the defines of a case set. Each model also has seeded bugs, which a search must find: a model that could not
see them would prove nothing. `./check` runs the small searches, `--long` all of them.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
RESULTS = Path(os.environ.get("PREFORKD_BUILD", HERE.parents[1] / "build-check")) / "results/models"
# A search that needs more has become too large: make its bounds smaller.
MEMORY_MB = 3000
SECONDS = 600


@dataclass(frozen=True)
class Search:
    """One model within bounds."""

    model: str
    defines: str
    states: int  # at least so many: fewer mean that the model no longer does what it did
    long: bool = False

    @property
    def name(self) -> str:
        return "-".join([self.model, *self.defines.lower().split()])


SEARCHES = [
    Search("wake", "KILLS=1 CLIENTS=2", 900_000),
    Search("wake", "MIN_SPARE=0 CLIENTS=2", 100_000),
    Search("wake", "BOARDS=2 CLIENTS=2", 100_000),
    Search("wake", "BOARDS=2 SLOTS=3 CLIENTS=2", 3_000_000, long=True),
    Search("wake", "BOARDS=2 SLOTS=3 MIN_SPARE=2 CLIENTS=2", 6_000_000, long=True),
    Search("wake", "PAUSES=1 LAUNCH_FAILURES=1", 2_000_000, long=True),
    Search("wake", "KILLS=1 CLIENTS=4", 5_000_000, long=True),
    Search("wake", "MIN_SPARE=0 KILLS=1 CLIENTS=3", 3_000_000, long=True),
    Search("wake", "SLOTS=3 CLIENTS=2", 3_000_000, long=True),
    Search("wake", "SLOTS=3 MIN_SPARE=2 CLIENTS=2", 6_000_000, long=True),
    Search("recycling", "IMPATIENCE=1", 100_000),
    Search("recycling", "MAX_WORKERS=2", 20_000),
    Search("recycling", "MAX_WORKERS=2 KILLS=1", 300_000, long=True),
    Search("recycling", "MASTER_DEATHS=1", 700_000, long=True),
    Search("recycling", "REQUESTS=2", 2_000_000, long=True),
    Search("recycling", "REQUESTS=2 MAX_WORKERS=2 IMPATIENCE=1", 1_500_000, long=True),
    Search("recycling", "KILLS=1 UPGRADES=1", 4_000_000, long=True),
    Search("recycling", "RETIREMENTS=1", 3_000_000, long=True),
    Search("recycling", "AGES=1", 1_000_000, long=True),
    Search("recycling", "REQUESTS=2 LAUNCH_FAILURES=1", 5_000_000, long=True),
    Search("upgrade", "UPGRADES=1", 10_000),
    Search("upgrade", "", 300_000, long=True),
    Search("upgrade", "UPGRADES=3 RELOADS=3 CHANGES=2", 5_000_000, long=True),
]

# What was got wrong in them has a comment where it is in the model.
SEEDED = [
    Search("wake", "BUG_CLEARED_LATE", 1),
    Search("wake", "BUG_NO_RECOUNT", 1),
    Search("wake", "BUG_HALVES BOARDS=2", 1),
    Search("wake", "BUG_STUCK_FLAG KILLS=1 CLIENTS=2", 1),
    Search("recycling", "BUG_LOOKED_FIRST IMPATIENCE=1", 1),
    Search("recycling", "BUG_TOO_EARLY", 1),
    Search("recycling", "BUG_NOT_COUNTED REQUESTS=2", 1),
    Search("upgrade", "BUG_BACK_AND_FORTH", 1),
    Search("upgrade", "BUG_OLD_PREFLIGHT", 1),
    Search("upgrade", "BUG_NOT_CANCELLED", 1),
]


@dataclass
class Outcome:
    """What a search has found."""

    name: str
    states: int
    transitions: int
    error: str  # the assertion that failed; empty: none

    def write(self) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{self.name}.json").write_text(json.dumps(asdict(self)) + "\n")


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 * MEMORY_MB << 20, 2 * MEMORY_MB << 20))


def run(*command: str, directory: Path) -> str:
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=SECONDS,
                            preexec_fn=limit_memory)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def number(pattern: str, output: str) -> int:
    found = re.search(pattern, output)
    assert found, output
    return int(float(found.group(1)))


def search(case: Search, directory: Path) -> Outcome:
    """Search all states, or up to the first error."""
    defines = [f"-D{define}" for define in case.defines.split()]
    run("spin", *defines, "-a", str(HERE / f"{case.model}.pml"), directory=directory)
    run("gcc", "-w", "-O1" if case.states >= 300_000 else "-O0", "-DSAFETY", "-DNOFAIR", f"-DMEMLIM={MEMORY_MB}",
        *(["-DCOLLAPSE"] if case.long else []), "-o", "pan", "pan.c", directory=directory)
    output = run("./pan", "-m20000", "-w26" if case.long else "-w21", directory=directory)
    assert "max search depth too small" not in output, output
    error = re.search(r"^pan:\d+: (.*)$", output, re.MULTILINE)
    if not error:  # of an incomplete search, the numbers prove nothing
        assert "Search not completed" not in output, output
    return Outcome(case.name, number(r"(\S+) states, stored", output), number(r"(\S+) transitions", output),
                   error.group(1) if error else "")


Cases = Callable[..., None]


def cases(all_of_them: list[Search]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [
        pytest.param(case, id=case.name, marks=[pytest.mark.long] if case.long else []) for case in all_of_them])


@pytest.fixture(autouse=True)
def needs_spin() -> None:
    if not shutil.which("spin"):
        pytest.skip("needs spin")


@cases(SEARCHES)
def test_model(case: Search, tmp_path: Path) -> None:
    outcome = search(case, tmp_path)
    assert not outcome.error
    assert outcome.states >= case.states
    outcome.write()


@cases(SEEDED)
def test_seeded_bug(case: Search, tmp_path: Path) -> None:
    outcome = search(case, tmp_path)
    assert "assertion violated" in outcome.error
    outcome.write()


def test_each_model_has_both() -> None:
    """Each has a small search, and a seeded bug; and no bug is in a model without a search for it."""
    models = {path.stem for path in HERE.glob("*.pml")}
    assert {case.model for case in SEARCHES if not case.long} == {case.model for case in SEEDED} == models
    for model in models:
        bugs = set(re.findall(r"\bBUG_\w+", (HERE / f"{model}.pml").read_text()))
        assert bugs == {case.defines.split()[0] for case in SEEDED if case.model == model}


@pytest.mark.parametrize("model", sorted(path.stem for path in HERE.glob("*.pml")))
def test_named_functions_exist(model: str) -> None:
    """What a model says that it follows is there still."""
    head = (HERE / f"{model}.pml").read_text().split("*/")[0]
    sources = "".join(path.read_text() for path in sorted((HERE.parents[1] / "src").rglob("*.c")))
    names = set(re.findall(r"\b(\w+)\(\)", head))
    assert names
    missing = {name for name in names if not re.search(rf"^[a-z].*\b{name}\(", sources, re.MULTILINE)}
    assert not missing
