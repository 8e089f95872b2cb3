"""The rules of architecture.py applied to the real tree; one test a rule, so that a failure names it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import architecture as rules

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PREFORKD_BUILD", ROOT / "build-check"))


@pytest.fixture(scope="module")
def tree() -> rules.Tree:
    return rules.Tree(ROOT)


def no_complaints(complaints: list[str]) -> None:
    assert not complaints, "\n".join(["", *complaints])


@pytest.mark.parametrize("rule", [
    rules.check_includes, rules.check_circles, rules.check_doors_are_one_way,
    rules.check_libev_in_one_place, rules.check_struct_daemon_in_one_room, rules.check_logic_headers, rules.check_forks,
    rules.check_waits, rules.check_forbidden_functions, rules.check_cloexec, rules.check_file_sizes,
    rules.check_function_sizes, rules.check_room_shares, rules.check_module_median, rules.check_function_median,
    rules.check_file_comments, rules.check_include_guards, rules.check_code_map,
], ids=lambda rule: rule.__name__.removeprefix("check_"))
def test_source(tree: rules.Tree, rule: Callable[[rules.Tree], list[str]]) -> None:
    no_complaints(rule(tree))


def test_the_tree_is_there(tree: rules.Tree) -> None:
    """Rules that look at nothing would find nothing."""
    assert {source.folder for source in tree.sources} >= {"base", "logic", "os", "lib", "master", "worker", "ctl", "bin"}


def symbols_of(folder: str) -> list[rules.Symbol]:
    archives = rules.archives_of(BUILD, folder)
    assert archives, f"{BUILD}/src/{folder} has no archive: build first (./check does)"
    symbols = []
    for archive in archives:
        found = rules.read_symbols(archive)
        assert found, f"nm says nothing about {archive}"
        symbols += found
    return symbols


def test_logic_calls_nothing_that_acts() -> None:
    base = {symbol.name for symbol in symbols_of("base") if symbol.kind == "T"}
    allowed = rules.read_allow_list(Path(__file__).with_name("logic-symbols.allow"))
    no_complaints(rules.check_logic_symbols(symbols_of("logic"), base, allowed))


@pytest.mark.parametrize("folder", ["base", "logic", "os", "lib", "master", "builtin", "worker", "ctl"])
def test_no_mutable_globals(folder: str) -> None:
    """One struct owns everything and is passed down; who gets no argument (a signal handler) is the exception."""
    no_complaints(rules.check_no_mutable_globals(symbols_of(folder), rules.MAY_HAVE_STATE.get(folder, set())))


def test_the_preload_object_takes_little_from_libc() -> None:
    """It runs inside of strange programs, which may have functions of their own under libc's names."""
    found = subprocess.run(["nm", "-D", "--undefined-only", BUILD / "src/preload/preforkd-preload.so"], check=True,
                           capture_output=True, text=True).stdout
    names = {line.split()[-1].partition("@")[0] for line in found.splitlines()}
    allowed = rules.read_allow_list(Path(__file__).with_name("preload-symbols.allow"))
    no_complaints(sorted(name for name in names if not any(pattern.fullmatch(name) for pattern in allowed)))
    assert "dlsym" in names
