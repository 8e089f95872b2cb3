"""The words held against the program: manuals, sample file and README say what is there, all of it, and nothing else.

What exists is asked of the program itself (`--help`, `--help-config`, `-T`) or, where it does not tell, read from its
sources. So an option that is added, renamed or given another default fails here until it is documented.
"""

from __future__ import annotations

import fnmatch
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PREFORKD_BUILD", ROOT / "build-check"))
PREFORKD = BUILD / "src/bin/preforkd"
PAGES = ["libprefork.3", "preforkctl.1", "preforkd.8", "preforkd.conf.5", "preforkd-control.7", "preforkd-handler.7",
         "preforkd-metrics.7", "preforkd-module.7"]
USER = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() else "nobody"
# The objects that are loaded into handlers and workers, where every user can read it.
READABLE = tempfile.TemporaryDirectory(prefix="preforkd-docs-", dir="/tmp")


def readable(name: str) -> str:
    source, target = BUILD / "src" / name, Path(READABLE.name) / Path(name).name
    if source.exists() and not target.exists():
        Path(READABLE.name).chmod(0o755)
        shutil.copy(source, target)
        target.chmod(0o755)
    return str(target)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PREFORKD, *arguments], capture_output=True, text=True, check=False, timeout=30,
                          env={**os.environ, "PREFORKD_PRELOAD": readable("preload/preforkd-preload.so"),
                               "PREFORKD_STATUS": readable("web/preforkd-status.so")})


def page_path(name: str) -> Path:
    """Of a page as it is installed: some are made by the build."""
    built = BUILD / "man" / name
    return built if built.exists() else ROOT / "man" / name


def page(name: str) -> str:
    return page_path(name).read_text()


def source(name: str) -> str:
    """A source file, or all files of a room one after the other, so that what moves inside of it is still found."""
    path = ROOT / "src" / name
    return path.read_text() if path.is_file() else "".join(file.read_text() for file in sorted(path.glob("*.[ch]")))


def rendered(name: str) -> str:
    """A manual as people read it, without bold and underline, and each run of blanks as one."""
    if not shutil.which("mandoc"):
        pytest.skip("needs mandoc")
    text = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", page_path(name)], check=True,
                          capture_output=True, text=True).stdout
    return re.sub(r"\s+", " ", re.sub(".\b", "", text))


def section(text: str, title: str) -> str:
    """The source of one `.Sh` section."""
    found = re.search(rf"^\.Sh {re.escape(title)}\n(.*?)(?=^\.Sh |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found.group(1)


@dataclass
class Option:
    """One option as --help-config describes it."""

    name: str
    default: str | None
    help: str
    takes: str
    kind: str
    effect: str
    of_pool: bool


def read_options() -> dict[str, Option]:
    text = run("--help-config").stdout
    pools_begin = text.index("[POOL]")
    found = re.finditer(r"^(\w+)(?: = (.*))?\n +(.*)\n +takes (.*)\n +(.*); a change (.*)$", text, re.MULTILINE)
    return {m[1]: Option(m[1], m[2], m[3], m[4], m[5], m[6], m.start() > pools_begin) for m in found}


OPTIONS = read_options() if PREFORKD.exists() else {}


def test_the_program_is_there() -> None:
    """Without options there would be nothing to compare."""
    assert PREFORKD.exists(), f"{PREFORKD} is missing: build first (./check does)"
    rows = re.findall(r"^        \[(?:POOL|MASTER)_\w+\] = \{\"(\w+)\"(.*?\n(?=        \[|\};))",
                      source("logic/config"), re.MULTILINE | re.DOTALL)
    built = {name for name, rest in rows if not re.search(r"\.not_built = true[^\"]*\.help|\.not_built = true, \.", rest)}
    assert OPTIONS.keys() == built


# --- preforkd.conf(5) -----------------------------------------------------------------------------------------------

def test_every_option_has_an_entry_and_every_entry_an_option() -> None:
    entries = re.findall(r"^\.It Ic (\w+)$", page("preforkd.conf.5"), re.MULTILINE)
    assert sorted(entries) == sorted(OPTIONS)


def test_options_stand_in_their_section() -> None:
    text = page("preforkd.conf.5")
    of_master = re.findall(r"^\.It Ic (\w+)$", section(text, "THE PREFORKD SECTION"), re.MULTILINE)
    assert set(of_master) == {option.name for option in OPTIONS.values() if not option.of_pool}


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS.keys())
def test_entry(option: Option) -> None:
    """Type, values, default and effect as the option table has them, and then at least a sentence of advice."""
    default = f"default {option.default}" if option.default is not None \
        else "required" if "(required)" in option.help else "no default"
    expected = f" {option.name} {option.kind}: {option.takes}; {default}; a change {option.effect}. "
    text = rendered("preforkd.conf.5")
    assert expected in text, f"preforkd.conf(5) does not say:{expected}"
    entry = page("preforkd.conf.5").split(f".It Ic {option.name}\n.Em")[1].split("\n.It Ic ")[0]
    advice = entry.split("\n.Pp\n", 1)[1]
    assert len(advice.split()) >= 5, f"no advice on {option.name}"


def test_nothing_is_reserved() -> None:
    """No key and no word is refused as not available yet; one that is again wants a section that lists it."""
    assert not re.findall(r"\.not_built = true", source("logic/config"))
    assert "NOT AVAILABLE YET" not in page("preforkd.conf.5")


@pytest.mark.parametrize(("file", "name", "text"), [
    ("master/config", "FILE_MAX_MIB", "A file has at most {} MiB"),
    ("logic/config", "POOL_NAME_MAX", "has at most {} bytes"),
    ("worker/refuser.c", "PATIENCE_MS", "within {} milliseconds"),
    ("logic/protocol", "LINE_SPLITTER_MAX", "A line has at most {} bytes"),
    ("master/pool", "UNFINISHED_MS", "after {} milliseconds"),
], ids=lambda value: value if value.isupper() else "")
def test_numbers(file: str, name: str, text: str) -> None:
    """Numbers that the manuals repeat from the sources."""
    found = re.search(rf"^#define {name} (\d+)", source(file), re.MULTILINE)
    assert found, f"{file}: no {name}"
    expected = text.format(f"{int(found.group(1)):,}")
    assert any(expected in rendered(name) for name in PAGES), f"no page says: {expected}"


# --- preforkd(8) ----------------------------------------------------------------------------------------------------

def test_command_line() -> None:
    in_help = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][a-z-]*)(?=[ ,=])", run("--help").stdout.split("Signals:")[0]))
    in_help -= {"--KEY"}
    text = page("preforkd.8")
    documented = set()
    for line in re.findall(r"^\.It Fl (.*)$", section(text, "DESCRIPTION"), re.MULTILINE):
        for word in re.split(r" , Fl ", line):
            name = word.split()[0]
            documented.add(f"-{name}" if name != "-" else "--KEY")
    assert documented == in_help | {"--KEY"}
    chosen = re.findall(r'\{"(-\w)?", "(--[\w-]+)"', source("bin").replace('{"", ', '{"-", '))
    assert {name for pair in chosen for name in pair if name} <= documented


def test_signals() -> None:
    handled = set(re.findall(r"^        case (SIG\w+):", source("master/daemon"), re.MULTILINE)) - {"SIGCHLD"}
    entries = re.findall(r"^\.It Dv (SIG.*)$", section(page("preforkd.8"), "SIGNALS"), re.MULTILINE)
    assert {name for entry in entries for name in re.findall(r"SIG\w+", entry)} == handled
    said = run("--help").stdout.split("Signals:")[1].split("Exit codes")[0]
    assert {f"SIG{name}" for name in re.findall(r"\b[A-Z][A-Z0-9]+\b", said)} == handled


def test_exit_codes() -> None:
    enum = re.search(r"enum \{\s*MASTER_EXIT_OK(.*?)\}", source("master/daemon"), re.DOTALL)
    assert enum
    codes = set(re.findall(r"= (\d+)", enum.group(0)))
    assert set(re.findall(r"^\.It (\d+)$", section(page("preforkd.8"), "EXIT STATUS"), re.MULTILINE)) == codes
    said = run("--help").stdout.split("Exit codes:")[1].split("\n")[0]
    assert set(re.findall(r"\b\d+\b", said)) == codes


# --- preforkd-handler(7) --------------------------------------------------------------------------------------------

def test_variables_of_a_connection() -> None:
    given = set(re.findall(r'add_(?:peer|if)\(environment, "(\w+)', source("worker")))
    entries = re.findall(r"^\.It Ev (.*)$", section(page("preforkd-handler.7"), "ENVIRONMENT"), re.MULTILINE)
    assert {name for entry in entries for name in entry.split(" , ")} == given


# --- libprefork(3) --------------------------------------------------------------------------------------------------

def test_library() -> None:
    """Functions are the same in the header, the manual, the version script and both libraries."""
    header = re.findall(r"^PREFORK_API .*?(\w+)\(", (ROOT / "include/prefork/worker.h").read_text(), re.MULTILINE)
    text = page("libprefork.3")
    assert re.findall(r"^\.Fn (\w+)", section(text, "SYNOPSIS"), re.MULTILINE) == header
    assert set(re.findall(r"^\.Nm (\w+)", section(text, "NAME"), re.MULTILINE)) == set(header)
    assert set(re.findall(r"^\s+(prefork_\w+);", (ROOT / "src/lib/libprefork.map").read_text(), re.MULTILINE)) == set(header)
    lists = {"libprefork.so.0": ["-D"], "libprefork.a": ["-g"]}
    for name, options in lists.items():
        said = subprocess.run(["nm", *options, "--defined-only", BUILD / "src/lib" / name], check=True,
                              capture_output=True, text=True).stdout
        found = {tuple(line.split()[2].split("@@")) for line in said.splitlines() if " T " in line}
        assert {names[0] for names in found} == set(header), name
        assert name.endswith(".a") or {names[1:] for names in found} == {("PREFORK_0",)}


def test_library_variables() -> None:
    """Those that a program reads; the others are between the worker and its preload object."""
    for_programs, _, _ = source("lib/attach.c").partition("[ATTACH_STOP]")
    names = re.findall(r'= \{"(PREFORK_\w+)"', for_programs)
    assert len(names) == 10
    assert re.findall(r"^\.It Ev (\w+)$", section(page("libprefork.3"), "ENVIRONMENT"), re.MULTILINE) == names


def test_message_ids() -> None:
    """The table, the catalog and the list in preforkd(8): the same ids, each once."""
    table = re.findall(r'\[MESSAGE_ID_\w+\] = "(\w+)"', source("base"))
    catalog = (ROOT / "systemd/preforkd.catalog").read_text()
    listed = re.findall(r"^\.It Li ([0-9a-f]{32})$", section(page("preforkd.8"), "LOGGING"), re.MULTILINE)
    assert len(table) >= 17 and len(set(table)) == len(table)
    assert re.findall(r"^-- (\S+)$", catalog, re.MULTILINE) == table == listed
    entries_ = re.split(r"^-- \S+\n", catalog, flags=re.MULTILINE)[1:]
    for entry in entries_:
        head, _, text = entry.partition("\n\n")
        assert re.findall(r"^([\w-]+): \S", head, re.MULTILINE) == ["Subject", "Defined-By", "Support", "Documentation"]
        assert text.strip() and max(map(len, text.splitlines())) <= 80, head
        for page_name in re.findall(r"man:([\w.-]+)\((\d)\)", head):
            assert (ROOT / "man" / ".".join(page_name)).exists(), page_name


def test_message_ids_name_fields_that_exist() -> None:
    """@POOL@ and the like are fields that os/log/journal.c writes."""
    fields = set(re.findall(r'"([A-Z_]+)"', source("os/log")))
    assert {"POOL", "WORKER_PID"} <= set(re.findall(r"@(\w+)@", (ROOT / "systemd/preforkd.catalog").read_text())) <= fields


def test_variables_that_are_withheld() -> None:
    table = re.search(r"withheld\[\] = \{(.*?)\};", source("logic/config"), re.DOTALL)
    assert table
    withheld = set(re.findall(r'"(\w+)"', table.group(1)))
    text = page("preforkd.conf.5") + page("preforkd-handler.7")
    named = set(re.findall(r"\b(?:NOTIFY_SOCKET|LISTEN_FDS|WATCHDOG_\w+|JOURNAL_STREAM|INVOCATION_ID|CREDENTIALS_\w+)\b",
                           text))
    assert named and named <= withheld


# --- preforkctl(1) and preforkd-control(7) --------------------------------------------------------------------------

def commands() -> dict[str, str]:
    """The table of the daemon: what a command is called and what it takes."""
    return dict(re.findall(r"\[CONTROL_\w+\] = \{\"([\w-]+)\", \"([^\"]*)\"", source("logic/protocol")))


def entries(text: str) -> dict[str, str]:
    """Commands that have an entry, and what it says that they take, in the words of the table."""
    found = {}
    for line in re.findall(r"^\.It (Ic .*)$", text, re.MULTILINE):
        words = re.sub(r"\b(Ar|Ic|Ns) ?", "", re.sub(r"Ns = Ns Ar", "=", line))
        words = re.sub(r" ?= ?", "=", re.sub(r"Op (\w+)", r"[\1]", re.sub(r"Fl -", "--", words)))
        words = re.sub(r"Op (--[\w-]+)", r"[\1]", words).replace(" ...", "...")
        name, _, rest = words.strip().partition(" ")
        found[name] = re.sub(r"(?<![\w-])(pool|pid|path|key|value)\b", lambda match: match.group(0).upper(), rest)
    return found


def test_commands_are_described() -> None:
    table = commands()
    assert len(table) == 15
    protocol = {name: takes for name, takes in entries(section(page("preforkd-control.7"), "DESCRIPTION")).items()}
    assert protocol == table
    described = entries(section(page("preforkctl.1"), "COMMANDS"))
    assert {name: takes for name, takes in described.items() if name in table} == table
    assert described.keys() - table.keys() == {"top", "metrics", "logs", "advise", "healthcheck", "import", "help"}
    said = subprocess.run([BUILD / "src/ctl/preforkctl", "help"], capture_output=True, text=True, check=True).stdout
    for name, takes in table.items():
        assert f"  {name} {takes} ".replace("  ", " ") in said.replace("  ", " "), name


def import_table(program: str) -> dict[str, str]:
    """What `preforkctl import` knows of a program: its directives, and our key or `-`."""
    said = subprocess.run([BUILD / "src/ctl/preforkctl", "import", program, "--table"], capture_output=True, text=True, check=True)
    return {line.split()[0]: line.split()[1] for line in said.stdout.splitlines()}


def migration_table(heading: str) -> dict[str, str]:
    """What preforkd(8) says about a program: its directives, and the text beside them."""
    rows: dict[str, str] = {}
    table = section(page("preforkd.8"), "MIGRATION").split(f".Ss From {heading}\n")[1].split("\n.El")[0]
    words: list[str] = []
    for line in re.findall(r"^\.It (.*)$", table, re.MULTILINE)[1:]:
        theirs, ours = line.split("Ta ", 1)
        if theirs.strip():
            plain = re.sub(r"\b(Li|Fl|Ar|Ns|No|Cm) ", "", theirs)
            words = [word for word in (re.split(r"[ =\[]", word.strip())[0] for word in plain.split(" , ")) if word]
        for word in words:
            rows[word] = rows.get(word, "") + " " + ours
    return rows


@pytest.mark.parametrize("program, heading", [("xinetd", "xinetd"), ("inetd", "inetd"), ("tcpserver", "tcpserver"), ("php-fpm", "php-fpm"),
                                              ("systemd", "sockets of systemd with Accept=yes")])
def test_migration_tables(program: str, heading: str) -> None:
    """The manual and the importer say the same about each directive."""
    code, manual = import_table(program), migration_table(heading)
    unknown = {word for word in manual if not any(fnmatch.fnmatchcase(word, known) for known in code if known != "*")}
    assert not unknown - {"No", "sandbox", "defaults"}, unknown
    options = set(re.findall(r"^(\w+)", run("--help-config").stdout, re.MULTILINE))
    for word, ours in code.items():
        if ours in options:
            beside = manual.get(word.rstrip("*"), "").replace("-", "_")
            assert re.search(rf"(\bIc |, |Fl _){ours}\b", beside), f"{word} is {ours}, not {beside}"


def test_the_table_of_scaling() -> None:
    """The ranges in the manual are those of the replay's table, which is generated."""
    cells = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in (ROOT / "tests/README.md").read_text().splitlines()
             if re.match(r"\| [a-z/ ]+ \| (1|150) \| \d+ \|", line)]
    assert len(cells) == 48
    rows = re.findall(r"^\.It \"?([^\"\n]*?)\"? Ta (.*)$", section(page("preforkd.conf.5"), "ADAPTIVE SCALING"), re.MULTILINE)[1:]
    assert len(rows) == len(cells[0]) - 3
    for i, (rule, said) in enumerate(rows):
        expected = []
        for start in ("1", "150"):
            costs, waits, _ = zip(*([float(number) for number in row[3 + i].split(",")] for row in cells if row[1] == start), strict=True)
            longest = max(waits)
            expected += [f"{min(costs):.1f} to {max(costs):.1f}", f"{longest:.0f} ms" if longest < 1000 else f"{longest / 1000:.1f} s"]
        assert re.findall(r'"([^"]*)"', said) == expected, rule


def test_errors_are_described() -> None:
    text = section(page("preforkd-control.7"), "REPLIES").split("The errors:")[1].split(".El")[0]
    sources = source("master/control") + source("master/daemon")
    used = set(re.findall(r'control_client_refuse\([^,]*, "([\w-]+)"|status_json_error\("([\w-]+)"'
                          r'|CONSTANT_ERROR\("([\w-]+)"|\.error = "([\w-]+)"', sources))
    assert set(re.findall(r"^\.It Li ([\w-]+)$", text, re.MULTILINE)) == {name for names in used for name in names if name}


def test_counters_are_described() -> None:
    """The page has each line of the table of counters, for it is made from that."""
    table = source("logic/status").split("#define COUNTERS(X)")[1]
    names = re.findall(r'X\(\w+, "(\w+)", COUNTER_', table.split("#define COUNTER_MEMBER")[0])
    assert {"requests", "forked", "busy_ms"} <= set(names)
    totals = page("preforkd-control.7").split(".It Ic totals\n")[1].split("\n.El")[0]
    assert re.findall(r"^\.It Ic (\w+)$", totals, re.MULTILINE) == names


def test_members_are_described() -> None:
    """Every member of a reply is named in the manual; the other way round, so are states and verbs."""
    text = page("preforkd-control.7")
    named = set(re.findall(r"\b[a-z][a-z0-9_]*\b", " ".join(re.findall(r"^\.(?:It )?Ic (.*)$", text, re.MULTILINE))))
    json_c = source("master/status")
    packed = re.findall(r"json_pack\((.*?)\);", json_c, re.DOTALL)
    members = {name for call in packed for name in re.findall(r'[,(]\s*"([a-z][a-z0-9_]*)",(?!\s*"[a-z])', call)}
    members |= set(re.findall(r'json_object_set(?:_new)?\([^,]*, "(\w+)"', source("master/status") + source("master/control")))
    columns = re.search(r"history_column_names\[\] = \{(.*?)\};", source("logic/status"), re.DOTALL)
    members |= set(re.findall(r'"(\w+)"', columns[1] if columns else ""))
    assert {"pools", "counts", "p50", "for_ms", "history", "last_exit", "generation", "dry_run"} <= members
    assert members <= named, members - named
    words = set(re.findall(r"^\.Li ([a-z -]+?)(?: [.,;)]+)?$", text, re.MULTILINE))
    for file, table in (("logic/status", r"\[STATUS_\w+\] = \"([a-z ]+)\""),
                        ("logic/policy", r"\[RELOAD_\w+\] = \"([a-z]+)\"")):
        states = set(re.findall(table, source(file)))
        assert len(states) >= 6 and states <= words, states - words


def test_numbers_of_the_protocol() -> None:
    text = rendered("preforkd-control.7")
    for file, name, words in (("logic/protocol", "CONTROL_REQUEST_MAX", "at most {} bytes with its newline"),
                              ("logic/protocol", "CONTROL_PROTOCOL", "version of the protocol, {}."),
                              ("master/control", "CONTROL_CLIENTS_MAX", "At most {} clients"),
                              ("logic/status", "STATUS_WORKERS_MAX", "of at most {};")):
        found = re.search(rf"^#define {name} (\d+)", source(file), re.MULTILINE)
        assert found and words.format(found.group(1)) in text, name


def test_exit_codes_of_preforkctl() -> None:
    codes = re.findall(r"CTL_EXIT_\w+ = (\d)", source("ctl"))
    assert re.findall(r"^\.It (\d)$", section(page("preforkctl.1"), "EXIT STATUS"), re.MULTILINE) == codes


def test_the_logrotate_snippet_is_the_one_that_is_installed() -> None:
    installed = [line for line in (ROOT / "etc/preforkd.logrotate").read_text().splitlines() if not line.startswith("#")]
    assert "\n".join(installed) in section(page("preforkd.8"), "LOGGING")


# --- the pages as manuals -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", PAGES)
def test_lint(name: str) -> None:
    """Clean, but for pages of other packages that are not installed here (and our own, before they are)."""
    if not shutil.which("mandoc"):
        pytest.skip("needs mandoc")
    result = subprocess.run(["mandoc", "-T", "lint", page_path(name)], capture_output=True, text=True, check=False)
    complaints = [line for line in result.stdout.splitlines() if "referenced manual not found" not in line]
    assert not complaints, "\n".join(complaints)


def unescape(text: str) -> str:
    """A literal block of a manual, as people read it."""
    return text.replace("\\&", "").replace("\\-", "-").replace("\\e", "\\")


def code_in_c() -> list[tuple[str, str]]:
    """The blocks of the pages that are C: statements end with semicolons there, and in no other language that is shown."""
    return [(name, unescape(block)) for name in PAGES
            for block in re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", page(name), re.MULTILINE | re.DOTALL)
            if re.search(r"^#include <|^ *(?!#)[^'\"]*[\w)];$", block, re.MULTILINE)]


@pytest.mark.parametrize(("name", "text"), code_in_c(), ids=lambda value: value if value in PAGES else "")
def test_code_compiles(tmp_path: Path, name: str, text: str) -> None:
    """As printed, without a warning."""
    del name
    compiler = shutil.which("cc") or pytest.skip("needs a C compiler")
    file = tmp_path / "example.c"
    file.write_text(text)
    result = subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-fPIC", f"-I{ROOT / 'include'}", "-c", file,
                             "-o", tmp_path / "example.o"], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr


def test_there_is_code_in_c() -> None:
    assert {name for name, _ in code_in_c()} == {"libprefork.3", "preforkd-module.7"}


def test_git_daemon_writes_where_it_is_logged() -> None:
    """With --inetd it writes to syslog otherwise."""
    lines = [line for line in all_words().splitlines() if re.match(r"handler = .*git-daemon .*--inetd", line)]
    assert len(lines) >= 5 and all("--log-destination=stderr" in line for line in lines), lines


@pytest.mark.parametrize("name", PAGES)
def test_references_among_our_own(name: str) -> None:
    for title, number in re.findall(r"^\.Xr (preforkd\S*) (\d)", page(name), re.MULTILINE):
        assert page_path(f"{title}.{number}").exists(), f"{name}: {title}({number})"


def all_words() -> str:
    return "\n".join([(ROOT / "README.md").read_text(), *(page(name) for name in PAGES)])


def test_pages_are_installed() -> None:
    assert set(re.findall(r"'([\w.-]+\.\d)'", (ROOT / "man/meson.build").read_text())) == set(PAGES)


def test_options_in_examples() -> None:
    """Whatever stands behind `preforkd` in an example is an option."""
    known = set(OPTIONS) | {"listen", "config", "test", "dump", "help", "help_config", "version"}
    for line in re.findall(r"(?:^|[ `])preforkd (--?\w.*)$", all_words(), re.MULTILINE):
        for name in re.findall(r"(?<!\S)--([a-z][\w-]*)", line.split(" -- ")[0]):
            assert name.replace("-", "_") in known, line


# --- etc/preforkd.conf ----------------------------------------------------------------------------------------------

SAMPLE = ROOT / "etc/preforkd.conf"


def uncomment(text: str, only: set[str] | None = None) -> str:
    """The sample with its options set: all of them, or only these keys of the pool."""
    lines = []
    for line in text.splitlines():
        found = re.match(r"#(\[.*\]|(\w+) =.*)$", line)
        wanted = found and (only is None or found.group(1) == "[echo]" or found.group(2) in only)
        lines.append(line[1:] if wanted else line)
    return re.sub(r"^user = .*$", f"user = {USER}", "\n".join(lines) + "\n", flags=re.MULTILINE)


def test_sample_is_all_comments() -> None:
    """As it is installed it sets nothing, and preforkd says that there is nothing to serve."""
    assert all(not line or line.startswith("#") for line in SAMPLE.read_text().splitlines())
    assert run("-t", "-c", SAMPLE).returncode == 3


def test_sample_has_every_option_with_its_default_and_a_remark() -> None:
    lines = SAMPLE.read_text().splitlines()
    entries = {}
    for number, line in enumerate(lines):
        found = re.match(r"#(\w+) =(?: (.*))?$", line)
        if found:
            assert found.group(1) not in entries, line
            entries[found.group(1)] = found.group(2)
            if found.group(1) not in ("listen", "handler"):
                assert re.match(r"# \S+ \S+", lines[number - 1]), f"no remark above {line}"
    assert entries.keys() == OPTIONS.keys()
    for name, value in entries.items():
        if name not in ("listen", "handler", "user", "start_workers"):
            assert value == OPTIONS[name].default, name


@pytest.mark.parametrize("only", [{"listen", "handler", "user"}, None], ids=["few", "all"])
def test_sample_is_good(tmp_path: Path, only: set[str] | None) -> None:
    """Setting everything to its default changes nothing."""
    file = tmp_path / "preforkd.conf"
    file.write_text(uncomment(SAMPLE.read_text(), only))
    result = run("-t", "-c", file)
    assert result.returncode == 0, result.stderr
    file_of_few = tmp_path / "few.conf"
    file_of_few.write_text(uncomment(SAMPLE.read_text(), {"listen", "handler", "user"}))
    assert run("-T", "-c", file).stdout == run("-T", "-c", file_of_few).stdout


def test_defaults_are_in_force(tmp_path: Path) -> None:
    """What -T prints for a pool that sets nothing is what --help-config calls the default."""
    file = tmp_path / "preforkd.conf"
    values: dict[str, str] = {}
    # Options that have an effect in one of them; of what is set here the last one has the default.
    for more in ("start_method = forkserver\ncopy = rollback", "start_method = forkserver",
                 "handler_type = listener\nstart_method = snapshot", "handler_type = listener",
                 "handler_type = inetd"):
        file.write_text(f"[p]\nlisten = [::1]:7007 {tmp_path}/socket\nhandler = /bin/cat\nuser = {USER}\n{more}\n")
        values |= dict(re.findall(r"^(\w+) = ?(.*)$", run("-T", "-c", file).stdout, re.MULTILINE))
    assert values.keys() == OPTIONS.keys()
    for option in OPTIONS.values():
        if option.default is not None:
            assert values[option.name] == option.default


# --- README.md ------------------------------------------------------------------------------------------------------

def test_patterns_of_titles_do_not_match_their_own_shell() -> None:
    patterns = re.findall(r"p(?:grep|kill) .*?-f '([^']*)'",
                          "\n".join([(ROOT / "README.md").read_text(), *(page(name) for name in PAGES)]))
    assert len(patterns) >= 3 and all(pattern.startswith("^preforkd: ") for pattern in patterns), patterns


def test_links() -> None:
    for target in re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


def test_commands_of_the_checkout() -> None:
    for command in set(re.findall(r"(?<!\S)\./(\w+)", (ROOT / "README.md").read_text())):
        assert os.access(ROOT / command, os.X_OK), command


def readme_blocks() -> list[str]:
    return re.findall(r"^```ini\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_readme_has_its_configurations() -> None:
    blocks = readme_blocks()
    assert any("[Service]" in block for block in blocks) and any("handler = " in block for block in blocks)


@pytest.mark.parametrize("text", [block for block in readme_blocks() if "[Service]" not in block]
                         + [block for name in ("preforkd.conf.5",)
                            for block in re.findall(r"^\.Bd -literal[^\n]*\n(\[\w+\].*?)^\.Ed", page(name),
                                                    re.MULTILINE | re.DOTALL)])
def test_configurations_are_good(tmp_path: Path, text: str) -> None:
    """But for users, programs and directories that are not here."""
    text = re.sub(r"^user = .*$", f"user = {USER}", text, flags=re.MULTILINE)
    text = re.sub(r"^(?<!builtin\n)handler = \S+", "handler = /bin/cat", text, flags=re.MULTILINE)
    text = re.sub(r"^directory = \S+", "directory = /", text, flags=re.MULTILINE)
    text = re.sub(r"^socket_group = .*$", "socket_group = 0", text, flags=re.MULTILINE)
    file = tmp_path / "preforkd.conf"
    file.write_text(text)
    result = run("-t", "-c", file)
    assert result.returncode == 0 and "warning" not in result.stderr, result.stderr


def test_the_unit_is_one() -> None:
    """README and preforkd(8) show the same unit."""
    unit = next(block for block in readme_blocks() if "[Service]" in block)
    assert unit in page("preforkd.8")


def test_packages_to_build() -> None:
    """The line that installs them names what ./quickstart installs."""
    packages = re.search(r"^build_packages=\(([^)]*)\)$", (ROOT / "tools/packages.sh").read_text(), re.MULTILINE)
    assert packages
    line = re.search(r"^    apt-get install ((?:.*\\\n)*.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert line and set(line.group(1).replace("\\\n", " ").split()) == set(packages.group(1).split())


def test_figures_have_scripts() -> None:
    """A figure in the README names the script that prints it."""
    text = (ROOT / "README.md").read_text().split("## Figures")[1].split("\n## ")[0]
    for name in re.findall(r"tests/bench/(\w+\.?\w*)", text):
        assert (ROOT / "tests/bench" / name).exists(), name
    for row in re.findall(r"^\|(?!\s*-|[^|]*figure).*\d.*\|$", text, re.MULTILINE):
        assert "tests/bench/" in row or re.search(r"`\w+\.py`", row), f"no script: {row}"
