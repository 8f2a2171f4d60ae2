"""Which other pools are measured, what each needs to be there, and how its driver is started.

A driver is a small program in peers/. It is called as

    DRIVER checkout|echo WORKERS CLIENTS SECONDS ECHO_WORKER

and lets CLIENTS clients run side by side on a pool of WORKERS: `checkout` is a checkout and a
check-in, `echo` the same with an exchange of 100 bytes of JSON in between, in frames of 4 bytes of
length, with a process of the program ECHO_WORKER. It works in rounds, in each of which all clients
do equally many operations: first one each, then twice as many as in the round before, until two
rounds in a row have lasted SECONDS. Of the second it prints a line of JSON: `operations` of all
clients, `seconds`, and, where a client waits for others or a worker, `longest_us`, the longest
operation in microseconds.
"""

import dataclasses
import glob
import json
import os
import pathlib
import shutil
from typing import Callable

from programs import ROOT, Failed, run

DRIVERS = pathlib.Path(__file__).resolve().parent / "peers"
BUILT = ROOT / "build" / "peers"
JARS = "/usr/share/java/"
# Not the first python3 on the PATH: a version manager's shim costs 150 ms a start.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"


@dataclasses.dataclass(frozen=True)
class Need:
    """A program on the PATH, or a pattern of files; and the Debian package that brings it."""

    what: str
    package: str

    def is_there(self):
        return bool(glob.glob(self.what) if "/" in self.what else shutil.which(self.what))


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another pool. `prepare` makes its driver ready; it is told whether it may install anything."""

    name: str
    needs: tuple[Need, ...]
    command: list[str]  # the driver, without its arguments
    version: Callable[[], str]
    note: str  # why its numbers are not quite those of the others
    workloads: tuple[str, ...] = ("checkout", "echo")
    prepare: Callable[[bool], None] = lambda may_install: None

    def missing(self):
        return [need for need in self.needs if not need.is_there()]


def first_line(command):
    return run(command).strip().splitlines()[0]


def of_debian(package, *runtime):
    def version():
        own = first_line(["dpkg-query", "-W", "-f", "${Version}", package])
        return f"{own}, {first_line(runtime)}"
    return version


def compiled(driver, *jars):
    """Compiles a Java driver against these jars."""
    def prepare(_):
        sources = [str(DRIVERS / name) for name in ("Rounds.java", driver + ".java")]
        run(["javac", "-d", str(BUILT / "classes"), "-cp", class_path(jars), *sources])
    return prepare


def class_path(jars):
    return ":".join([str(BUILT / "classes"), *(f"{JARS}{jar}.jar" for jar in jars)])


def install_generic_pool(may_install):
    """Brings build/peers to what the lock file says."""
    lock = DRIVERS / "package-lock.json"
    installed = BUILT / "package-lock.json"
    if ((BUILT / "node_modules/generic-pool").exists() and installed.exists()
            and installed.read_bytes() == lock.read_bytes()):
        return
    if not may_install:
        raise Failed("not installed from npm")
    BUILT.mkdir(parents=True, exist_ok=True)
    for file in (lock, DRIVERS / "package.json"):
        shutil.copy(file, BUILT)
    try:
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], seconds=300, cwd=BUILT)
    except Failed:
        installed.unlink()  # or it would pass for installed
        raise


def generic_pool_version():
    about = json.loads((BUILT / "node_modules/generic-pool/package.json").read_text("utf-8"))
    return f"{about['version']}, Node.js {first_line(['node', '--version'])}"


def java(driver, *jars):
    return ["java", "-cp", class_path(jars), driver]


JAVA = (Need("java", "default-jdk-headless"), Need("javac", "default-jdk-headless"))
JAVA_VERSION = ("java", "--version")
ERLANG_VERSION = ("erl", "-noshell", "-eval",
                  'io:format("OTP ~s~n", [erlang:system_info(otp_release)]), halt().')
HIKARI_JARS = ("HikariCP", "slf4j-api", "slf4j-nop")

PEERS = (
    Peer(
        name="poolboy",
        needs=(Need("escript", "erlang-base"),
               Need("/usr/lib/erlang/lib/poolboy-*/ebin", "erlang-poolboy")),
        command=["escript", str(DRIVERS / "poolboy.escript")],
        version=of_debian("erlang-poolboy", *ERLANG_VERSION),
        note="Its clients are Erlang processes, of which a core runs many without a switch of "
             "threads. It monitors each client, so that a worker comes back when its client dies: "
             "a part of the time of each checkout. A worker's replies pass through a process of "
             "its own and the port's buffers.",
    ),
    Peer(
        name="commons-pool2",
        needs=(*JAVA, Need(JARS + "commons-pool2.jar", "libcommons-pool2-java")),
        command=java("CommonsPool2", "commons-pool2"),
        version=of_debian("libcommons-pool2-java", *JAVA_VERSION),
        note="A newcomer may overtake who waits (its default): quick, and with waits that have no "
             "bound. No deadline for the reply, and a dead worker is found by an exception.",
        prepare=compiled("CommonsPool2", "commons-pool2"),
    ),
    Peer(
        name="HikariCP",
        needs=(*JAVA, Need(JARS + "HikariCP.jar", "libhikaricp-java"),
               Need(JARS + "slf4j-nop.jar", "libslf4j-java")),
        command=java("HikariCp", *HIKARI_JARS),
        version=of_debian("libhikaricp-java", *JAVA_VERSION),
        note="A pool of database connections: no processes, hence no echo. Its connections here do "
             "nothing. A thread finds its last connection again without any lock, and may overtake "
             "who waits.",
        workloads=("checkout",),
        prepare=compiled("HikariCp", *HIKARI_JARS),
    ),
    Peer(
        name="generic-pool",
        needs=(Need("node", "nodejs"), Need("npm", "npm")),
        command=["node", str(DRIVERS / "generic_pool.js"), str(BUILT / "node_modules")],
        version=generic_pool_version,
        note="All clients are loops in the one thread of Node.js: nobody ever waits for a thread to "
             "wake up, and no second core helps but with the workers.",
        prepare=install_generic_pool,
    ),
    Peer(
        name="ThreadPoolExecutor",
        needs=(Need(PYTHON, "python3"),),
        command=[PYTHON, "-B", str(DRIVERS / "python_executor.py"), "thread"],
        version=lambda: first_line([PYTHON, "--version"]),
        note="Runs jobs and lends no worker: `checkout` is an empty job and its result. For the "
             "echo each of its threads has an echo worker, and no deadline for the reply.",
    ),
    Peer(
        name="ProcessPoolExecutor",
        needs=(Need(PYTHON, "python3"),),
        command=[PYTHON, "-B", str(DRIVERS / "python_executor.py"), "process"],
        version=lambda: first_line([PYTHON, "--version"]),
        note="As above; its workers are Python processes that speak pickle, not the echo worker, so "
             "that both ends are slow. One dead worker breaks the whole pool.",
    ),
)
