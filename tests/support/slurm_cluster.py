"""A real SLURM of one node on this machine, for tests: private daemons in a folder of their own.

    python tests/support/slurm_cluster.py --install -- snakemake --profile slurm …

installs the Debian packages if asked to, starts the daemons, runs the command, and ends the
daemons it started, nothing else: keys, sockets, ports and data base are its own, so that a munge or
a MariaDB of the machine are not disturbed. The node pretends to have two GPUs. It needs root,
because slurmd starts jobs as their owners.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurmdbd", "munge", "mariadb-server")
# Snakemake's plugin takes SLURM_CONF from the environment of its jobs, so that their `srun` finds
# the configuration in this place alone.
DEFAULT_CONF = Path("/etc/slurm/slurm.conf")
PREFIX = "slurm-"  # of the folder of a cluster of ours
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "slurmdbd", "munged", "mariadbd")

SLURM_CONF = """
ClusterName=leavekout
# A requeued job waits as long as a credential lasts.
SlurmctldHost=localhost
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
SlurmUser=root
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
# Without systemd and without cgroups, as in a container.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=30
KillWait=10
OverTimeLimit=0
MinJobAge=600
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={dbd_port}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
AccountingStorageEnforce=limits,qos
NodeName=localhost NodeAddr=127.0.0.1 CPUs=4 RealMemory=200000 Gres=gpu:h200:2 Feature=old,new
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE DefMemPerCPU=100 State=UP
"""
# Two character devices, which every machine has, pose as GPUs.
GRES_CONF = """
Name=gpu Type=h200 File=/dev/null
Name=gpu Type=h200 File=/dev/zero
"""
DBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdPort={dbd_port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
"""


def why_not() -> str | None:
    """The reason why no cluster can run here, or None."""
    if os.geteuid() != 0:
        return "a SLURM of our own needs root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (`make test-slurm` installs them on Debian)"
    _forget_killed()
    if DEFAULT_CONF.exists():
        return f"this machine has a SLURM of its own ({DEFAULT_CONF})"
    return None


def _forget_killed() -> None:
    """Removes the link that a cluster of ours left behind when it was killed."""
    if not DEFAULT_CONF.is_symlink():
        return
    conf = DEFAULT_CONF.readlink()
    if not conf.parent.name.startswith(PREFIX):
        return
    found = re.search(r"^SlurmctldPort=(\d+)", conf.read_text(), re.M) if conf.exists() else None
    if found:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", int(found[1]))) == 0:
                return
    DEFAULT_CONF.unlink()


def install() -> None:
    """Installs the Debian packages that are missing, without starting any service."""
    if not any(shutil.which(name) is None for name in PROGRAMS):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit("The packages can be installed only by root on Debian.")
    policy = Path("/usr/sbin/policy-rc.d")  # by which Debian asks whether to start a service
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            subprocess.run(["apt-get", "-qq", *command], env=quiet, check=True, stdout=sys.stderr)
    finally:
        if ours:
            policy.unlink()


class Cluster:
    """The daemons, in the order of their start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Writes the configuration and starts every daemon; returns when the node is idle."""
        for name in ("munge", "ctld", "slurmd", "sql"):
            (self.folder / name).mkdir(parents=True)
        names = "ctld_port", "slurmd_port", "dbd_port", "sql_port"
        ports = dict(zip(names, _free_ports(4), strict=True))
        configurations = {"slurm": SLURM_CONF, "gres": GRES_CONF, "slurmdbd": DBD_CONF}
        for name, text in configurations.items():
            path = self.folder / f"{name}.conf"
            path.write_text(text.format(folder=self.folder, **ports))
            path.chmod(0o600)  # slurmdbd insists on it
        DEFAULT_CONF.parent.mkdir(exist_ok=True)
        DEFAULT_CONF.symlink_to(self.folder / "slurm.conf")
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(1024))
        (munge / "key").chmod(0o600)
        files = [f"--{name}-file={munge}/{name}" for name in ("key", "pid", "log", "seed")]
        self._daemon("munged", "--foreground", "--force", f"--socket={munge}/socket", *files)
        self._wait("munge", "-n", "-S", str(munge / "socket"))
        sql = self.folder / "sql"
        self._run("mariadb-install-db", "--no-defaults", f"--datadir={sql}/data", "--user=root")
        files = [f"--datadir={sql}/data", f"--socket={sql}/socket", f"--pid-file={sql}/pid"]
        address = [f"--port={ports['sql_port']}", "--bind-address=127.0.0.1"]
        self._daemon("mariadbd", "--no-defaults", *files, *address, "--user=root")
        client = ["mariadb", "--no-defaults", f"--socket={sql}/socket"]
        self._wait(*client, "--execute=SELECT 1")
        grant = "GRANT ALL ON slurm_acct.* TO slurm@'127.0.0.1' IDENTIFIED BY 'slurm'"
        self._run(*client, f"--execute=CREATE DATABASE slurm_acct; {grant}")
        self._daemon("slurmdbd", "-D")
        self._wait("sacctmgr", "-i", "add", "cluster", "leavekout")
        # A QOS with which only one job may be in the queue.
        self._run("sacctmgr", "-i", "add", "qos", "narrow", "MaxSubmitJobsPerUser=1")
        self._run("sacctmgr", "-i", "modify", "account", "root", "set", "qos=normal,narrow")
        self._daemon("slurmctld", "-D", "-i")
        self._wait("scontrol", "ping")
        self.start_node()

    def start_node(self) -> None:
        """Starts the node's daemon and waits until the node takes jobs."""
        self._daemon("slurmd", "-D", "-N", "localhost")
        self._until(
            lambda: self.output_of("sinfo", "-h", "-o", "%T") in ("idle", "mixed", "allocated")
        )

    def stop_node(self) -> None:
        """Ends the node's daemon alone; its jobs run on."""
        self._end("slurmd")

    def stop(self) -> None:
        """Cancels the cluster's jobs, then ends its daemons, the last first."""
        if "slurmd" in self.daemons:
            subprocess.run(["scancel", "--me", "--full"], env=self.env, check=False)
            self._until(lambda: not self.output_of("squeue", "-h"), required=False)
        for name in reversed(list(self.daemons)):
            self._end(name)
        if DEFAULT_CONF.is_symlink() and DEFAULT_CONF.readlink().parent == self.folder:
            DEFAULT_CONF.unlink()

    def output_of(self, *command: str) -> str:
        """What a SLURM command prints."""
        options: Any = {"env": self.env, "capture_output": True, "text": True, "timeout": 60}
        return subprocess.run(command, check=False, **options).stdout.strip()

    def _daemon(self, name: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as log:
            self.daemons[name] = subprocess.Popen(
                [name, *arguments], env=self.env, stdout=log, stderr=log, start_new_session=True
            )

    def _end(self, name: str) -> None:
        daemon = self.daemons.pop(name)
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _run(self, *command: str) -> None:
        with open(self.folder / f"{command[0]}.out", "ab") as log:
            subprocess.run(command, env=self.env, stdout=log, stderr=log, check=True)

    def _wait(self, *command: str) -> None:
        """Until a command succeeds, which shows that a daemon is up."""
        options: Any = {"env": self.env, "capture_output": True, "check": False}
        self._until(lambda: subprocess.run(command, **options).returncode == 0)

    def _until(self, condition: Callable[[], bool], *, required: bool = True) -> None:
        end = time.monotonic() + 30
        while not condition():
            dead = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if required and (dead or time.monotonic() > end):
                logs = "\n".join(
                    f"{path.name}: {path.read_text(errors='replace')[-1500:]}"
                    for path in sorted(self.folder.glob("*.[lo][ou]*"))
                )
                raise RuntimeError(f"The cluster did not start (ended: {dead}).\n{logs}")
            if time.monotonic() > end:
                return
            time.sleep(0.1)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster that runs within the block."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # munge's clients have to reach its socket
        running = Cluster(folder)
        try:
            running.start()
            yield running
        finally:
            running.stop()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    with ExitStack() as stack:
        for free in sockets:
            stack.enter_context(free).bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


def main() -> None:
    """Runs a command beside a cluster."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--install", action="store_true", help="install the Debian packages first")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="after --")
    arguments = parser.parse_args()
    if arguments.install:
        install()
    if reason := why_not():
        sys.exit(f"No cluster can run here: {reason}.")
    command = [word for word in arguments.command if word != "--"]
    if command:
        with cluster() as running:
            sys.exit(subprocess.run(command, env=running.env, check=False).returncode)


if __name__ == "__main__":
    main()
