"""The architecture of src/ as rules a machine checks.

Every rule is a function that takes a `Tree` (or a build directory) and returns complaints, one string each, as
`file:line: what and what to do about it`. `test_architecture.py` applies them to the real tree and
`test_rules_bite.py` to small trees that break them, so that a rule that never complains is noticed too.
"""

from __future__ import annotations

import re
import statistics
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

# Which rooms a room may include from, besides itself, system headers and the public headers in include/prefork/. A name that
# ends in a slash stands for all rooms of a layer. `logic` decides and never acts, `os` acts and never decides, `lib` is what
# becomes libprefork: they do not know each other. `master` and `worker` are the two sides of a fork. Doors are one-way:
# nothing a room may include may include it.
BASE_OS = {"base", "os/"}
MAY_INCLUDE: dict[str, set[str]] = {
    "base": set(),
    "logic/config": {"base"},
    "logic/policy": {"base", "logic/config"},
    "logic/status": {"base", "logic/config", "logic/policy"},
    "logic/protocol": {"base", "logic/config"},
    "logic/import": {"base", "logic/config"},
    "document": {"base", "logic/", "os/"},
    "os": {"base"},
    "os/process": {"base", "os"},
    "os/net": {"base", "os"},
    "os/log": {"base", "os"},
    "lib": {"base"},
    "preload": {"base", "lib", "preload/rollback", "preload/touch"},
    "preload/rollback": {"base", "lib"},
    "preload/touch": {"base", "lib"},
    "builtin": {"base", "os/net", "logic/", "document"},
    "web": {"base", "logic/", "document", "os/"},
    "worker": {"base", "logic/", "os/", "lib", "builtin"},
    "logger": {"base", "logic/", "os/"},
    "master/loop": BASE_OS,
    "master/state": BASE_OS,
    "master/manager": BASE_OS | {"logic/", "master/loop", "master/state"},
    "master/log": BASE_OS | {"logic/", "master/loop", "master/state"},
    "master/config": BASE_OS | {"logic/", "master/loop"},
    "master/pool": BASE_OS | {"logic/", "lib", "master/loop", "master/state"},
    "master/status": BASE_OS | {"logic/", "lib", "master/pool"},
    "master/reload": BASE_OS | {"logic/", "master/loop", "master/log", "master/manager", "master/config", "master/pool"},
    "master/upgrade": BASE_OS | {"logic/", "master/loop", "master/state"},
    "master/control": BASE_OS | {"logic/", "master/loop", "master/state", "master/pool", "master/status", "master/reload",
                                 "master/upgrade"},
    "master/daemon": BASE_OS | {"logic/", "master/"},
    "ctl": {"base", "logic/", "document", "os/"},
    "bin": BASE_OS | {"logic/", "lib", "logger", "master/", "worker"},
}
LAYERS = {room.split("/", 1)[0] for room in MAY_INCLUDE}

# logic/ is pure: headers that give types, constants and computing functions, none that gives system calls.
LOGIC_SYSTEM_HEADERS = {
    "assert.h", "ctype.h", "errno.h", "ini.h", "inttypes.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h",
    "stdint.h", "stdio.h", "stdlib.h", "string.h", "strings.h",
    "signal.h",  # names of signals
    "sys/resource.h",  # RLIMIT_ names and rlim_t
    "sys/types.h",
    "syslog.h",  # LOG_ levels
    # Types of addresses, for comparing and copying them; the symbol check keeps their functions out.
    "netinet/in.h", "sys/socket.h", "sys/un.h",
}

FORKING = r"fork|vfork|_Fork|clone|clone3|posix_spawn|posix_spawnp|forkpty|daemon"
WAITING = r"wait|wait3|wait4|waitpid|waitid"

# Functions that cannot be used safely, and what to use instead: those that clang-tidy lets pass (test_tidy.py has the
# others).
FORBIDDEN = {
    "stpcpy": "snprintf() or struct text", "strncat": "struct text", "sprintf": "snprintf() or struct text",
    "vsprintf": "vsnprintf() or struct text", "strtok": "words_split() or strsep()",
}

# Calls that make descriptors, and the flag without which they leak into handlers.
CLOEXEC_FLAG = {
    "socket": "SOCK_CLOEXEC", "socketpair": "SOCK_CLOEXEC", "accept4": "SOCK_CLOEXEC", "open": "O_CLOEXEC",
    "openat": "O_CLOEXEC", "open64": "O_CLOEXEC", "pipe2": "O_CLOEXEC", "dup3": "O_CLOEXEC",
    "memfd_create": "MFD_CLOEXEC", "eventfd": "EFD_CLOEXEC", "epoll_create1": "EPOLL_CLOEXEC",
    "signalfd": "SFD_CLOEXEC", "timerfd_create": "TFD_CLOEXEC", "inotify_init1": "IN_CLOEXEC",
    "recvmsg": "MSG_CMSG_CLOEXEC",
}
# Calls that have no such flag, and the ones that do.
NO_CLOEXEC_POSSIBLE = {
    "accept": "accept4()", "pipe": "pipe2()", "dup": "fcntl(F_DUPFD_CLOEXEC)", "creat": "open()",
    "epoll_create": "epoll_create1()", "inotify_init": "inotify_init1()",
}

FILE_WANTS_REASON, FILE_FAILS = 400, 800
FUNCTION_WANTS_REASON, FUNCTION_FAILS = 40, 100
LARGEST_SHARE = 0.25  # of all lines, in one room
MODULE_MEDIAN = 150, 400
FUNCTION_MEDIAN = 21
REASON = re.compile(r"/\*\s*long:\s*\S.{8,}", re.DOTALL)


@dataclass
class Source:
    """One source file: as it is, and with comments and the insides of strings blanked (same lines, same length)."""

    path: Path
    name: str  # relative to src/ ("base/text.c"), or "prefork/x.h" for public headers
    text: str
    code: str = field(init=False)

    def __post_init__(self) -> None:
        self.code = blank_comments_and_strings(self.text)

    @property
    def folder(self) -> str:
        return self.name.split("/", 1)[0]

    @property
    def room(self) -> str:
        """The folder it stands in, as MAY_INCLUDE names it: "os", "master/pool"."""
        return self.name.rsplit("/", 1)[0]

    @property
    def module(self) -> str:
        """Header and source together: "os/net/listener"."""
        return self.name.rsplit(".", 1)[0]

    def includes(self) -> list[tuple[str, str, int]]:
        """(bracket or quote, what is included, where) of each #include."""
        return [(match.group(1), match.group(2), match.start()) for match in
                re.finditer(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">\n]+)[">]', self.code, re.MULTILINE)]

    def line_of(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    def at(self, offset: int) -> str:
        """`file:line` of an offset, as editors and people read it."""
        return f"{self.name}:{self.line_of(offset)}"


class Tree:
    """The sources below a checkout's src/ and include/."""

    def __init__(self, root: Path) -> None:
        self.root = root
        src = root / "src"
        self.sources = [Source(p, str(p.relative_to(src)), p.read_text()) for p in sorted(src.glob("*/**/*.[ch]"))]
        include = root / "include"
        self.public = [Source(p, str(p.relative_to(include)), p.read_text())
                       for p in sorted(include.glob("**/*.h"))]


def blank_comments_and_strings(text: str) -> str:
    """Replace comments and the contents of literals by blanks, so that searching finds code alone.

    Quoted names of #include lines stay: they are code here.
    """
    token = re.compile(r'^[ \t]*#[ \t]*include[^\n]*|/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                       re.DOTALL | re.MULTILINE)

    def blank(match: re.Match[str]) -> str:
        found = match.group(0)
        if found.lstrip().startswith("#"):
            return found
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[-1]
        return re.sub(r"[^\n]", " ", found)

    return token.sub(blank, text)


def calls(source: Source, names: str) -> list[re.Match[str]]:
    """Calls and prototypes of functions by these names (a regular expression), not members or longer names."""
    return list(re.finditer(rf"(?<![\w.>])({names})\s*\(", source.code))


def call_text(source: Source, match: re.Match[str]) -> str:
    """A call from its name to the closing parenthesis."""
    depth = 0
    for offset in range(match.end() - 1, len(source.code)):
        depth += {"(": 1, ")": -1}.get(source.code[offset], 0)
        if depth == 0:
            return source.text[match.start():offset + 1]
    return source.text[match.start():]


# --- includes -------------------------------------------------------------------------------------------------------

def may_include(room: str, other: str) -> bool:
    """True if a file in `room` may include one in the room `other`."""
    return other == room or other in MAY_INCLUDE[room] or other.split("/", 1)[0] + "/" in MAY_INCLUDE[room]


def check_includes(tree: Tree) -> list[str]:
    """Rooms include only what the table gives them."""
    complaints = []
    for source in tree.sources + tree.public:
        public = source in tree.public
        if not public and source.room not in MAY_INCLUDE:
            complaints.append(f"{source.name}: room {source.room}/ has no rule in MAY_INCLUDE; give it one")
            continue
        for bracket, name, where in source.includes():
            layer, room = name.split("/", 1)[0] if "/" in name else "", name.rsplit("/", 1)[0]
            if layer == "prefork":
                continue
            if bracket == "<":
                if layer in LAYERS:
                    complaints.append(f"{source.at(where)}: includes <{name}> as a system header; write it with quotes")
            elif public:
                complaints.append(f"{source.at(where)}: a public header includes \"{name}\"; "
                                  "it may use system and public headers alone")
            elif not layer:
                complaints.append(f"{source.at(where)}: includes \"{name}\" without its folder")
            elif not may_include(source.room, room):
                complaints.append(f"{source.at(where)}: {source.room}/ must not include {room}/ (\"{name}\")")
    return complaints


def inside_a_room(tree: Tree) -> dict[str, set[str]]:
    """Which module includes which, within a room."""
    modules = {source.module for source in tree.sources}
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for source in tree.sources:
        for _, name, _ in source.includes():
            other = name.rsplit(".", 1)[0]
            if other in modules and other != source.module:
                graph[source.module].add(other)
    return graph


def check_circles(tree: Tree) -> list[str]:
    """No circle of modules anywhere: a module can be read when those it includes have been."""
    graph = inside_a_room(tree)
    complaints = []
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            complaints.append(" includes ".join(path[path.index(module):] + [module]) + ": a circle")
        elif module not in done:
            for other in sorted(graph[module]):
                visit(other, path + [module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return complaints


def check_doors_are_one_way(_: Tree) -> list[str]:
    """The table itself: no room may be reached from a room that it may include."""
    complaints = []
    for room in MAY_INCLUDE:
        seen: set[str] = set()
        todo = [room]
        while todo:
            current = todo.pop()
            behind = {other for other in MAY_INCLUDE if other != current and may_include(current, other)}
            if room in behind:
                complaints.append(f"{room}/ may include {current}/ by way of others, and {current}/ {room}/")
            todo += behind - seen - {room}
            seen |= behind
    return complaints


def check_libev_in_one_place(tree: Tree) -> list[str]:
    """Only loop/evloop knows the event library, so that it can be reasoned about (and replaced) in one place."""
    return [f"{source.at(match.start())}: only master/loop/evloop.[ch] includes <ev.h>"
            for source in tree.sources if source.name not in ("master/loop/evloop.c", "master/loop/evloop.h")
            for match in re.finditer(r"#[ \t]*include[ \t]*[<\"]ev\.h", source.code)]


def check_struct_daemon_in_one_room(tree: Tree) -> list[str]:
    """Only master/daemon knows struct daemon: other rooms are handed what they need of it."""
    return [f"{source.at(match.start())}: only master/daemon/ knows struct daemon; have handed in what is needed of it"
            for source in tree.sources if source.room != "master/daemon"
            for match in re.finditer(r"\bstruct[ \t]+daemon\b|master/daemon/private\.h", source.code)]


def check_logic_headers(tree: Tree) -> list[str]:
    """logic/ includes no header that acts."""
    return [f"{source.at(match.start())}: logic/ decides and never acts: <{match.group(1)}> is not on its list"
            for source in tree.sources if source.folder == "logic"
            for match in re.finditer(r"#[ \t]*include[ \t]*<([^>]+)>", source.code)
            if match.group(1) not in LOGIC_SYSTEM_HEADERS and not match.group(1).startswith("prefork/")]


LIB_SYS = ("lib/sys_libc.h", "lib/sys_raw.h")


# --- who may act ----------------------------------------------------------------------------------------------------

def check_forks(tree: Tree) -> list[str]:
    """In the daemon only os/process/spawn.c makes processes (the preload object is part of handlers, not of the daemon), and
    lib/sys the copy that ends with what lib/unwanted_rights must not close."""
    raw = re.compile(r"\b((?:SYS|__NR)_(?:v?fork|clone3?))\b")
    return [f"{source.at(match.start())}: {match.group(1)}(): only os/process/spawn.c makes processes"
            for source in tree.sources
            if source.name not in ("os/process/spawn.c", *LIB_SYS) and source.folder != "preload"
            for match in calls(source, FORKING) + list(raw.finditer(source.code))]


def check_waits(tree: Tree) -> list[str]:
    """Only master/loop/reaper.c collects the master's children, and only worker/runtime_inetd.c a worker's handler; lib/sys
    that copy."""
    return [f"{source.at(match.start())}: {match.group(1)}(): only master/loop/reaper.c, worker/runtime_inetd.c and os/ "
            "collect children"
            for source in tree.sources
            if source.name not in ("master/loop/reaper.c", "worker/runtime_inetd.c", *LIB_SYS)
            and source.folder not in ("os", "preload")
            for match in calls(source, WAITING)]


def check_forbidden_functions(tree: Tree) -> list[str]:
    """Functions that have no safe use."""
    return [f"{source.at(match.start())}: {match.group(1)}() is forbidden; use {FORBIDDEN[match.group(1)]}"
            for source in tree.sources for match in calls(source, "|".join(FORBIDDEN))]


def has_flag(source: Source, call: str, flag: str) -> bool:
    """True if a call names a flag, itself or by a macro or variable that the same file sets with it."""
    if flag in call:
        return True
    return any(re.search(rf"(#[ \t]*define[ \t]+{name}\b|\b{name}[ \t]*=)[^;\n]*\b{flag}\b", source.code)
               for name in set(re.findall(r"\b[A-Za-z_]\w*", call)))


def check_cloexec(tree: Tree) -> list[str]:
    """Every descriptor is made close-on-exec in the call that makes it; `/* cloexec: reason */` excuses one."""
    complaints = []
    for source in tree.sources:
        lines = source.text.splitlines()
        for match in calls(source, "|".join(CLOEXEC_FLAG) + "|" + "|".join(NO_CLOEXEC_POSSIBLE)):
            name = match.group(1)
            first = source.line_of(match.start()) - 1
            last = first + call_text(source, match).count("\n")
            if any("cloexec:" in line for line in lines[max(first - 1, 0):last + 1]):
                continue
            if name in NO_CLOEXEC_POSSIBLE:
                complaints.append(f"{source.at(match.start())}: {name}() cannot set close-on-exec; "
                                  f"use {NO_CLOEXEC_POSSIBLE[name]}")
            elif not has_flag(source, call_text(source, match), CLOEXEC_FLAG[name]):
                complaints.append(f"{source.at(match.start())}: {name}() without {CLOEXEC_FLAG[name]}")
        for match in calls(source, "fopen|fdopen"):
            # fdopen() takes over a descriptor that has the flag already; fopen() needs the letter.
            if match.group(1) == "fopen" and not re.search(r',\s*"[^"]*e[^"]*"\s*\)$', call_text(source, match)):
                complaints.append(f"{source.at(match.start())}: fopen() without \"e\" (close-on-exec)")
    return complaints


# --- sizes and words ------------------------------------------------------------------------------------------------

def functions(source: Source) -> list[tuple[str, int, int, int]]:
    """(name, line of its opening brace, lines of its body, offset of the brace) of every function.

    The project's style puts the braces of functions, and of nothing else, alone in the first column.
    """
    found = []
    for match in re.finditer(r"^\{[ \t]*$", source.code, re.MULTILINE):
        head = source.code[:match.start()].rstrip()
        if not head.endswith(")"):
            continue
        end = re.compile(r"^\}", re.MULTILINE).search(source.code, match.end())
        if not end:
            continue
        signature = head[max(head.rfind("\n\n"), head.rfind("}"), head.rfind(";")) + 1:]
        name = re.search(r"(\w+)\s*\(", signature)
        body = source.code.count("\n", match.start(), end.start()) - 1
        found.append((name.group(1) if name else "?", source.line_of(match.start()), body, match.start()))
    return found


def check_file_sizes(tree: Tree) -> list[str]:
    """A file past 400 lines says why (`/* long: … */` before its first line of code); one past 800 is split."""
    complaints = []
    for source in tree.sources:
        length = source.text.count("\n")
        if not source.name.endswith(".c") or length <= FILE_WANTS_REASON:
            continue
        first_code = re.search(r"^[^#\s][^\n]*$", source.code, re.MULTILINE)
        if length > FILE_FAILS:
            complaints.append(f"{source.name}: {length} lines; more than {FILE_FAILS} is too long: split it")
        elif not REASON.search(source.text[:first_code.start() if first_code else len(source.text)]):
            complaints.append(f"{source.name}: {length} lines; past {FILE_WANTS_REASON} the file's head wants "
                              "/* long: reason */")
    return complaints


def check_function_sizes(tree: Tree) -> list[str]:
    """A function past 40 lines says why, in it or right above it; one past 100 is split."""
    complaints = []
    for source in tree.sources:
        for name, line, length, offset in functions(source):
            if length <= FUNCTION_WANTS_REASON:
                continue
            above = source.text.rfind("\n\n", 0, offset)
            end = re.compile(r"^\}", re.MULTILINE).search(source.code, offset)
            around = source.text[max(above, 0):end.start() if end else len(source.text)]
            if length > FUNCTION_FAILS:
                complaints.append(f"{source.name}:{line}: {name}() has {length} lines; more than {FUNCTION_FAILS} "
                                  "is too long: split it")
            elif not REASON.search(around):
                complaints.append(f"{source.name}:{line}: {name}() has {length} lines; past "
                                  f"{FUNCTION_WANTS_REASON} it wants /* long: reason */")
    return complaints


def check_room_shares(tree: Tree) -> list[str]:
    """A room that holds a quarter of the house is two rooms."""
    lines = Counter[str]()
    for source in tree.sources:
        lines[source.room] += source.text.count("\n")
    return [f"{room}: {count} of {lines.total()} lines; more than {LARGEST_SHARE:.0%} is too large for a room"
            for room, count in lines.items() if count > LARGEST_SHARE * lines.total()]


def check_module_median(tree: Tree) -> list[str]:
    """Half of all lines stand in modules that are neither fragments nor books.

    Lines are counted, not modules, because a reader meets lines: a small module of one noun costs nobody anything.
    """
    lines = Counter[str]()
    for source in tree.sources:
        lines[source.module] += source.text.count("\n")
    passed = 0
    for module, count in sorted(lines.items(), key=lambda item: item[1]):
        passed += count
        if passed * 2 >= lines.total():
            return [] if MODULE_MEDIAN[0] <= count <= MODULE_MEDIAN[1] else [
                f"half of all lines stand in modules of at most {count} lines ({module}); "
                f"{MODULE_MEDIAN[0]} to {MODULE_MEDIAN[1]} are right"]
    return []


def check_function_median(tree: Tree) -> list[str]:
    median = statistics.median([length for source in tree.sources for _, _, length, _ in functions(source)] or [0])
    return [] if median <= FUNCTION_MEDIAN else [
        f"the median function has {median:.0f} lines; more than {FUNCTION_MEDIAN} is too long"]


def check_file_comments(tree: Tree) -> list[str]:
    """Every header, and every .c file that has none, begins by saying what it owns and who calls it."""
    names = {source.name for source in tree.sources}
    complaints = []
    for source in tree.sources + tree.public:
        if source.name.endswith(".c") and source.name[:-2] + ".h" in names:
            continue
        comment = re.match(r"\s*/\*(.*?)\*/", source.text, re.DOTALL)
        if not comment or len(comment.group(1).split()) < 5:
            complaints.append(f"{source.name}:1: begins without a comment that says what the file owns")
    return complaints


def check_include_guards(tree: Tree) -> list[str]:
    """Headers can be included twice."""
    return [f"{source.name}:1: has no #pragma once" for source in tree.sources + tree.public
            if source.name.endswith(".h") and "#pragma once" not in source.code
            and not re.search(r"^#\s*ifndef\s+\w+\s*\n#\s*define", source.code, re.MULTILINE)]


MODULE_LINE = re.compile(r"^\s*(?:[-*]|\|)\s*`(?:src/|include/)?([a-z_]+(?:/[a-z0-9_]+)+)(?:\.(?:\[ch\]|[chS]))?`")


def check_code_map(tree: Tree) -> list[str]:
    """src/README.md has one line for every module, and none for what is not there.

    A module's line begins, after `-` or `|`, with its name in backquotes: - `base/text`: …
    """
    readme = tree.root / "src" / "README.md"
    if not readme.exists():
        return ["src/README.md: missing; it is the code map, one line a module"]
    listed: dict[str, int] = {}
    complaints = []
    for number, line in enumerate(readme.read_text().splitlines(), 1):
        match = MODULE_LINE.match(line)
        if not match:
            continue
        if match.group(1) in listed:
            complaints.append(f"src/README.md:{number}: {match.group(1)} has a line already ({listed[match.group(1)]})")
        listed[match.group(1)] = number
    modules = {source.module for source in tree.sources + tree.public}
    complaints += [f"src/README.md: no line for module `{name}`" for name in sorted(modules - listed.keys())]
    complaints += [f"src/README.md:{listed[name]}: there is no module `{name}`"
                   for name in sorted(listed.keys() - modules)]
    return complaints


# --- what the compiler made -----------------------------------------------------------------------------------------

@dataclass
class Symbol:
    """One line of nm: which object of which archive, the symbol, its class letter and its section."""

    member: str
    name: str
    kind: str
    section: str


def read_symbols(archive: Path) -> list[Symbol]:
    """All symbols of an archive (thin or not)."""
    output = subprocess.run(["nm", "--format=sysv", str(archive)], check=True, capture_output=True, text=True).stdout
    symbols = []
    member = ""
    for line in output.splitlines():
        # GNU nm heads each member with "Symbols from liblogic.a[config.c.o]:".
        head = re.match(r".*\[(.+)\]:$", line)
        if head:
            member = Path(head.group(1)).name
            continue
        columns = [column.strip() for column in line.split("|")]
        if len(columns) == 7 and columns[0] != "Name":
            symbols.append(Symbol(member, columns[0], columns[2], columns[6]))
    return symbols


def archives_of(build: Path, folder: str) -> list[Path]:
    """The archives a folder is built into, whatever they are called."""
    return sorted((build / "src" / folder).glob("lib*.a"))


def read_allow_list(path: Path) -> list[re.Pattern[str]]:
    """One symbol (or regular expression) a line; `#` begins a comment."""
    lines = (line.split("#", 1)[0].strip() for line in path.read_text().splitlines())
    return [re.compile(line) for line in lines if line]


def check_logic_symbols(symbols: list[Symbol], defined_below: set[str], allowed: list[re.Pattern[str]]) -> list[str]:
    """logic/ calls itself, base/ (but for the log) and what the list allows; so it cannot act."""
    own = {symbol.name for symbol in symbols if symbol.kind not in ("U", "w")}
    return sorted({f"{symbol.member}: logic/ must not use {symbol.name}: it decides and never acts"
                   for symbol in symbols
                   if symbol.kind == "U" and symbol.name not in own
                   and (symbol.name not in defined_below or symbol.name.startswith("log_"))
                   and not any(pattern.fullmatch(symbol.name) for pattern in allowed)})


# Objects that may have state of their own, because what needs it gets no argument.
MAY_HAVE_STATE = {
    "base": {"log.c.o"},  # the log sink
    "os": {"process_title.c.o", "reserve.c.o"},  # the process's one argument space; an allocator gets no argument
    "lib": {"door.c.o", "idle_watch.c.o", "orders.c.o", "prefork.o"},  # (also as one object of libprefork.a) the handlers of signals
    "builtin": {"agent.c.o"},  # the link to the master, which init() is not passed
    # signal handlers: what is served, and who serves it
    "worker": {"runtime_inetd.c.o", "module_host.c.o"},
}


def check_no_mutable_globals(symbols: list[Symbol], excepted: set[str]) -> list[str]:
    """No writable data: state lives in structures that are passed down.

    Constant tables with pointers in them are relocated at start and then read-only: .data.rel.ro is no state.
    """
    return sorted({f"{symbol.member}: {symbol.name} is a mutable global ({symbol.section})"
                   for symbol in symbols
                   if symbol.kind in "BbDdCGgSs" and not symbol.section.startswith(".data.rel.ro")
                   and symbol.section not in (".rodata", "*UND*")
                   and symbol.member not in excepted})
