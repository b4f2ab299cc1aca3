"""Starts the scripts of a local run in a process that has already imported the libraries.

A small study has hundreds of jobs, which spend most of their time on imports. `warm_start` imports
them once, in a process that forks itself for each script. Its clients are the interpreters that
Snakemake starts. PYTHONPATH makes them import `sitecustomize`, which hands over their arguments,
environment and open files, and ends as the fork did. Scripts, package and results are the same.
Without the process, or where it cannot be reached, scripts start as usual.

A process that has touched the GPU's driver has no forks that can use it. So the libraries are told
to count GPUs by NVML, which leaves the driver alone; where that fails, no script is taken over.
"""

# Why: a script with retrain.py's imports took 44, 88 and 169 s to start and 5.4, 4.8 and 4.8 s by
# this process (two cores under a load of 7 to 13).

import array
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

SOCKET = "LEAVEKOUT_WARM_START"
LIBRARIES = (
    *("torch", "diffusers", "transformers", "open_clip", "timm", "pandas", "pyarrow.parquet"),
    *("matplotlib.pyplot", "scipy.stats", "sklearn.datasets"),
    *("diffusers.models.autoencoders.autoencoder_kl", "diffusers.models.unets.unet_2d_condition"),
    *("transformers.models.clip.modeling_clip", "transformers.models.clip.tokenization_clip"),
    *("diffusers.schedulers.scheduling_ddpm", "diffusers.schedulers.scheduling_ddim"),
    *("snakemake.script", "pydantic", "networkx", "jinja2", "yaml"),
)


@contextmanager
def warm_start(
    folder: Path, env: dict[str, str], *, gpus: bool = False
) -> Iterator[dict[str, str]]:
    """Yields an environment in which scripts start from the process with imported libraries.

    Args:
        gpus: whether scripts compute on GPUs.
    """
    address = str(folder / "socket")
    hook = folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n"
        "import warm_start; warm_start.hand_over()\n"
    )
    # A session of its own, since scripts hear of Ctrl-C from their clients. The pipe ends with this
    # process, even if it is killed, and then so does the server.
    command = [sys.executable, __file__, address, *(["gpus"] if gpus else [])]
    by_nvml = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    options: Any = {"env": {**env, **by_nvml}, "stdin": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen(command, **options) as server:
        try:
            path = os.pathsep.join(filter(None, (str(hook), env.get("PYTHONPATH"))))
            yield {**env, "PYTHONPATH": path, SOCKET: address}
        finally:
            server.terminate()


def hand_over() -> None:
    """In an interpreter that Snakemake started for a script: waits for the fork that runs it."""
    script = sys.orig_argv[1] if len(sys.orig_argv) == 2 else ""
    address = os.environ.get(SOCKET, "")
    if "/.snakemake/scripts/" not in script or not os.path.exists(address):
        return
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:  # it has ended
        return
    what = json.dumps({"script": script, "folder": os.getcwd(), "env": dict(os.environ)}).encode()
    files = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
    fork = 0  # until there is one

    def forward(number: int, frame: FrameType | None) -> None:
        if not fork:
            os._exit(128 + number)
        os.kill(fork, number)

    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
    before = {n: signal.getsignal(n) for n in signals}
    heard = {n: handler for n, handler in before.items() if handler is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, forward)
    try:
        connection.sendmsg([len(what).to_bytes(8, "big")], [files])
        connection.sendall(what)
        fork = int.from_bytes(_receive(connection, 8), "big")
    except (OSError, EOFError):  # the process ended while it imported, and takes no script over
        for number, handler in heard.items():
            signal.signal(number, handler)
        return
    status = connection.recv(1)  # nothing, if the fork was killed
    os._exit(status[0] if status else 137)


def _receive(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise EOFError
        content += part
    return content


def _end_with_parent() -> None:
    os.read(0, 1)  # nothing is ever written
    os._exit(0)


def forks_can_use_gpus() -> bool:
    """Whether nothing that was imported has touched the GPU's driver."""
    import torch

    fork = os.fork()
    if fork == 0:
        os._exit(int(torch.cuda._is_in_bad_fork()))
    return os.waitpid(fork, 0)[1] == 0


def _serve(address: str, *, gpus: bool) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server = socket.socket(socket.AF_UNIX)
    server.bind(address + ".new")
    server.listen(16)
    os.rename(address + ".new", address)  # now clients find it, and wait: importing is for one
    for name in LIBRARIES:
        __import__(name)
    if gpus and not forks_can_use_gpus():
        return
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            _become(connection)
        connection.close()


def _become(connection: socket.socket) -> None:
    """In the fork: runs the client's script as the client would, and returns its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_SPACE(3 * 4))
    what: dict[str, Any] = json.loads(_receive(connection, int.from_bytes(size, "big")))
    for number, file in enumerate(array.array("i", ancillary[0][2])):
        os.dup2(file, number)
    os.chdir(what["folder"])
    os.environ.clear()
    os.environ.update(what["env"])
    sys.argv = [what["script"]]
    sys.path[:0] = filter(None, what["env"].get("PYTHONPATH", "").split(os.pathsep))
    try:
        connection.sendall(os.getpid().to_bytes(8, "big"))
    except OSError:  # the client has ended while it waited
        os._exit(1)

    def die_with_client() -> None:
        connection.recv(1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=die_with_client, daemon=True).start()
    status = 0
    try:
        runpy.run_path(what["script"], run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([status]))
    os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1], gpus=len(sys.argv) > 2)
