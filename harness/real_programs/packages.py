"""Installs the packages of package-lock.json into the folder REAL_PROGRAMS, which is below the build
folder, unless just these are there. Exit code 77: skipped, for npm or its registry can't be reached."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
SKIPPED = 77
FILES = ("package.json", "package-lock.json")
LIMIT_S = 280
# By npm's error codes. Whatever else goes wrong (a lock file that does not fit...) is a failure.
OUT_OF_REACH = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH",
                "ENETUNREACH", "ERR_SOCKET_TIMEOUT", "ENOTCACHED", "E401", "E403", "E404")


def wanted():
    """What has to be installed, as one number."""
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((SOURCE / name).read_bytes())
    return digest.hexdigest()


def stamp(folder):
    """Is there, and holds `wanted()`, when all is installed."""
    return folder / "node_modules" / ".installed"


def are_installed(folder):
    try:
        return stamp(folder).read_text() == wanted()
    except FileNotFoundError:
        return False


def install(folder):
    for name in FILES:
        shutil.copyfile(SOURCE / name, folder / name)
    try:
        # No scripts of theirs are run, and a registry that is out of reach is not tried for long.
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                               "--fetch-retries=1", "--fetch-timeout=30000"],
                              cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        print(f"skipped: npm's registry did not give the packages in {LIMIT_S} s")
        return SKIPPED
    print(done.stdout)
    if done.returncode == 0:
        stamp(folder).write_text(wanted())
        return 0
    reason = next((one for one in OUT_OF_REACH if f"code {one}\n" in done.stdout), None)
    if reason is None:
        return 1
    print(f"skipped: npm's registry can't be reached ({reason})")
    return SKIPPED


def main(folder):
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        print(f"skipped: no {' and no '.join(missing)} here (Debian: nodejs, npm)")
        return SKIPPED
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return 0 if are_installed(folder) else install(folder)


if __name__ == "__main__":
    sys.exit(main(Path(os.environ["REAL_PROGRAMS"])))
