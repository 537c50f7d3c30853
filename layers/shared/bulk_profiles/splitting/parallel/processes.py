"""Processes that share the work on the blocks of a file.

Each helper has a few texts at most; while all have these, the process that hands out works itself, so that
there need not be more processes than processors. Results come back in the order of the texts. Texts pass
through shared memory, which is several times cheaper than a pipe.
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
_PLACE_BYTES = 16 * 1024 * 1024  # of memory that is there once it is used; longer results take the pipe
_SECONDS_TO_END = 5.0
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})
type Work = Callable[[bytes, Any], tuple[bytes, Any]]
type Made = tuple[bytes, Any, Exception | None]


class HelperLostError(BulkProfilesError):
    """A helper is gone in the middle of its work."""


@dataclass(slots=True)
class _Text:
    """A text that was taken, and what it became, once that is known."""

    made: Made | None = None


@dataclass(slots=True)
class _Channel:
    """One end of what a process and its helper pass to each other: a text, and something small with it.

    The text of a result goes where the text was that it was made of. `out` are the texts without a result.
    """

    connection: Connection
    memory: mmap.mmap
    sent: int = 0
    received: int = 0
    out: deque[_Text] = field(default_factory=deque)

    def send(self, text: bytes, rest: object) -> None:
        start = self.sent % _PLACES * _PLACE_BYTES
        self.sent += 1
        if len(text) > _PLACE_BYTES:
            self.connection.send((text, None, rest))
            return
        self.memory[start : start + len(text)] = text
        self.connection.send((None, len(text), rest))

    def receive(self) -> tuple[bytes, Any]:
        text, size, rest = self.connection.recv()
        start = self.received % _PLACES * _PLACE_BYTES
        self.received += 1
        return self.memory[start : start + size] if text is None else text, rest

    def receive_result(self) -> None:
        text, (rest, error) = _alive(self.receive)
        self.out.popleft().made = text, rest, error


class HelperProcesses:
    """Some forks of this process, which do one kind of `work`, as it does itself while they are busy."""

    def __init__(self, helpers: int, work: Work) -> None:
        context = get_context("fork")  # what they need to know is there, and they start in no time
        self._work = work
        self._texts = deque[_Text]()
        self._channels: list[_Channel] = []
        self._processes: list[ForkProcess] = []
        for _ in range(helpers):
            ours, theirs = context.Pipe()
            memory = mmap.mmap(-1, _PLACES * _PLACE_BYTES)
            self._channels.append(_Channel(ours, memory))
            ends = tuple(channel.connection for channel in self._channels)
            process = context.Process(target=_serve, args=(_Channel(theirs, memory), work, ends), daemon=True)
            _start(process)
            theirs.close()
            self._processes.append(process)

    @property
    def count(self) -> int:
        """The number of texts that may be out at a time."""
        return _PLACES * len(self._processes) + _AHEAD

    def take(self, text: bytes, rest: object) -> None:
        """Have a text of at most 16 MiB worked on; fewer than `count` must be out."""
        if len(text) > _PLACE_BYTES:
            raise ValueError(len(text))  # it might wait for a helper that waits for its result to be taken
        for channel in self._channels:
            while channel.out and channel.connection.poll():
                channel.receive_result()
        taken = _Text()
        self._texts.append(taken)
        channel = min(self._channels, key=lambda channel: len(channel.out))
        if len(channel.out) < _PLACES:
            _alive(channel.send, text, rest)
            channel.out.append(taken)
        else:
            taken.made = _make(self._work, text, rest)

    def result(self) -> tuple[bytes, Any]:
        """Wait for what became of the oldest text; raises what was raised, or `HelperLostError`."""
        oldest = self._texts[0]
        while oldest.made is None:
            next(it for it in self._channels if it.out and it.out[0] is oldest).receive_result()
        self._texts.popleft()
        text, rest, error = oldest.made
        if error:
            raise error
        return text, rest

    def close(self) -> None:
        """Have all of them end."""
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
    """Fork, with interrupts held back until the fork has learned to leave them alone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    with warnings.catch_warnings():
        # Other threads may hold locks that a fork then never gets: a helper takes none.
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


def _make(work: Work, text: bytes, rest: object) -> Made:
    try:
        return *work(text, rest), None
    except Exception as error:  # noqa: BLE001 raised again where the result is awaited
        return b"", None, error


def _serve(channel: _Channel, work: Work, others: tuple[Connection, ...]) -> None:
    """Work until the other end is closed, or its process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for who asked for the work to say that it is over
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for other in others:
        other.close()
    while True:
        try:
            text, rest = channel.receive()
        except (EOFError, ConnectionError):
            os._exit(0)  # without a look at what the fork came with
        text, made, error = _make(work, text, rest)
        try:
            channel.send(text, (made, error))
        except ConnectionError:
            os._exit(0)
