"""Every member of a structure that is handed over has a row, and the rule bites."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import handed_over as rules

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PREFORKD_BUILD", ROOT / "build-check"))


@pytest.fixture(scope="module")
def handed_over() -> rules.HandedOver:
    assert (BUILD / "compile_commands.json").exists(), f"{BUILD}: build first (./check does)"
    return rules.HandedOver(rules.preprocess(ROOT, BUILD))


def test_every_member_has_a_row(handed_over: rules.HandedOver) -> None:
    complaints = handed_over.check()
    assert not complaints, "\n".join(["", *complaints])


def test_the_tables_are_there(handed_over: rules.HandedOver) -> None:
    """Rules that look at nothing would find nothing."""
    assert handed_over.structs >= {"daemon", "pool", "worker", "pool_listener", "worker_output", "control",
                                   "control_client", "readiness", "manager_link", "fd_store"}


STRUCTS = """
struct inner { unsigned long deep; _Bool flat; };
struct part { int number; };
struct sample {
        int one, *two;
        unsigned count;
        unsigned long long const *const wide;
        unsigned long list[3];
        struct inner inner;
        struct part *part;
        int (*function)(int a, int b);
        enum { ONE, TWO } what;
        struct { int hidden; };
        struct { struct part *first; } head;
        char words[] __attribute__((aligned(8)));
};
"""


def row(kind: str, struct: str, member: str, name: str) -> str:
    number = "_Generic((((struct s *)((void *)0))->x), _Bool: FIELD_BOOL, int: FIELD_SIGNED)"
    shown = number if kind == "FIELD" else f"FIELD_{kind}"
    return f'{{.name = "" "{name}", .kind = {shown}, .offset = __builtin_offsetof (struct {struct}, {member})}},'


GOOD = [
    ("FIELD", "sample", "one", "one"),
    ("DERIVED", "sample", "two", "why, exactly; \\\"so\\\""),
    ("FIELD", "sample", "count", "count"),
    ("DERIVED", "sample", "wide", "why"),
    ("FIELD", "sample", "list", "list"),
    ("FIELD", "sample", "inner.deep", "deep"),
    ("FIELD", "sample", "inner.flat", "flat"),
    ("WRITTEN", "sample", "part", "part"),
    ("DERIVED", "sample", "function", "why"),
    ("WRITTEN", "sample", "what", "what"),
    ("FIELD", "sample", "hidden", "hidden"),
    ("DERIVED", "sample", "head", "why"),
    ("WRITTEN", "sample", "words", "words"),
    ("FIELD", "part", "number", "number"),
]


def check(rows: list[tuple[str, str, str, str]], structs: str = STRUCTS) -> list[str]:
    table = "static const struct field fields[] = {" + "".join(row(*entry) for entry in rows) + "};"
    functions = 'int f(void) { return g("part") + g("what") + g("words"); }'
    return rules.HandedOver([rules.parse("a.c", structs + table + functions)]).check()


def test_a_whole_table() -> None:
    assert not check(GOOD)


@pytest.mark.parametrize("missing", [entry[2] for entry in GOOD if entry[1] == "sample"])
def test_a_row_is_missing(missing: str) -> None:
    complaints = check([entry for entry in GOOD if entry[2] != missing])
    assert len(complaints) == 1 and f" {missing} has no row" in complaints[0], complaints


@pytest.mark.parametrize("row_, complaint", [
    (("FIELD", "sample", "gone", "gone"), "no member gone"),
    (("FIELD", "sample", "one", "uno"), "one has more than one row"),
    (("FIELD", "inner", "deep", "x"), "flat has no row"),
])
def test_a_row_too_many(row_: tuple[str, str, str, str], complaint: str) -> None:
    assert any(complaint in text for text in check([*GOOD, row_]))


def test_other_faults() -> None:
    assert any("no function writes words" in text
               for text in check([*GOOD[:12], ("WRITTEN", "sample", "words", "bytes"), GOOD[13]]))
    assert any('called "one"' in text for text in check([("FIELD", "sample", "two", "one"), GOOD[0], *GOOD[2:]]))
    assert any("struct part (sample.part) is handed over and has no table" in text for text in check(GOOD[:13]))
