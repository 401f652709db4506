"""`infinidoc warm …`, and the process that stays behind with a model loaded (see `infinidoc.warm`)."""

import io
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infinidoc import warm
from infinidoc.cli import loading, render
from infinidoc.cli.options import CollectionOption, JsonOption, a_time
from infinidoc.errors import INTERRUPTED, InfinidocError

if TYPE_CHECKING:
    from infinidoc.reading.models import Models

MODELS = 2  # one that finds passages, one that reads them
WAIT_SECONDS = 5.0  # for what a command wants, once it has our attention
LATEST_SECONDS = 60.0  # for an answer that is under way when it is to stop

app = typer.Typer(no_args_is_help=True, help="A process that keeps a model in memory, so that answers come at once.")


@app.command()
def start(
    collection: CollectionOption = None,
    keep: Annotated[
        str, typer.Option(metavar="TIME", callback=a_time, help="How long it stays after the last question.")
    ] = "10m",
) -> None:
    """Load a collection's model and keep it: ask, summarize, search, chat and predict use it from now on.

    At a terminal the first question does so by itself; --keep 0 or INFINIDOC_KEEP=0 has it left.

    Examples:

      infinidoc warm start
      infinidoc warm start --collection manuals --keep 8h
    """
    from infinidoc.reading.readers.choice import chosen

    kept = warm.seconds(keep)
    if not kept:
        raise InfinidocError("nothing stays loaded with --keep 0", "give a time, such as 10m or 2h")
    if loading.MODELS is not None:  # we are the process
        with loading.opened(collection) as target:
            loading.ready_to_answer(target, chosen())
        render.out.print(f"the model stays loaded until nothing was asked for {spoken(kept)}")
        return
    code = warm.hand_over(
        ["warm", "start", *(["--collection", collection] if collection else []), "--keep", keep], kept
    )
    if code is None:
        raise InfinidocError("the warm process is at work, or could not be started", "try again in a moment")
    raise typer.Exit(code)


@app.command()
def stop() -> None:
    """Let it end now, and give its memory back.

    Examples:

      infinidoc warm stop
    """
    stopped = 0
    for name in warm.sockets().glob("*.sock"):
        latest = time.monotonic() + LATEST_SECONDS
        while (connection := warm.connect(name)) and time.monotonic() < latest:
            with connection:
                if warm.ready(connection):
                    warm.send(connection, {"stop": True})
                    connection.recv(1)  # it has ended
                    stopped += 1
                    break
            time.sleep(0.1)
    render.out.print("stopped" if stopped else "none was running")


@app.command()
def status(json: JsonOption = False) -> None:
    """Say whether one is there, what it has loaded, and for how long.

    Examples:

      infinidoc warm status
    """
    found = []
    for name in sorted(warm.sockets().glob("*.sock")):
        connection = warm.connect(name)
        if connection is None:
            continue
        with connection:
            if warm.ready(connection):
                warm.send(connection, {"status": True})
                found.append(receive(connection)[0])
            else:
                found.append({"busy": True})
    if json:
        render.print_json({"processes": found})
    elif not found:
        render.out.print("none is running")
    for one in found if not json else []:
        if one.get("busy"):
            render.out.print("one is answering")
            continue
        memory = {"memory": render.size(one["bytes"])} if one["bytes"] else {}
        ends = f"in {spoken(one['seconds'])}, unless asked something"
        render.print_facts({"process": one["pid"], "models": ", ".join(one["models"]), **memory, "ends": ends})


def spoken(time: float) -> str:
    for unit, length in (("hour", 3600), ("minute", 60)):
        if time >= 2 * length or time == length:
            return render.plural(round(time / length), unit)
    return render.plural(round(time), "second")


def stay(main: Callable[[], object], name: str, keep: float) -> None:
    """The process: runs `main` on one command after the other, until none came for `keep` seconds, or one loaded
    nothing."""
    from infinidoc.reading.models import Models
    from infinidoc.reading.readers.endpoint import is_endpoint

    os.umask(0o077)
    loading.MODELS = models = Models(MODELS)
    own, farewell = dict(os.environ), "the model stays loaded for {}: infinidoc warm stop ends that"
    door = Door(name)
    latest = time.monotonic() + keep
    try:
        while (left := latest - time.monotonic()) > 0:
            with door.next(left) as connection:
                try:
                    connection.sendall(warm.READY)
                    message, files = receive(connection)
                except (OSError, ValueError):  # it has left, or says nothing
                    continue
                connection.settimeout(None)
                if "stop" in message:
                    break
                if "status" in message:
                    warm.send(connection, _state(models, left))
                    continue
                keep = message["keep"] or keep
                run(main, connection, message, files, farewell.format(spoken(keep)))
            latest, farewell = time.monotonic() + keep, ""
            os.environ.clear()
            os.environ.update(own)
            models.readers = {name: one for name, one in models.readers.items() if not is_endpoint(name)}
            if not (models.loaded or models.plain or models.readers):
                break
    except Empty:
        pass
    finally:
        Path(name).unlink(missing_ok=True)


class Door:
    """Lets in one at a time, and tells whoever comes meanwhile that we are busy."""

    def __init__(self, name: str):
        self._free, self._in = threading.Semaphore(), SimpleQueue[socket.socket]()
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(name)
        listening.listen()
        threading.Thread(target=self._stand, args=(listening,), daemon=True).start()

    def _stand(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            if self._free.acquire(blocking=False):
                self._in.put(connection)
            else:
                with connection, suppress(OSError):
                    connection.sendall(warm.BUSY)

    @contextmanager
    def next(self, seconds: float) -> Iterator[socket.socket]:
        """Raises Empty if nobody comes within `seconds`."""
        connection = self._in.get(timeout=seconds)
        try:
            with connection:
                connection.settimeout(WAIT_SECONDS)
                yield connection
        finally:
            self._free.release()


def _state(models: "Models", keep: float) -> dict[str, Any]:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if sys.platform == "linux" else 0
    names = [*(one.model for one in models.loaded), *models.plain, *models.readers]
    return {
        "pid": os.getpid(),
        "models": list(dict.fromkeys(names)),
        "bytes": pages * resource.getpagesize(),
        "seconds": keep,
    }


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A message and its open files. Raises ValueError if the other side has left, OSError."""
    said, files, _, _ = socket.recv_fds(connection, 8, 3)
    length = int.from_bytes(said, "big")
    rest = b""
    while len(rest) < length:
        more = connection.recv(length - len(rest))
        if not more:
            break
        rest += more
    try:
        return json.loads(rest), files
    except ValueError:
        for file in files:
            os.close(file)
        raise


class Told(io.FileIO):
    """Standard output, which tells the other side when something is about to be written."""

    def __init__(self, connection: socket.socket):
        super().__init__(1, "w", closefd=False)
        self._connection, self._silent = connection, True

    def write(self, data: Any) -> int:
        if self._silent:
            self._silent = False
            with suppress(OSError):
                self._connection.sendall(warm.WRITES)
        return super().write(data)


def run(
    main: Callable[[], object], connection: socket.socket, message: dict[str, Any], files: list[int], farewell: str
) -> None:
    """Runs a command with the streams, the directory and the environment that it was given with."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    encodings = message["encodings"]
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encodings[0])
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(Told(connection)), encodings[1], line_buffering=os.isatty(1))
    error = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(error, encodings[2], "backslashreplace", line_buffering=True)
    render.out.forget()
    render.err.forget()
    os.environ.clear()
    os.environ.update(message["environment"])
    os.umask(message["umask"])
    warm.STARTED = message["started"]
    sys.argv = ["infinidoc", *message["run"]]
    here, over, lock = threading.get_ident(), threading.Event(), threading.Lock()

    def listen() -> None:
        """Ctrl-C, or the other side has gone: the command ends here too."""
        while True:
            try:
                said = connection.recv(1)
            except OSError:
                said = b""
            with lock:
                if over.is_set():
                    return
                signal.pthread_kill(here, signal.SIGINT)  # a signal, because it may be waiting for a line
            if not said:
                return

    listener = threading.Thread(target=listen, daemon=True)
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
        listener.start()
        os.chdir(message["directory"])
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as wrong:  # a directory that is gone
        render.error(f"{wrong.filename}: {wrong.strerror}")
    finally:
        with suppress(KeyboardInterrupt):
            with lock:
                over.set()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if farewell and code == 0 and os.isatty(2):
            with suppress(OSError):
                render.note(farewell)
        _flush()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        os.close(nothing)
        _flush()  # what a closed pipe would not take, or it would be the next command's
        with suppress(OSError):
            connection.sendall(f"{code}\n".encode())
            connection.shutdown(socket.SHUT_RDWR)
        listener.join()
        os.chdir("/")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
