#!/usr/bin/env python3
"""Checks the rules of the house that a compiler cannot: who may include whom, the doors, law 1,
and that names of faults stand in their table.

    house_check.py ROOT          prints one line a violation; exit code 1 when there is one
    house_check.py --self-test   plants a violation of every rule and sees that it is found

A new exception belongs into the tables below, with the reason beside it.
"""

import re
import sys
import tempfile
from pathlib import Path

# Floors of design, section 3: a room sees its own floor's rooms only where SAME_FLOOR says so.
FLOORS = {
    "harness/base": 0,
    "harness/wire": 1,
    "harness/pool": 2,
    "fake_workers": 2,
    "harness/trace": 3,
    "harness/scenario": 3,
    "harness/oracle": 4,
    "harness/sim": 5,
    "harness/host": 5,
    "harness/agreement": 5,
    "harness/worlds": 6,
    "harness/run": 7,
    "harness/probe": 7,
    "harness/wrap": 7,
    "harness/guard": 7,
    "harness/search": 8,
    "reports": 8,
    "harness/cli": 9,
    "harness/bench": 10,
    "harness/testing": 10,
    "harness/drivers": 10,
}
# The pool that users link must not pull the harness in.
HOST_SEES = {"harness/base", "harness/wire", "harness/pool"}

TEST = re.compile(r"_(test|prop)\.cpp$|_testing\.hpp$")

# One door per library: the include, the files that may have it, and their name in a message.
DOORS = [
    (r"<boost/process", r"^harness/host/launch\.cpp$", "harness/host/launch.cpp"),
    (r"<nlohmann/json\.hpp>", r"\.cpp$|_testing\.hpp$|^harness/host/arguments\.hpp$",
     "a .cpp (headers: json_fwd.hpp) or the arguments of a call"),
    (r"<catch2/|<rapidcheck", r"_(test|prop)\.cpp$|_testing\.hpp$",
     "tests and properties"),
    (r"<benchmark/", r"_bench\.cpp$|^harness/bench/", "benchmarks"),
    (r"<pugixml", r"^reports/junit(_test)?\.cpp$", "reports/junit.cpp"),
    (r"<CLI/", r"^harness/cli/|^fake_workers/options\.cpp$", "harness/cli"),
]

# Law 1: what decides may know none of these.
PURE_FLOOR = 4
ALSO_PURE = {"harness/sim", "harness/agreement"}
IMPURE = re.compile(
    r"\bsteady_clock\b|\bsystem_clock\b|\bhigh_resolution_clock\b|::now\("
    r"|\bstd::(jthread|thread|async)\b|\brandom_device\b|\bgetenv\b"
    r"|\bstd::(uniform|normal|bernoulli|discrete)_\w+|\bstd::shuffle\b"
    r"|\bunordered_(map|set)\b|\bsleep_for\b|\bclock_gettime\b|\bsetlocale\b|\bstd::locale\b"
)
# The main of the fake worker: what carries out the decisions of the Brain.
IMPURE_FILES = re.compile(r"^fake_workers/fake_worker\w*\.(cpp|hpp)$")

# Floor 5 and below reach the system through one header; these are its other side.
SYSTEM_CALL = re.compile(
    r"(?<![\w>:])::(kill|read|write|poll|ppoll|open|openat|close|pipe2?|waitid|waitpid|fork|vfork"
    r"|exec\w+|ioctl|fcntl|dup[23]?|setpgid|setsid|prctl|syscall"
    r"|epoll_\w+|eventfd|close_range|_exit|rename|unlink|fsync|sigaction|signal|getppid)\s*\("
)
SYSTEM_FILES = re.compile(
    r"^harness/host/(system|system_below|system_socket|launch|census|guardian\w*)\.cpp$"
    r"|^fake_workers/fake_worker\w*\.(cpp|hpp)$"
    r"|^harness/wrap/(system|proxy_process|relay)\.cpp$"  # it stands in for a process, and ends as one did
    r"|^harness/base/write_file\.cpp$"  # fsync and rename: no part of the pool
    r"|^harness/(cli|drivers|testing)/"
)

FUNCTION_LINES = 70
FILE_LINES = 500
LONG_FILES = {"harness/pool/core.cpp"}  # one machine, read as a whole
# Inside of these braces stand functions.
SCOPE = re.compile(r"\s*(?:template\s*<[^{]*>\s*)?(?:namespace|struct|class|union|extern)\b[^()]*$")

# What stands for one fault in code stays true of that one alone: ask the table instead.
FAULT_TABLE = "fake_workers/catalogue.cpp"
FAULT_ROW = re.compile(r'\bFault\(\s*"(\w+)"')
# A scenario written out as JSON is about the faults that it names.
IN_SCENARIO = re.compile(r'"fault":\s*"\w+"')
MAY_NAME_FAULTS = [
    (r"^fake_workers/", r""),  # the faults' own room
    (r"^harness/base/outcome\.hpp$", r""),  # outcomes and causes that have the same names
    # What goes with a feature is a recipe, of that one fault.
    (r"^harness/scenario/generate_faults\.cpp$", r"\bFeatureFault\{"),
]

# clang 14 cannot compile the views of libstdc++ 12.
VIEWS = re.compile(r"\bstd::(?:ranges::)?views\b|<ranges>")

MARK = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATH = re.compile(r"(?<![\w./$}])/(work|root|home/\w+)/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])')


def room_of(path):
    """The room of a file or include, or None for what lies outside the house."""
    for room in FLOORS:
        if path.startswith(room + "/"):
            return room
    return None


def is_forbidden(room, other, is_test):
    """Why `room` must not include `other`, or None."""
    if room == other:
        return None
    if room == "harness/host" and not is_test and other not in HOST_SEES:
        return "host is a library for users and sees only base, wire and pool"
    if {room, other} == {"harness/sim", "harness/host"}:
        return "sim and host never see each other"
    if FLOORS[other] >= FLOORS[room] and FLOORS[room] != 10:
        return f"floor {FLOORS[room]} must not see floor {FLOORS[other]}: arrows point down"
    return None


def without_comments(text):
    """The text with comments and string literals emptied; line numbers stay."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"' r"|'(?:\\.|[^'\\\n])'", re.S
    )

    def blank(match):
        piece = match.group(0)
        quotes = '""' if piece[0] in 'R"' else "' '" if piece[0] == "'" else ""
        return quotes + "\n" * piece.count("\n")

    return token.sub(blank, text)


def check_includes(name, lines):
    room, is_test = room_of(name), bool(TEST.search(name))
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        other = room_of(target[1:-1])
        reason = is_forbidden(room, other, is_test) if room and other else None
        if reason:
            yield number, "floor", f"includes {target[1:-1]}: {reason}"
        if target[0] == '"' and not other:
            yield number, "include", f"{target}: name the file from the root of the repository"
        for pattern, allowed, door in DOORS:
            if re.match(pattern, target) and not re.search(allowed, name):
                yield number, "door", f"includes {target}, which belongs into {door}"


def check_code(name, lines):
    room, is_test = room_of(name), bool(TEST.search(name))
    pure = room is not None and (FLOORS[room] <= PURE_FLOOR or room in ALSO_PURE)
    pure = pure and not is_test and not name.endswith("_bench.cpp")
    for number, line in enumerate(lines, 1):
        found = IMPURE.search(line)
        if pure and found and not IMPURE_FILES.search(name):
            yield number, "law 1", f"{found.group(0)}: what decides must not know it"
        if VIEWS.search(line):
            yield number, "clang", f"{VIEWS.search(line).group(0)}: clang 14 compiles no views"
        found = SYSTEM_CALL.search(line)
        if found and not is_test and not SYSTEM_FILES.search(name):
            yield number, "system", f"{found.group(0)}...: use harness/host/system.hpp"


def functions(code):
    """The first line and the number of lines of each function in code without comments."""
    code = re.sub(r"(?m)^#.*", "", code)
    # The braces of a value, as in the head of a constructor, have no space before them.
    code = re.sub(r"(?<=\S){[^{};]*}", lambda value: "\n" * value.group(0).count("\n"), code)
    inside, begun = [], 0  # of each open brace: "scope", where its function begins, or nothing
    for brace in re.finditer(r"[{};]", code):
        head = code[begun : brace.start()]
        begun = brace.end()
        if brace.group(0) == "{" and SCOPE.match(head):
            inside.append("scope")
        elif brace.group(0) == "{":
            is_body = ")" in head and all(one == "scope" for one in inside)
            inside.append(begun - 1 - len(head.lstrip()) if is_body else None)
        elif brace.group(0) == "}" and inside:
            first = inside.pop()
            if isinstance(first, int):
                yield code.count("\n", 0, first) + 1, code.count("\n", first, begun) + 1


def check_lengths(name, code):
    # A test's tables and stories may be long, but its file answers one question as any other.
    is_told = TEST.search(name) or name.endswith("_bench.cpp")
    for line, length in [] if is_told else functions(code):
        if length > FUNCTION_LINES:
            yield line, "function", f"{length} lines, more than {FUNCTION_LINES}"
    length = code.count("\n")
    if length > FILE_LINES and name not in LONG_FILES:
        yield 1, "file", f"{length} lines, more than {FILE_LINES}"


def check_text(name, text):
    for number, line in enumerate(text.split("\n"), 1):
        # A raw string cannot be broken, and a test's tables and expected texts are better not.
        if len(line) > 100 and 'R"' not in line and not name.endswith("_test.cpp"):
            yield number, "columns", f"{len(line)} columns, more than 100"
        if MARK.search(line):
            yield number, "mark", f"{MARK.search(line).group(0)}: do it or drop it"
        if MACHINE_PATH.search(line):
            yield number, "path", f"{MACHINE_PATH.search(line).group(0)}: the path of one machine"
    if name.endswith(".hpp") and not text.lstrip().startswith("#pragma once"):
        yield 1, "pragma", "a header starts with #pragma once"


def fault_names(root):
    table = root / FAULT_TABLE
    return FAULT_ROW.findall(table.read_text(encoding="utf-8")) if table.exists() else []


def check_faults(name, lines, named):
    """`named` finds the literals that are names of faults."""
    if TEST.search(name):
        return
    for number, line in enumerate(lines, 1):
        found = named.search(IN_SCENARIO.sub("", line))
        allowed = any(re.search(file, name) and re.search(here, line)
                      for file, here in MAY_NAME_FAULTS)
        if found and not allowed:
            yield number, "fault", f"{found.group(0)}: ask a column of {FAULT_TABLE}"


def cpp_files(root):
    for room in ("harness", "fake_workers", "reports"):
        for path in sorted((root / room).rglob("*.[ch]pp")):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def check(root):
    """Every violation as (file, line, rule, message), and the number of files read."""
    violations, files = [], 0
    faults = fault_names(root)
    if (root / FAULT_TABLE).exists() and not faults:
        violations.append((FAULT_TABLE, 1, "fault", "no row is found in it"))
    named = re.compile(f'"(?:{"|".join(faults) or "(?!)"})"')
    for name, text in cpp_files(root):
        files += 1
        code = without_comments(text)
        if room_of(name) is None:
            violations.append((name, 1, "room", "lies in no room of the house"))
        for found in (check_includes(name, text.split("\n")), check_code(name, code.split("\n")),
                      check_lengths(name, code), check_text(name, text),
                      check_faults(name, text.split("\n"), named)):
            violations.extend((name, *violation) for violation in found)
    return violations, files


# What the self-test plants: the rule that must be found, the file and its text.
PLANTED = [
    ("clang", "harness/oracle/x.cpp", "auto all = std::views::reverse(calls);\n"),
    ("floor", "harness/base/x.cpp", '#include "harness/wire/y.hpp"\n'),
    ("floor", "harness/trace/x.cpp", '#include "harness/scenario/y.hpp"\n'),
    ("floor", "harness/pool/x.cpp", '#include "fake_workers/y.hpp"\n'),
    ("floor", "harness/sim/x.cpp", '#include "harness/host/y.hpp"\n'),
    ("floor", "harness/host/x.cpp", '#include "harness/oracle/y.hpp"\n'),
    ("floor", "harness/host/x_test.cpp", '#include "harness/sim/y.hpp"\n'),
    ("floor", "harness/run/x.cpp", '#include "reports/y.hpp"\n'),
    ("floor", "harness/agreement/x.cpp", '#include "harness/sim/y.hpp"\n'),
    ("floor", "harness/worlds/x.cpp", '#include "harness/run/y.hpp"\n'),
    ("floor", "reports/x.cpp", '#include "harness/search/y.hpp"\n'),
    ("include", "harness/base/x.cpp", '#include "y.hpp"\n'),
    ("door", "harness/host/x.cpp", "#include <boost/process/v2.hpp>\n"),
    ("door", "harness/wire/x.hpp", "#pragma once\n#include <nlohmann/json.hpp>\n"),
    ("door", "harness/wire/x.cpp", "#include <catch2/catch.hpp>\n"),
    ("door", "harness/wire/x.cpp", "#include <rapidcheck.h>\n"),
    ("door", "harness/wire/x_test.cpp", "#include <benchmark/benchmark.h>\n"),
    ("door", "harness/run/x.cpp", "#include <pugixml.hpp>\n"),
    ("law 1", "harness/pool/x.cpp", "auto t = std::chrono::steady_clock::time_point{};\n"),
    ("law 1", "harness/wire/x.cpp", "auto t = Clock::now();\n"),
    ("law 1", "fake_workers/x.cpp", 'auto e = std::getenv("HOME");\n'),
    ("law 1", "harness/scenario/x.cpp", "std::uniform_int_distribution<int> d;\n"),
    ("law 1", "harness/sim/x.hpp", "#pragma once\nstd::unordered_map<int, int> m;\n"),
    ("system", "harness/host/x.cpp", "int r = ::kill(1, 9);\n"),
    ("system", "harness/run/x.cpp", "return ::read(0, b, 1);\n"),
    ("columns", "harness/base/x.hpp", "#pragma once\n// " + "x" * 98 + "\n"),
    ("mark", "harness/base/x.cpp", "// TO" + "DO: later\n"),
    ("path", "harness/base/x.cpp", 'auto p = "/ro' + 'ot/x";\n'),
    ("pragma", "harness/base/x.hpp", "struct X {};\n"),
    ("room", "harness/attic/x.cpp", "int x;\n"),
    ("function", "harness/base/x.cpp", "namespace a {\nint f() {\n" + "  g();\n" * 69 + "}\n}\n"),
    ("function", "harness/base/x.cpp", "X::X(int a)\n    : a_{a} {\n" + "  g();\n" * 69 + "}\n"),
    ("file", "harness/base/x.cpp", "int x;\n" * 501),
    ("file", "harness/base/x_test.cpp", "int x;\n" * 501),
    ("fault", "harness/oracle/x.cpp", 'bool b = name == "reply_lost";\n'),
    ("fault", "harness/scenario/generate_faults.cpp", 'constexpr auto a = "reply_lost"sv;\n'),
    ("fault", FAULT_TABLE, "constexpr std::array kFaults{};\n"),
]
INNOCENT = [
    ("harness/pool/x.cpp", '#include "harness/pool/y.hpp"\n#include "harness/base/y.hpp"\n'),
    ("harness/scenario/x.cpp", '#include "fake_workers/y.hpp"\n#include <nlohmann/json.hpp>\n'),
    ("harness/testing/x.cpp", '#include "harness/sim/y.hpp"\n#include "harness/host/y.hpp"\n'),
    ("harness/pool/x_test.cpp", "#include <catch2/catch.hpp>\nauto t = Clock::now();\n"),
    ("harness/pool/y.cpp", "// never ::kill( or steady_clock\nauto s = \"::read( getenv\";\n"),
    ("harness/host/system.cpp", "int r = ::kill(1, 9);\n"),
    ("harness/host/y.cpp", "auto r = sys::read(1, b);\nvoid Pipe::close() {}\n"),
    ("harness/base/x.hpp", "#pragma once\n// " + "x" * 97 + "\n"),
    ("harness/base/x.cpp", 'auto s = R"(' + "x" * 98 + ')";\n'),
    ("harness/base/x.cpp", "struct A {\n" + "int f() {\n  if (a) {\n  }\n}\n" * 100 + "};\n"),
    ("harness/base/x.cpp", "int f() {\n" + "  g();\n" * 68 + "}\n"),
    ("harness/base/x_test.cpp", "int f() {\n" + "  g();\n" * 400 + "}\n"),
    ("harness/oracle/x_test.cpp", 'auto s = "reply_lost";\n'),
    ("harness/search/x.cpp", 'auto s = R"({"fault": "reply_lost", "at": {}})";\n'),
    ("harness/scenario/generate_faults.cpp", 'FeatureFault{Theme::signals, 2, "reply_lost"};\n'),
]


def rules_found(file, text):
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / FAULT_TABLE
        table.parent.mkdir(parents=True)
        table.write_text('Fault("reply_lost")\n', encoding="utf-8")
        path = Path(folder) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return {violation[2] for violation in check(Path(folder))[0]}


def self_test():
    wrong = []
    for rule, file, text in PLANTED:
        if rules_found(file, text) != {rule}:
            wrong.append(f"{file}: {text.strip()!r}: found {rules_found(file, text)}, not {rule}")
    for file, text in INNOCENT:
        if rules_found(file, text):
            wrong.append(f"{file}: {text.strip()!r} is innocent, found {rules_found(file, text)}")
    wrong_lines = "".join(line + "\n" for line in wrong)
    print(f"{wrong_lines}{len(PLANTED)} planted, {len(INNOCENT)} innocent, {len(wrong)} wrong")
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 64
    violations, files = check(Path(arguments[0]))
    for file, line, rule, message in violations:
        print(f"{file}:{line}: {rule}: {message}")
    print(f"{files} files, {len(violations)} violations")
    return 1 if violations or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
