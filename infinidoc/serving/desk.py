"""Many clients, one model: questions wait in a bounded queue, and those that nobody waits for any more are dropped."""

import asyncio
import ctypes
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any, Generic, TypeVar

from fastapi.sse import KEEPALIVE_COMMENT
from starlette.requests import Request
from starlette.responses import StreamingResponse

from infinidoc.serving.errors import Refused, busy

THREADS = 4  # where an endpoint reads: nobody waits for it who needs the model; else one, which keeps the memory flat
WAITING = 64  # questions at most, those that are being answered included
LONGEST_SECONDS = 600.0  # from a question's arrival to its answer
PATIENCE_SECONDS = 10.0  # after which a client is told that it still waits


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


Result = TypeVar("Result")
Say = Callable[[str], None]


class Left(Exception):
    """Nobody waits for this answer any more."""


class Ticket(Generic[Result]):
    """A question that waits for its turn, or is being answered."""

    def __init__(self, work: Callable[[Say], Result], pool: ThreadPoolExecutor, seconds: float):
        self._work, self._left = work, Event()
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + seconds
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._future = pool.submit(self._run)
        self._future.add_done_callback(lambda _: self._tell(None))

    def _run(self) -> Result:
        self._say("")
        try:
            return self._work(self._say)
        finally:
            give_memory_back()

    def _say(self, text: str) -> None:
        """Hands a piece of the answer on. Raises Left, which ends the reading, if nobody waits for it any more."""
        if self._left.is_set():
            raise Left
        if text:
            self._tell(text)

    def _tell(self, text: str | None) -> None:
        with suppress(RuntimeError):  # the server has gone meanwhile
            self._loop.call_soon_threadsafe(self._texts.put_nowait, text)

    @property
    def done(self) -> bool:
        return self._future.done()

    def leave(self) -> None:
        """Ends the work at the next piece, or before it has begun."""
        self._left.set()
        self._future.cancel()

    async def next(self) -> str | None:
        """The next piece of the answer; "" if there is none for a while, None at the end.

        Raises TimeoutError if the whole takes too long.
        """
        left = self._deadline - self._loop.time()
        if left <= 0:
            raise TimeoutError
        try:
            return await asyncio.wait_for(self._texts.get(), min(left, PATIENCE_SECONDS))
        except TimeoutError:
            return ""

    async def first(self, request: Request) -> str | None:
        """As `next`. Raises Refused if the client leaves meanwhile."""
        leaving, coming = asyncio.ensure_future(left(request)), asyncio.ensure_future(self.next())
        try:
            await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                raise gone()
            return coming.result()
        finally:
            leaving.cancel()
            coming.cancel()

    def result(self) -> Result:
        """At the end. Raises what the work raised."""
        try:
            return self._future.result(timeout=0)
        except (Left, CancelledError) as error:
            raise gone() from error


class Desk:
    """Where questions are handed in."""

    def __init__(self, threads: int = 1, waiting: int = WAITING, seconds: float = LONGEST_SECONDS):
        self._pool = ThreadPoolExecutor(threads, "question")
        self._waiting, self._seconds = waiting, seconds
        self._tickets: list[Ticket[Any]] = []

    def hand_in(self, work: Callable[[Say], Result]) -> Ticket[Result]:
        """Has a thread do it, when its turn has come. Raises Refused if too many wait already."""
        self._tickets = [ticket for ticket in self._tickets if not ticket.done]
        if len(self._tickets) >= self._waiting:
            raise busy(f"{len(self._tickets)} questions are waiting already")
        ticket = Ticket(work, self._pool, self._seconds)
        self._tickets.append(ticket)
        return ticket

    async def result(self, request: Request, work: Callable[[Say], Result]) -> Result:
        """What the work comes to. Ends it if the client leaves; raises TimeoutError if it takes too long."""
        ticket = self.hand_in(work)
        try:
            while await ticket.first(request) is not None:
                pass
            return ticket.result()
        finally:
            ticket.leave()

    async def events(
        self,
        request: Request,
        work: Callable[[Say], Result],
        piece: Callable[[str], bytes],
        end: Callable[[Result], Iterable[bytes]],
        failed: Callable[[Exception], bytes],
    ) -> EventStream:
        """The same as server-sent events. What goes wrong before the first piece is raised, or comes as an event if
        that takes long."""
        ticket = self.hand_in(work)
        try:
            text = await ticket.first(request)
            whole = ticket.result() if text is None else None
        except BaseException:
            ticket.leave()
            raise

        async def stream() -> AsyncIterator[bytes]:
            nonlocal text
            try:
                while text is not None:
                    yield piece(text) if text else KEEPALIVE_COMMENT
                    text = await ticket.next()
                for event in end(whole if whole is not None else ticket.result()):
                    yield event
            except Exception as error:
                yield failed(error)
            finally:
                ticket.leave()

        return EventStream(stream())

    def close(self) -> None:
        for ticket in self._tickets:
            ticket.leave()
        self._pool.shutdown(cancel_futures=True)


def gone() -> Refused:
    return Refused(499, "the client has left")


def give_memory_back() -> None:
    """Has glibc hand what is free to the system, a matter of milliseconds: it keeps hundreds of megabytes otherwise, in
    pieces, for each thread."""
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


async def left(request: Request) -> None:
    """Returns when the client has gone. What it sent must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
