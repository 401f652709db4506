"""Ingest on many processors or machines, with Ray: a map over windows of segments, and a sum of their states.

The process that ingests parses, sends token ids, gets addresses and a sum back, and alone writes to the collection. A
worker holds nothing that is not sent again when it dies.
"""

import logging
import os
import re
import socket
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from infinidoc.errors import InfinidocError
from infinidoc.memory.records import Identity
from infinidoc.model.addresses import AddressHead
from infinidoc.model.encoding import Addressed, Advance, Begun, Encoder, Running, Seat, window_tokens
from infinidoc.model.kernels import State
from infinidoc.model.loading import load

if TYPE_CHECKING:
    from torch import Tensor

    from infinidoc.model.base import BaseModel

AHEAD = 2  # windows per processor that have been sent and not yet committed: enough that none waits for work
RETRIES = 5  # a window that so many dead workers had is given up
HOST_AND_PORT = re.compile(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)")
SECONDS = 5.0  # that a cluster may take to be reached


class Cluster:
    """An `Encoder` by way of Ray: on the cluster that `RAY_ADDRESS` names, else one that runs here, else one that is
    started now and ends with this. Raises InfinidocError without Ray, or if that cluster can't be reached."""

    def __init__(self, base: "BaseModel", identity: Identity, head: AddressHead):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # by default it reports to its makers, and says so
        try:
            import ray
        except ImportError as error:
            raise InfinidocError("this needs Ray", "pip install 'infinidoc[ray]'") from error
        self._ray, self._owner = ray, not ray.is_initialized()
        if self._owner:
            _connect(ray)
        self.ahead = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._read = ray.remote(max_retries=RETRIES)(read)
        self.window_tokens = window_tokens(base.device)
        self._precision = base.precision
        self._identity, self._head = identity, ray.put(head.tensors())

    def first_pass(self, segments: Sequence[Sequence[int]], keep: bool = False) -> Running[Addressed]:
        """As `Encoder.first_pass`. What it returns raises InfinidocError if the worker failed, or died again and
        again."""
        return self._send("first_pass", segments, keep)

    def second_pass(
        self, segments: Sequence[Sequence[int]] | Begun, seats: Sequence[Seat] | None = None
    ) -> Running[list[State]]:
        """As `Encoder.second_pass`; raises what `first_pass` raises."""
        return self._send("second_pass", segments, seats)

    def _send(self, which: str, *what: Any) -> Running[Any]:
        reference = self._read.remote(self._identity, self._precision, self._head, which, *what)

        def wait(advance: Advance) -> Any:
            try:
                found, tokens = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                raise _failed(error) from error
            advance(tokens)
            return found

        return wait

    def close(self) -> None:
        if self._owner:
            self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(
    identity: Identity,
    precision: str,
    head: dict[str, "Tensor"],
    which: str,
    *what: Any,
) -> tuple[Any, int]:
    """What a worker does: a pass of an `Encoder`. Returns what that gives, and how many tokens it read. Its model stays
    loaded for the next window."""
    read: list[int] = []
    with Encoder(loaded(identity, precision), AddressHead.from_tensors(head)) as encoder:
        return getattr(encoder, which)(*what)(read.append), sum(read)


@cache
def loaded(identity: Identity, precision: str) -> "BaseModel":
    """The model and adapter that the collection was read with, from this worker's own disk."""
    base, adapter = load(identity.model, identity.adapter, precision)
    if (base.digest, adapter.digest if adapter else "") != (identity.model_digest, identity.adapter_digest):
        raise InfinidocError(
            f"a worker has another {identity.model} or {identity.adapter} than the collection was read with",
            "put the same model and adapter on every machine",
        )
    return base


def _connect(ray: Any) -> None:
    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    named = os.environ.get("RAY_ADDRESS")
    try:
        if named:
            if address := HOST_AND_PORT.fullmatch(named):  # Ray itself tries for minutes
                socket.create_connection((address[1], int(address[2])), SECONDS).close()
            ray.init(address=named, **quiet)
            return
        try:
            ray.init(address="auto", **quiet)
        except ConnectionError:  # none runs here
            ray.init(address="local", include_dashboard=False, **quiet)
    except Exception as error:  # whatever is wrong with a cluster
        where = f"no Ray cluster at {named}" if named else "Ray can't be started"
        raise InfinidocError(f"{where} ({_first_line(error)})", "see: ray status") from error


def _failed(error: Exception) -> InfinidocError:
    """In one line; the traceback of a worker means little here."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, InfinidocError):
        return cause
    return InfinidocError(
        f"a worker failed ({_first_line(cause)})", "what was committed stays: mend it, and ingest again"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
