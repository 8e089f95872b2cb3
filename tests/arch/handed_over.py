"""What a master hands over, held against the structures it stands in: every member has a row in its structure's table.

A table (`static const struct field …[]`, see src/master/state/struct_json.h) has a row for each member of a structure:
`FIELD` and `FIELD_ARRAY` (written by the table), `WRITTEN` (written by a function, under that name) or `DERIVED` (not
handed over, and why). Tables and structures are read after the preprocessor, so that members and rows that a macro makes
count as others do. Which structures are handed over is not listed here: it is those that have rows, and those that the
members written by functions are made of.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

# Structures that functions write, and that need no table: the configuration has its own, of options, by which it is
# printed and read; a text is its bytes.
WRITTEN_AS_A_WHOLE = {"config", "pool_config", "text"}


@dataclass
class Member:
    """A member of a structure; `struct` is the tag it is made of or points to, `inside` that it is there by value."""

    name: str
    struct: str | None
    inside: bool


@dataclass
class Row:
    """A row: `FIELD`, `WRITTEN` or `DERIVED`, of which member (`backoff.failures`), and its name or reason."""

    kind: str
    struct: str
    member: str
    name: str


@dataclass
class Unit:
    """A source file after the preprocessor."""

    name: str
    structs: dict[str, list[Member]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    words: set[str] = field(default_factory=set)  # strings outside of tables


def closing(text: str, at: int) -> int:
    """The index behind the bracket that closes the one at `at`."""
    depth = 0
    for match in re.compile(r'[(\[{]|[)\]}]|"(?:\\.|[^"\\])*"').finditer(text, at):
        if match.group(0) in "([{":
            depth += 1
        elif match.group(0) in ")]}":
            depth -= 1
            if depth == 0:
                return match.end()
    raise ValueError(f"a bracket without its end: {text[at:at + 80]}")


def split(text: str, separator: str) -> list[str]:
    """Split outside of brackets."""
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] in "([{":
            at = closing(text, at)
            continue
        if text[at] == separator:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def strip_attributes(text: str) -> str:
    while match := re.search(r"__attribute__\s*\(", text):
        text = text[:match.start()] + text[closing(text, match.end() - 1):]
    return text


TYPE = re.compile(r"(?:(?:const|volatile|__extension__)\s+)*(?:(?:struct|union|enum)\s+\w+"
                  r"|(?:(?:unsigned|signed|long|short|int|char|_Bool|float|double)\b\s*)+|\w+)"
                  r"(?:\s*\b(?:const|volatile)\b)*")


def parse_members(body: str) -> list[Member]:
    """The members that the text between a structure's braces declares."""
    members: list[Member] = []
    for declaration in split(strip_attributes(body), ";"):
        if declaration.startswith("_Static_assert"):
            continue
        brace = declaration.find("{")
        if brace >= 0:  # struct, union or enum, defined on the spot
            end = closing(declaration, brace)
            declarators = declaration[end:]
            if not declarators.strip() and not declaration.startswith("enum"):
                members += parse_members(declaration[brace + 1:end - 1])
            tag = None
        else:
            found = TYPE.match(declaration)
            assert found, declaration
            declarators = declaration[found.end():]
            named = re.search(r"\bstruct\s+(\w+)", found.group(0))
            tag = named.group(1) if named else None
        for declarator in split(declarators, ","):
            name = re.search(r"\(\s*\*\s*(\w+)\s*\)|([A-Za-z_]\w*)\s*(?:$|[\[:])", declarator)
            assert name, declaration
            members.append(Member(name.group(1) or name.group(2), tag, "*" not in declarator))
    return members


def parse_rows(table: str) -> list[Row]:
    rows = []
    for row in re.split(r"\{\s*(?=\.name\b)", table)[1:]:
        place = re.search(r"__builtin_offsetof\s*\(\s*struct\s+(\w+)\s*,\s*([\w.]+)\s*\)", row)
        kind = re.search(r"\.kind\s*=\s*(?:FIELD_)?(WRITTEN|DERIVED)?", row)
        literals = re.match(r'\.name\s*=\s*((?:"(?:\\.|[^"\\])*"\s*)+)', row)
        assert place and kind and literals, row
        name = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', literals.group(1)))
        rows.append(Row(kind.group(1) or "FIELD", place.group(1), place.group(2), name))
    return rows


def parse(name: str, text: str) -> Unit:
    """A preprocessed source."""
    unit = Unit(name)
    for match in re.finditer(r"\bstruct\s+(\w+)\s*\{", text):
        unit.structs[match.group(1)] = parse_members(text[match.end():closing(text, match.end() - 1) - 1])
    rest = text
    for match in reversed(list(re.finditer(r"\bconst\s+struct\s+field\s+\w+\[\]\s*=\s*\{", text))):
        end = closing(text, match.end() - 1)
        unit.rows += parse_rows(text[match.end():end])
        rest = rest[:match.start()] + rest[end:]
    unit.words = set(re.findall(r'"((?:\\.|[^"\\])*)"', rest))
    return unit


def preprocess(root: Path, build: Path) -> list[Unit]:
    """Every source of master/ that has a table, or a part that functions write."""
    units = []
    for command in json.loads((build / "compile_commands.json").read_text()):
        source = Path(command["directory"], command["file"]).resolve()
        if root / "src" / "master" not in source.parents or not re.search(
                r"const struct (?:field|state_part) \w+(?:\[\])? =", source.read_text()):
            continue
        words = shlex.split(command["command"])
        words = words[:words.index("-o")] + ["-U_FORTIFY_SOURCE", "-E", "-P", str(source)]
        text = subprocess.run(words, cwd=command["directory"], check=True, capture_output=True, text=True).stdout
        units.append(parse(str(source.relative_to(root / "src")), text))
    return units


class HandedOver:
    """All tables together."""

    def __init__(self, units: list[Unit]) -> None:
        self.units = units
        self.words = {word for unit in units for word in unit.words}
        self.rows = [row for unit in units for row in unit.rows]
        self.structs = {row.struct for row in self.rows}
        self.complaints: list[str] = []
        # A structure of a .c file is found there first: another file may have one of the same name.
        self.known = {name: members for unit in units for name, members in unit.structs.items()}
        for unit in units:
            for row in unit.rows:
                self.known[row.struct] = unit.structs.get(row.struct, self.known.get(row.struct, []))

    def find(self, struct: str, path: str) -> Member | None:
        """The member that a row names."""
        name, _, rest = path.partition(".")
        for member in self.known.get(struct, []):
            if member.name == name:
                return self.find(member.struct, rest) if rest and member.struct else member
        return None

    def check_members(self, struct: str, members: list[Member], rows: set[str], path: str = "") -> None:
        for member in members:
            full = path + member.name
            deeper = {row for row in rows if row.startswith(full + ".")}
            if full in rows:
                continue
            if deeper and member.struct:
                self.check_members(struct, self.known[member.struct], deeper, full + ".")
            else:
                self.complaints.append(f"struct {struct}: {full} has no row in its table: hand it over, or say why it is "
                                       "not (DERIVED)")

    def check_row(self, row: Row) -> None:
        member = self.find(row.struct, row.member)
        if not member:
            self.complaints.append(f"struct {row.struct}: no member {row.member} is found for its row")
        elif row.kind == "WRITTEN":
            if row.name not in self.words:
                self.complaints.append(f"struct {row.struct}: no function writes {row.member} as \"{row.name}\"")
            if member.struct and member.struct not in self.structs | WRITTEN_AS_A_WHOLE:
                self.complaints.append(f"struct {member.struct} ({row.struct}.{row.member}) is handed over and has no "
                                       "table")

    def check(self) -> list[str]:
        for struct in sorted(self.structs):
            rows = [row for row in self.rows if row.struct == struct]
            self.check_members(struct, self.known.get(struct, []), {row.member for row in rows})
            for row in rows:
                self.check_row(row)
                if sum(other.member == row.member for other in rows) > 1:
                    self.complaints.append(f"struct {struct}: {row.member} has more than one row")
                names = [other.name for other in rows if other.kind != "DERIVED"]
                if row.kind != "DERIVED" and names.count(row.name) > 1:
                    self.complaints.append(f"struct {struct}: more than one member is called \"{row.name}\"")
        return self.complaints
