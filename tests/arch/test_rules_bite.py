"""Each rule against a small tree that breaks it: a rule that cannot complain protects nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import architecture as rules

HEAD = "/* A file comment that says what this owns. */\n#pragma once\n"


def make_tree(root: Path, files: dict[str, str]) -> rules.Tree:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return rules.Tree(root)


def function(lines: int, comment: str = "") -> str:
    return f"{comment}int f(void)\n{{\n" + "        g();\n" * lines + "}\n"


BROKEN: list[tuple[Callable[[rules.Tree], list[str]], str, str]] = [
    (rules.check_includes, "src/logic/policy/a.c", '#include "os/process/spawn.h"\n'),
    (rules.check_includes, "src/logic/config/a.c", '#include "logic/policy/scale.h"\n'),
    (rules.check_includes, "src/os/a.c", '#include "logic/config/config.h"\n'),
    (rules.check_includes, "src/os/a.c", '#include "os/net/listener.h"\n'),
    (rules.check_includes, "src/lib/a.c", '#include "os/process/spawn.h"\n'),
    (rules.check_includes, "src/master/pool/a.c", '#include "worker/worker.h"\n'),
    (rules.check_includes, "src/worker/a.c", '#include "master/daemon/daemon.h"\n'),
    (rules.check_includes, "src/base/a.c", '#include "logic/config/config.h"\n'),
    (rules.check_includes, "src/base/a.c", '#include "text.h"\n'),
    (rules.check_includes, "src/base/a.c", "#include <logic/config/config.h>\n"),
    (rules.check_includes, "src/novel/a.c", "int a;\n"),
    (rules.check_includes, "src/logic/a.c", "int a;\n"),
    (rules.check_includes, "include/prefork/a.h", '#include "base/text.h"\n'),
    (rules.check_libev_in_one_place, "src/master/pool/pool.c", "#include <ev.h>\n"),
    (rules.check_struct_daemon_in_one_room, "src/master/pool/a.c", "struct  daemon;\n"),
    (rules.check_struct_daemon_in_one_room, "src/bin/a.c", '#include "master/daemon/private.h"\n'),
    (rules.check_logic_headers, "src/logic/policy/a.c", "#include <unistd.h>\n"),
    (rules.check_forks, "src/master/pool/a.c", "void f(void)\n{\n        fork();\n}\n"),
    (rules.check_forks, "src/os/a.c", "void f(void)\n{\n        syscall(SYS_clone3, 0);\n}\n"),
    (rules.check_forks, "src/worker/a.c", "void f(void)\n{\n        posix_spawn (a);\n}\n"),
    (rules.check_waits, "src/master/pool/pool.c", "void f(void)\n{\n        waitpid(1, NULL, 0);\n}\n"),
    (rules.check_waits, "src/worker/a.c", "void f(void)\n{\n        waitid(P_ALL, 0, NULL, 0);\n}\n"),
    (rules.check_forbidden_functions, "src/base/a.c", "int a = sprintf(b, c);\n"),
    (rules.check_forbidden_functions, "src/base/a.c", "int a = strtok(b, c);\n"),
    (rules.check_cloexec, "src/os/a.c", "int a = socket(AF_INET,\n        SOCK_STREAM, 0);\n"),
    (rules.check_cloexec, "src/os/a.c", "int a = open(path, O_RDONLY);\n"),
    (rules.check_cloexec, "src/os/a.c", "int a = memfd_create(name, MFD_ALLOW_SEALING);\n"),
    (rules.check_cloexec, "src/os/a.c", "int a = accept(fd, NULL, NULL);\n"),
    (rules.check_cloexec, "src/os/a.c", 'FILE *a = fopen(path, "r");\n'),
    (rules.check_file_sizes, "src/os/a.c", "int a;\n" * 401),
    (rules.check_file_sizes, "src/os/a.c", "/* long: it is a table of very many rows */\n" + "int a;\n" * 801),
    (rules.check_function_sizes, "src/os/a.c", function(41)),
    (rules.check_function_sizes, "src/os/a.c", function(101, "/* long: it does a lot of things */\n")),
    (rules.check_room_shares, "src/os/a.c", "int a;\n"),
    (rules.check_module_median, "src/os/a.c", "int a;\n" * 149),
    (rules.check_module_median, "src/os/a.c", "int a;\n" * 401),
    (rules.check_function_median, "src/os/a.c", function(22)),
    (rules.check_file_comments, "src/os/a.h", "#pragma once\nint a(void);\n"),
    (rules.check_file_comments, "src/os/a.c", "int a(void);\n"),
    (rules.check_include_guards, "src/os/a.h", "/* A file comment that says something. */\n"),
    (rules.check_code_map, "src/os/a.c", "int a(void);\n"),
    (rules.check_code_map, "src/README.md", "- `os/gone`: was here once\n"),
]


@pytest.mark.parametrize(("rule", "name", "text"), BROKEN,
                         ids=[f"{rule.__name__}-{number}" for number, (rule, _, _) in enumerate(BROKEN)])
def test_a_broken_tree_is_noticed(tmp_path: Path, rule: Callable[[rules.Tree], list[str]], name: str,
                                  text: str) -> None:
    complaints = rule(make_tree(tmp_path, {"src/README.md": "", name: text}))
    assert len(complaints) == 1, complaints


ROOMS = sorted(rules.MAY_INCLUDE)


@pytest.mark.parametrize("room", ROOMS)
def test_every_closed_door_is_noticed(tmp_path: Path, room: str) -> None:
    """From each room into each other one: complained of exactly where the table has no door."""
    includes = "".join(f'#include "{other}/a.h"\n' for other in ROOMS)
    complaints = rules.check_includes(make_tree(tmp_path, {f"src/{room}/b.c": includes}))
    closed = {other for other in ROOMS if not rules.may_include(room, other)}
    assert {re.search(r"must not include (.*)/ \(", line)[1] for line in complaints} == closed
    assert closed or room in ("bin",)


def test_circles_are_noticed(tmp_path: Path) -> None:
    """Of two files, of three, by way of a header, and between rooms."""
    for chain in (["os/a", "os/b"], ["os/a", "os/b", "os/c"], ["master/pool/a", "os/net/b"]):
        files = {f"src/{name}.h": HEAD + f'#include "{following}.h"\n'
                 for name, following in zip(chain, chain[1:] + chain[:1])}
        assert len(rules.check_circles(make_tree(tmp_path / str(len(chain)) / chain[1], files))) == 1
    split = {"src/os/a.h": HEAD, "src/os/a.c": '#include "os/b.h"\n', "src/os/b.h": HEAD + '#include "os/a.h"\n'}
    assert rules.check_circles(make_tree(tmp_path / "split", split)) == ["os/a includes os/b includes os/a: a circle"]


def test_doors_both_ways_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rules.MAY_INCLUDE, "base", {"ctl"})
    assert any(line.startswith("base/ may include ctl/") for line in rules.check_doors_are_one_way(rules.Tree(tmp_path)))


GOOD = {
    "src/README.md": "# Map\n\n- `os/a`: opens\n- `os/process/spawn`: makes processes\n- `master/loop/evloop`: the loop\n"
                     "- `logic/policy/b`: decides\n- `prefork/slot`: what workers report\n",
    "src/os/a.h": HEAD,
    "src/os/a.c": '#include "os/a.h"\n#include "base/text.h"\n\n/* long: it is long because it is a test of length */\n'
                  + function(60) +
                  "/* fork() and atoi(x) in a comment, and a call of wait. */\n"
                  'const char *s = "system(ls) /* no comment */ fork()";\n'
                  "int a = open(path, O_RDONLY | O_CLOEXEC);\n"
                  "int b = loop->accept(x);\nint c = try_open(path);\nint d = slot_wait(x);\n"
                  "/* cloexec: handed to the handler on purpose */\nint e = dup(x);\n"
                  'FILE *f = fopen(path, "re");\n#define FLAGS (O_RDONLY | O_CLOEXEC)\nint g = open(path, FLAGS);\n'
                  "int type = SOCK_STREAM | SOCK_CLOEXEC;\nint h = socket(AF_INET, type, 0);\n",
    "src/os/process/spawn.h": HEAD,
    "src/os/process/spawn.c": "int a = fork();\n",
    "src/master/loop/evloop.h": HEAD,
    "src/master/loop/evloop.c": '#include <ev.h>\n#include "os/process/spawn.h"\n#include "base/b.h"\n#include "prefork/slot.h"\n',
    "src/logic/policy/b.h": HEAD + "#include <stdint.h>\n",
    "include/prefork/slot.h": HEAD + "#include <stdint.h>\n",
}


# These are true of a whole house, and not of the small one below.
MEASURES = {rules.check_room_shares, rules.check_module_median, rules.check_function_median}


@pytest.mark.parametrize("rule", sorted({rule for rule, _, _ in BROKEN} - MEASURES, key=lambda rule: rule.__name__),
                         ids=lambda rule: rule.__name__)
def test_a_good_tree_passes(tmp_path: Path, rule: Callable[[rules.Tree], list[str]]) -> None:
    assert rule(make_tree(tmp_path, GOOD)) == []


def compile_archive(directory: Path, code: str) -> list[rules.Symbol]:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    (directory / "x.c").write_text(code)
    subprocess.run(["gcc", "-fPIE", "-c", "x.c", "-o", "x.c.o"], cwd=directory, check=True)
    subprocess.run(["ar", "csrDT", "libx.a", "x.c.o"], cwd=directory, check=True)
    return rules.read_symbols(directory / "libx.a")


def test_mutable_globals_are_noticed(tmp_path: Path) -> None:
    symbols = compile_archive(tmp_path, """
        static int counter; int level = 3; static const char *const names[] = {"a"};
        const char *f(int i) { static int calls; return names[i + calls++ + counter++]; }
        """)
    complaints = rules.check_no_mutable_globals(symbols, set())
    assert [c.split()[1].split(".")[0] for c in complaints] == ["calls", "counter", "level"], complaints
    assert rules.check_no_mutable_globals(symbols, {"x.c.o"}) == []


def test_acting_symbols_are_noticed(tmp_path: Path) -> None:
    symbols = compile_archive(tmp_path, """
        int open(const char *, int, ...); void log_emit(void); void text_append(void);
        unsigned long strlen(const char *); void own(void) {}
        int f(char *s) { own(); log_emit(); text_append(); return open(s, (int)strlen(s)); }
        """)
    allowed = rules.read_allow_list(Path(__file__).with_name("logic-symbols.allow"))
    complaints = rules.check_logic_symbols(symbols, {"log_emit", "text_append"}, allowed)
    assert [c.split()[5].rstrip(":") for c in complaints] == ["log_emit", "open"], complaints
