"""The warm process: it stays behind with a model loaded, and the next command is handed to it.

What is handed over is the command itself: arguments, directory, environment, and the three standard streams, which a
Unix socket can carry. It runs there as it would have here, only that nothing has to be imported and loaded. This
module is the side that hands over (`infinidoc.cli.warm` is the other one); it imports nothing that takes long.

Sockets lie in a directory that only the user can enter, one per program: another version, another Python, or other
settings of threads and processor are strangers to each other.
"""

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()  # the command that runs, but for Python's own start

COMMANDS = ("ask", "summarize", "search", "chat", "predict")
KEEP = "INFINIDOC_KEEP"
KEPT = 600.0  # seconds, where a person asks
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST = 7 * 24 * 3600.0
SETTINGS = ("OMP_", "MKL_", "ATEN_", "ONEDNN_", "TORCH_", "CUDA_", "KMP_", "GOMP_")  # read once, when torch is loaded
START_SECONDS = 20.0  # it answers at once, ready or not, but machines can be slow

READY, BUSY, WRITES, INTERRUPT = b"r", b"b", b"w", b"i"


def seconds(text: str) -> float:
    """A time as people write it: "10m", "90s", "2h", "0". Raises ValueError."""
    text = text.strip()
    number = float(text[:-1]) * UNITS[text[-1]] if text[-1:] in UNITS else float(text)
    if not 0 <= number <= LONGEST:
        raise ValueError(text)
    return number


def handed_over(arguments: Sequence[str]) -> int | None:
    """The exit code of a command that a warm process ran, or None: it is to be run here.

    One that is there is used; one is started and left behind where a person asks, at a terminal, or with `--keep` or
    `INFINIDOC_KEEP`, which take it from anyone else too; 0 wants none. CI has none unless it asks.
    """
    if not arguments or arguments[0] not in COMMANDS or not {"--help", "-h"}.isdisjoint(arguments):
        return None
    asked = next(
        (value.partition("=")[2] or after for value, after in zip(arguments, [*arguments[1:], ""], strict=True)
         if value.partition("=")[0] == "--keep"),
        os.environ.get(KEEP),
    )  # fmt: skip
    if asked is None and os.environ.get("CI"):
        return None
    try:
        keep = seconds(asked) if asked is not None else KEPT if sys.stdout.isatty() else 0.0
    except ValueError:
        return None  # the command says what is wrong with it
    if asked is not None and not keep:
        return None
    try:
        return hand_over(arguments, keep)
    except (OSError, ValueError):
        return None


def hand_over(arguments: Sequence[str], keep: float) -> int | None:
    """See `handed_over`; with `keep`, seconds, a process is started if none is there."""
    directory = sockets()
    name = directory / f"{program()}.sock"
    connection = connect(name) or (_started(name, keep) if keep else None)
    if connection is None:
        return None
    with connection:
        if not ready(connection):
            return None
        send(connection, {
            "run": list(arguments),
            "directory": os.getcwd(),
            "environment": dict(os.environ),
            "umask": _umask(),
            "encodings": [stream.encoding for stream in (sys.stdin, sys.stdout, sys.stderr)],
            "keep": keep,
            "started": STARTED,
        }, [0, 1, 2])  # fmt: skip
        return _waited(connection)


def _waited(connection: socket.socket) -> int | None:
    """The exit code that comes back, None if the process ended before it wrote anything."""
    said = b""
    while b"\n" not in said:
        try:
            more = connection.recv(64)
            if not more:
                break
            said += more
        except KeyboardInterrupt:
            connection.sendall(INTERRUPT)
    if b"\n" in said:
        return int(said.strip(WRITES))
    if WRITES not in said:
        return None
    sys.stderr.write("infinidoc: the warm process has ended in the middle of it: ask again\n")
    return 1


def sockets() -> Path:
    """The directory of the sockets, made if need be. Raises OSError if somebody else could have put something there."""
    below = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"
    directory = Path(below) / f"infinidoc-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{directory} is not ours alone")
    return directory


def program() -> str:
    """What must be the same on both sides: Python, the code, and the settings that torch reads once."""
    package = Path(__file__).parent
    latest = max(
        os.stat(os.path.join(folder, file)).st_mtime_ns
        for folder, _, files in os.walk(package)
        for file in files
        if file.endswith((".py", ".safetensors"))
    )
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith(SETTINGS))
    same = (sys.executable, sys.version, str(package), latest, settings)
    return blake2b(repr(same).encode(), digest_size=8).hexdigest()


def connect(name: Path) -> socket.socket | None:
    """None if nobody listens there; a socket that was left behind is taken away."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(name))
        return connection
    except ConnectionRefusedError:
        name.unlink(missing_ok=True)
    except OSError:
        pass
    connection.close()
    return None


def ready(connection: socket.socket) -> bool:
    """Whether the process has time for us: it has none while it runs another's command."""
    connection.settimeout(START_SECONDS)
    try:
        return connection.recv(1) == READY
    except OSError:
        return False
    finally:
        connection.settimeout(None)


def send(connection: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """A message with its length before it, and open files beside it."""
    said = json.dumps(message).encode()
    socket.send_fds(connection, [len(said).to_bytes(8, "big")], files)
    connection.sendall(said)


def _started(name: Path, keep: float) -> socket.socket | None:
    """Starts a process, and waits until it listens."""
    code = f"from infinidoc.cli import main, warm; warm.stay(main, {str(name)!r}, {keep!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C and a terminal that closes are not its concern
    )
    latest = time.monotonic() + START_SECONDS
    while time.monotonic() < latest and process.poll() is None:
        if connection := connect(name):
            process.returncode = 0  # it outlives this one: nothing to complain about
            return connection
        time.sleep(0.02)
    with suppress(OSError):
        process.kill()
    return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
