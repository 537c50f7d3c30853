"""Helper processes: a parallel map over texts, with the results in the order of the texts.

Each helper has a few texts at most. While all of them have these, the process that hands texts out works on
one itself, so there need not be more processes than processors. Texts pass through shared memory, which is
several times cheaper than a pipe.
"""

from __future__ import annotations

import mmap
import os
import signal
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any

from bulk_profiles.core.errors import BulkProfilesError

_PLACES = 3  # for texts of one helper: one that it works on, two that wait
_AHEAD = 2  # texts that are worked on here before the result of an earlier one is there
_PLACE_BYTES = 16 * 1024 * 1024  # address space: the system gives memory to the pages that are written to
_SECONDS_TO_END = 5.0
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})
type Result[Answer] = tuple[bytes, Answer]  # a text, and something small with it
type Work[Task, Answer] = Callable[[bytes, Task], Result[Answer]]


class HelperLostError(BulkProfilesError):
    """A helper process ended in the middle of its work."""


@dataclass(slots=True)
class _Text[Answer]:
    """A text that was taken."""

    result: Result[Answer] | Exception | None = None  # None while it is worked on


@dataclass(slots=True)
class _Channel[Answer]:
    """One end of the connection to a helper, or of that to the process which it helps.

    A message is a text and something small. The small part goes through a pipe, the text through a place in
    shared memory. Message number n has place n modulo 3 in both directions: so the text of a result comes
    where the text was that it was made of. A longer text than a place goes through the pipe, too.
    """

    connection: Connection
    memory: mmap.mmap
    sent: int = 0  # messages
    received: int = 0
    texts: deque[_Text[Answer]] = field(default_factory=deque)  # that the helper has

    def send(self, text: bytes, small: object) -> None:
        start = self.sent % _PLACES * _PLACE_BYTES
        self.sent += 1
        if len(text) > _PLACE_BYTES:
            self.connection.send((text, None, small))
            return
        self.memory[start : start + len(text)] = text
        self.connection.send((None, len(text), small))

    def receive(self) -> tuple[bytes, Any]:
        text, size, small = self.connection.recv()
        start = self.received % _PLACES * _PLACE_BYTES
        self.received += 1
        return self.memory[start : start + size] if text is None else text, small

    def receive_result(self) -> None:
        text, (answer, error) = _alive(self.receive)
        self.texts.popleft().result = (text, answer) if error is None else error


class HelperProcesses[Task, Answer]:
    """Forks of this process that do one kind of work, as it does itself while they are busy."""

    def __init__(self, helpers: int, work: Work[Task, Answer]) -> None:
        context = get_context("fork")  # a fork has all that the work refers to, and starts in milliseconds
        self._work = work
        self._texts = deque[_Text[Answer]]()
        self._channels: list[_Channel[Answer]] = []
        self._processes: list[ForkProcess] = []
        for _ in range(helpers):
            ours, theirs = context.Pipe()
            memory = mmap.mmap(-1, _PLACES * _PLACE_BYTES)
            self._channels.append(_Channel(ours, memory))
            ends = tuple(channel.connection for channel in self._channels)
            channel = _Channel[Answer](theirs, memory)
            process = context.Process(target=_serve, args=(channel, work, ends), daemon=True)
            _start(process)
            theirs.close()
            self._processes.append(process)

    @property
    def count(self) -> int:
        """The number of texts that may be taken before the result of the first one is asked for."""
        return _PLACES * len(self._processes) + _AHEAD

    def take(self, data: bytes, task: Task) -> None:
        """Begin to work on a text of at most 16 MiB.

        Raises `ValueError` for a longer one: in the pipe, it could wait for a helper that waits itself until
        its result is received.
        """
        if len(data) > _PLACE_BYTES:
            raise ValueError(len(data))
        for channel in self._channels:
            while channel.texts and channel.connection.poll():
                channel.receive_result()
        text = _Text[Answer]()
        self._texts.append(text)
        channel = min(self._channels, key=lambda channel: len(channel.texts))
        if len(channel.texts) < _PLACES:
            _alive(channel.send, data, task)
            channel.texts.append(text)
        else:
            text.result = _try(self._work, data, task)

    def result(self) -> Result[Answer]:
        """Wait for the result of the oldest text; raises the work's own error, or `HelperLostError`."""
        oldest = self._texts[0]
        while oldest.result is None:
            next(it for it in self._channels if it.texts and it.texts[0] is oldest).receive_result()
        self._texts.popleft()
        if isinstance(oldest.result, Exception):
            raise oldest.result
        return oldest.result

    def close(self) -> None:
        """Stop all helpers."""
        for channel in self._channels:
            channel.connection.close()
        for process in self._processes:
            process.join(_SECONDS_TO_END)
            process.kill()
            process.join()
            process.close()
        for channel in self._channels:
            channel.memory.close()


def _start(process: ForkProcess) -> None:
    """Fork, with interrupts blocked until the fork has set its own handlers for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    with warnings.catch_warnings():
        # Locks that other threads hold stay locked in a fork for ever: a helper takes none.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _alive[**P, T](call: Callable[P, T], *arguments: P.args, **names: P.kwargs) -> T:
    try:
        return call(*arguments, **names)
    except (EOFError, ConnectionError):
        pass  # as a cause, it would hold on to buffers
    raise HelperLostError(
        "A process that helped was killed: is there too little memory? Without helpers, it takes less."
    )


def _try[Task, Answer](work: Work[Task, Answer], text: bytes, task: Task) -> Result[Answer] | Exception:
    try:
        return work(text, task)
    except Exception as error:  # noqa: BLE001 raised again where the result is asked for
        return error


def _serve[Task, Answer](
    channel: _Channel[Answer], work: Work[Task, Answer], others: tuple[Connection, ...]
) -> None:
    """Work until the other end is closed, or its process has ended."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches every process: the one that is helped decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for other in others:
        other.close()
    while True:
        try:
            result = _try(work, *channel.receive())
        except (EOFError, ConnectionError):
            os._exit(0)  # without the exit handlers that the fork has from its parent
        try:
            if isinstance(result, Exception):
                channel.send(b"", (None, result))
            else:
                channel.send(result[0], (result[1], None))
        except ConnectionError:
            os._exit(0)
