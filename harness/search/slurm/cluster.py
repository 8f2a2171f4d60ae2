"""A Slurm cluster on this machine's loopback, for tests: munged, slurmctld and some slurmds, started
by hand, without systemd, cgroups or a database. Everything of it lies in one folder."""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import waiting

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
LIMIT_S = 60  # reached only by what hangs

CONFIG = """\
ClusterName=poolproof
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdParameters=config_overrides
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
KillWait=5
RequeueExit=75
"""


def missing_programs():
    return [name for name in PROGRAMS if not shutil.which(name, path=SBIN)]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_until(condition, what):
    return waiting.wait_until(condition, what, LIMIT_S, gap_s=0.05)


class Cluster:
    """Starts with start() and leaves no process behind after stop()."""

    def __init__(self, folder, nodes):
        self.folder = Path(folder)
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self.daemons = []
        # Not inherited: a Slurm job's own variables would be taken for options.
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SLURM")},
            "PATH": SBIN, "SLURM_CONF": str(self.folder / "slurm.conf"),
        }

    def start(self):
        self.folder.chmod(0o711)  # munged insists that everybody may reach its socket
        for name in ("state", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        self.write_config()
        self.start_munged()
        self.daemon("slurmctld", "-D")
        for node in self.nodes:
            self.daemon("slurmd", "-D", "-N", node)
        wait_until(self.all_idle, "idle nodes")

    def write_config(self):
        ctld_port, *ports = free_ports(1 + len(self.nodes))
        host = socket.gethostname().partition(".")[0]
        text = CONFIG.format(host=host, folder=self.folder, user=getpass.getuser(),
                             ctld_port=ctld_port)
        for node, port in zip(self.nodes, ports):
            text += (f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 "
                     "State=UNKNOWN\n")
        text += f"PartitionName=all Nodes={','.join(self.nodes)} Default=YES State=UP\n"
        (self.folder / "slurm.conf").write_text(text)

    def start_munged(self):
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        options = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid",
                   "log-file": "munged.log", "seed-file": "munge.seed"}
        self.daemon("munged", "--foreground", "--force", "--num-threads=1",
                    *(f"--{name}={self.folder / file}" for name, file in options.items()))
        wait_until((self.folder / "munge.socket").exists, "munged")

    def daemon(self, *command):
        with open(self.folder / f"{command[0]}.out", "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       env=self.environment, start_new_session=True)
        self.daemons.append(process)

    def run(self, *words, check=True, cwd=None):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=self.environment, timeout=LIMIT_S,
                              check=False, cwd=cwd)
        text = done.stdout.decode(errors="replace").strip()
        if check and done.returncode != 0:
            raise AssertionError(f"{words} ended with {done.returncode}: {text}")
        return text

    def all_idle(self):
        states = self.run("sinfo", "--noheader", "--Node", "--format=%T", check=False).split()
        return states == ["idle"] * len(self.nodes)

    def submit(self, *words, cwd):
        return self.run("sbatch", "--parsable", *words, cwd=cwd).partition(";")[0]

    def states(self):
        """Of the jobs and tasks that are not done: name (`7_2`) to state (`RUNNING`)."""
        lines = self.run("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def start_now(self, job):
        """A requeued job would wait two minutes."""
        self.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)

    def stop(self):
        if self.daemons:
            for job in self.run("squeue", "--noheader", "--format=%A", check=False).split():
                self.run("scancel", "--full", job, check=False)
            # A slurmd that ends leaves the processes of its jobs behind.
            end = time.monotonic() + LIMIT_S
            while self.run("squeue", "--noheader", check=False) and time.monotonic() < end:
                time.sleep(0.05)
        for process in reversed(self.daemons):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.daemons):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
