"""Processes that help: results in order, errors where they are awaited, and an end to all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulk_profiles.splitting.parallel import processes
from bulk_profiles.splitting.parallel.processes import HelperLostError, HelperProcesses

type Helpers = HelperProcesses[Any, Any]


def _work(text: bytes, rest: Any) -> tuple[bytes, Any]:
    if text == b"fail":
        raise ValueError(rest)
    if text == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02 if rest == 0 else 0)
    return text.upper(), (rest, os.getpid())


@pytest.fixture
def helpers() -> Iterator[Helpers]:
    found: Helpers = HelperProcesses(2, _work)
    yield found
    found.close()


def test_results_come_in_the_order_of_the_texts(helpers: Helpers) -> None:
    pids, behind = set(), helpers.count - 1
    for number in range(40):
        helpers.take(b"text %d" % number, number % 6)
        if number >= behind:
            text, (rest, pid) = helpers.result()
            assert (text, rest) == (b"TEXT %d" % (number - behind), (number - behind) % 6)
            pids.add(pid)
    assert len(pids - {os.getpid()}) == 2


def test_while_the_helpers_are_busy_there_is_work_here_too() -> None:
    go_on, tell = os.pipe()
    here = os.getpid()

    def work(text: bytes, rest: Any) -> tuple[bytes, Any]:
        if text == b"fail":
            raise ValueError(rest)
        if os.getpid() != here:
            os.read(go_on, 1)
        return text, os.getpid() == here

    helpers = HelperProcesses(1, work)
    assert helpers.count == 5
    for text in (b"a", b"b", b"c", b"d", b"fail"):
        helpers.take(text, "why")
    os.write(tell, b"...")
    assert [helpers.result() for _ in range(4)] == [(b"a", False), (b"b", False), (b"c", False), (b"d", True)]
    with pytest.raises(ValueError, match="why"):
        helpers.result()
    helpers.close()
    os.close(go_on)
    os.close(tell)


def test_a_result_that_does_not_fit_in_its_place_arrives_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PLACE_BYTES", 4)
    helpers: Helpers = HelperProcesses(1, lambda text, times: (text * times, None))
    helpers.take(b"four", 1)
    helpers.take(b"four", 1_000_000)
    assert helpers.result() == (b"four", None)
    assert helpers.result() == (b"four" * 1_000_000, None)
    with pytest.raises(ValueError, match="5"):
        helpers.take(b"fiver", 1)
    helpers.close()


def test_an_error_is_raised_where_the_result_is_awaited(helpers: Helpers) -> None:
    helpers.take(b"fail", "why")
    helpers.take(b"fine", 1)
    with pytest.raises(ValueError, match="why"):
        helpers.result()
    assert helpers.result()[0] == b"FINE"


def test_a_helper_that_died_is_noticed(helpers: Helpers) -> None:
    helpers.take(b"die", 1)
    with pytest.raises(HelperLostError) as caught:
        helpers.result()
    assert str(caught.value) == (
        "A process that helped was killed: is there too little memory? Without helpers, it takes less."
    )
    with pytest.raises(HelperLostError, match="killed"):
        helpers.take(b"for the other one", 1)


@pytest.mark.parametrize("times", [1, 1_000_000])
def test_helpers_whose_results_nobody_awaits_end_without_a_word(
    times: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "_PLACE_BYTES", 4)
    helpers: Helpers = HelperProcesses(2, lambda text, rest: (text * times, rest))
    for text in (b"a", b"b", b"c", b"d"):
        helpers.take(text, 0)
    helpers.close()
    assert capfd.readouterr() == ("", "")


def test_helpers_end_with_the_process_that_they_help() -> None:
    code = (
        "import os, sys; from tests.unit.splitting.parallel.test_processes import _work;"
        "from bulk_profiles.splitting.parallel.processes import HelperProcesses;"
        "helpers = HelperProcesses(2, _work);"
        "helpers.take(b'a', 1); helpers.take(b'b', 1);"
        "pids = [helpers.result()[1][1] for _ in range(2)]; print(*pids, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=False, timeout=60
    ).stdout
    pids = [int(pid) for pid in printed.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
