"""Static analysis: it finds, and does not look twice at what has not changed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "tidy.py"
SETTINGS = SCRIPT.parents[1] / ".clang-tidy"


class Project:
    """A program of two files with a header, built by ninja alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.build = root / "build"
        self.build.mkdir()
        self.write(".clang-tidy", "Checks: '-*,bugprone-*'\nWarningsAsErrors: '*'\nHeaderFilterRegex: '.*'\n")
        self.write("a.h", "#define TWICE(x) ((x) * 2)\nint twice(int x);\n")
        self.write("a.c", '#include "a.h"\nint twice(int x)\n{\n        return TWICE(x);\n}\n')
        self.write("b.c", "int one(void)\n{\n        return 1;\n}\n")
        self.write("build/build.ninja",
                   "rule cc\n  command = cc -MD -MF $out.d -c $in -o $out\n  deps = gcc\n  depfile = $out.d\n"
                   "build a.o: cc ../a.c\nbuild b.o: cc ../b.c\n")

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def tidy(self) -> tuple[int, str]:
        """Build and analyse: the status, and what was printed."""
        subprocess.run(["ninja", "-C", self.build], check=True, capture_output=True)
        commands = subprocess.run(["ninja", "-C", self.build, "-t", "compdb"], check=True, capture_output=True).stdout
        (self.build / "compile_commands.json").write_bytes(commands)
        done = subprocess.run([sys.executable, str(SCRIPT), str(self.build)], check=False, capture_output=True,
                              text=True)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_clean_files_are_not_looked_at_again(project: Project) -> None:
    assert project.tidy() == (0, "2 files, 2 of them new or changed, 0 with findings\n")
    assert project.tidy() == (0, "2 files, 0 of them new or changed, 0 with findings\n")


def test_a_finding_stays_until_it_is_mended(project: Project) -> None:
    project.write("a.h", "#define TWICE(x) (x * 2)\nint twice(int x);\n")
    for looked in (2, 1):
        status, text = project.tidy()
        assert status == 1 and "[bugprone-macro-parentheses" in text
        assert f"{looked} of them new or changed, 1 with findings" in text
    project.write("a.h", "#define TWICE(x) ((x) * 2)\nint twice(int x);\n")
    assert project.tidy() == (0, "2 files, 1 of them new or changed, 0 with findings\n")


def test_changes_of_a_header_or_of_the_checks_are_seen(project: Project) -> None:
    project.tidy()
    project.write("a.h", "#define TWICE(x) (x * 2)\nint twice(int x);\n")
    status, text = project.tidy()
    assert status == 1 and "1 of them new or changed" in text
    project.write(".clang-tidy", "Checks: '-*,bugprone-*,-bugprone-macro-parentheses'\nWarningsAsErrors: '*'\n")
    assert project.tidy() == (0, "2 files, 2 of them new or changed, 0 with findings\n")


def test_functions_without_a_safe_use_are_found(project: Project) -> None:
    """With the checks of this project, so that no exception hides them."""
    calls = ["strcpy(b, s)", "strcat(b, s)", "gets(b)", "system(s)", "popen(s, s)", "atof(s)", "atoi(s)", "atol(s)",
             "atoll(s)", 'sscanf(s, "%d", &i)']
    project.write(".clang-tidy", SETTINGS.read_text())
    project.write("b.c", "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nchar *gets(char *);\n" +
                  "".join(f"void f{n}(char *b, const char *s, int i)\n{{\n        (void){call};\n}}\n"
                          for n, call in enumerate(calls)))
    text = project.tidy()[1]
    found = [call for n, call in enumerate(calls) if re.search(rf"b\.c:{4 * n + 7}:\d+: error: ", text)]
    assert found == calls


def test_nothing_to_look_at_is_a_failure(project: Project) -> None:
    project.write("build/build.ninja", "rule cc\n  command = true\n")
    assert project.tidy()[0] == 1
