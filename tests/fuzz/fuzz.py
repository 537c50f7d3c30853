"""Fuzz what reads bytes from outside, guided by the branches that they reach.

`python fuzz.py answers`, or `reading`, or `writers` for tables that were damaged after they were written.
Further arguments are libFuzzer's: -max_total_time=60 -seed=1 -artifact_prefix=folder/. An input that breaks a
promise is saved; given as an argument, it is tried again alone.
"""

from __future__ import annotations

import bz2
import gzip
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # in a venv of its own: make fuzz

with atheris.instrument_imports(include=["bulk_profiles"]):
    from bulk_profiles.core.errors import FileRejectedError
    from bulk_profiles.core.feeds import Feed, Mapping, Quoting, SeparatorInValue
    from bulk_profiles.core.models import Basis, KeyColumn, ProfileStatus
    from bulk_profiles.splitting.batches.cutter import Limits
    from bulk_profiles.target.answers import StatusAnswer, TargetState, read_receipt, read_status
    from bulk_profiles.target.charset import utf8_pieces
    from bulk_profiles.target.earlier_answers import add_earlier, from_bytes, to_bytes
    from bulk_profiles.target.response import UnusableAnswerError
    from bulk_profiles.target.verdict import add_details, settle
    from tests.unit.splitting.test_real_writers import check_any_damage
    from tests.worlds.splitting import run

_FEEDS = (
    Feed(),
    Feed(key_column=KeyColumn.PC_ID, separator_in_value=SeparatorInValue.REJECT),
    Feed(delimiter=";", quoting=Quoting.NONE, separator_in_value=SeparatorInValue.REPLACE),
    Feed(
        encoding="cp1252", mapping=Mapping(key="id", rename={"a": "b"}, constants={"c": "1"}, tombstone="x")
    ),
)
_IDS = ("u1", "u2", "a b")
_CHARSETS = ("", "", "", "utf-8", "utf-16", "latin-1", "cp1252", "x")
_ELEMENT = re.compile(rb"<([^!?/\s>]+)")
_ELEMENTS = frozenset(
    b"response profile id status batchId batchSize consumedCount successfulUpdates profilesNotFound "
    b"failedUpdates message".split()
)
_LIMITS = (Limits(), Limits(max_batch_rows=2), Limits(max_batch_bytes=90), Limits(3, 120))
_MOST_BYTES = 100_000


def answers(data: bytes) -> None:
    """Read an answer whole and in pieces: the same both times, and nothing implied by what is not known."""
    if not data:
        return
    size, charset, body = data[0] % 16 + 1, _CHARSETS[data[0] // 16 % len(_CHARSETS)], data[1:]
    receipt = read_receipt(body, charset)
    assert receipt.success is True or not receipt.status_url
    assert receipt.message.isprintable() or not receipt.message
    answer = _status([body], charset)
    assert answer == _status([body[place : place + size] for place in range(0, len(body), size)], charset)
    if answer is not None:
        assert StatusAnswer.from_json(answer.to_json()).unclear == answer.unclear
        ours = answer.about("b-1")
        for each in (ours, add_details(StatusAnswer(TargetState.COMPLETE, "b-1"), ours)):
            _settle(each, b"".join(utf8_pieces([body], charset)))
        _look_again(answer)


def _look_again(answer: StatusAnswer) -> None:
    """Keep an answer and look again: what failed is no success, whatever the other one says."""
    assert from_bytes(to_bytes(answer)) == answer
    failed = StatusAnswer(TargetState.INCOMPLETE, profiles={"u1": ProfileStatus.ERROR})
    complete = StatusAnswer(TargetState.COMPLETE)
    for combined in (add_earlier(answer, failed), add_earlier(complete, add_earlier(failed, answer))):
        verdict = settle(combined, _IDS, rows=len(_IDS), overdue=True)
        assert verdict is not None
        assert verdict.result_of("u1").status is not ProfileStatus.SUCCESS


def _status(pieces: list[bytes], charset: str) -> StatusAnswer | None:
    try:
        return read_status(pieces, charset=charset)
    except UnusableAnswerError:
        return None


def _settle(answer: StatusAnswer, body: bytes) -> None:
    """Settle a batch: a success is reported by name, or implied by an answer with known elements alone."""
    verdict = settle(answer, _IDS, rows=len(_IDS), overdue=True)
    assert verdict is not None
    for result in map(verdict.result_of, _IDS):
        assert result.status is ProfileStatus.SUCCESS or result.reason
        if result.status is not ProfileStatus.SUCCESS:
            continue
        if result.basis is Basis.REPORTED:
            assert b"success" in body.lower()
        elif answer.withdrawn:  # the first answer was complete, and this one names and counts nothing
            assert not answer.profiles
            assert not answer.counted
        else:
            assert set(_ELEMENT.findall(body)) <= _ELEMENTS
            assert not re.search(rb"!--|=|\x01", body.partition(b"<response")[2])


def reading(data: bytes) -> None:
    """Split a file: rejected in one sentence, or every row is accounted for and every body within limits."""
    if not 1 < len(data) < _MOST_BYTES:
        return
    feed, limits = _FEEDS[data[0] % 4], _LIMITS[data[0] // 4 % 4]
    with suppress(FileRejectedError):
        run(data[1:], feed, limits)


_check_bytes: Callable[[bytes], object] = check_any_damage.hypothesis.fuzz_one_input  # type: ignore[attr-defined]  # of a test
_CSV = b'thirdPartyId,name,"a ""b"""\nu1,Zo\xc3\xab,\n,x,y\nu1,,"1,\n2"\nu2\xff,a,b\nu/3,a,b,c\n'
_TARGETS: dict[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]] = {
    "answers": (
        answers,
        (
            b"<response><success>true</success><batchStatus>http://a/b?c=1&d=2</batchStatus>"
            b"<message>Batch submitted</message></response>",
            b"<response><batchId>b-1</batchId><status>complete</status><batchSize>2</batchSize>"
            b"<profile><id>u&amp;1</id><status>failed</status></profile></response>",
            b"<response><batchId>b-1</batchId><status>complete</status><successfulUpdates>1</successfulUpdates>"
            b"<profilesNotFound>0</profilesNotFound><failedUpdates>1</failedUpdates></response>",
            b"true http://a/b?c=1 Batch submitted",
            b"b-1 u1 success u2 failed",
            b"b-1 complete 2 2 1 0 1",
            b"<!DOCTYPE r [<!ENTITY a 'b'>]><response><![CDATA[x]]><!-- y --></response>",
            b"<response><batchId>b-1</batchId><status>complete</status><batchSize>3</batchSize></response>",
            b"<response><batchId>b-1</batchId><status>complete</status><Profile><id>U1</id><status>success</status>"
            b"</Profile><t:profile><id>u1</id></t:profile><failedCount>3</failedCount></response>",
            b"<response><batchId>b-1</batchId><status>complete</status><profile><id>u1</id><status>failed</status>"
            b"<detail><status>success</status></detail></profile>"
            b"<message>Batch submitted for processing</message></response>",
            b"<response><batchId>b-1</batchId><profile><id>u1</id><status>success</status></profile>"
            b"<profile><id>u<</id><status>failed</status></profile>"
            b"<profile><id>a%20b</id><id>u2</id><status/></profile></response>",
            b"<response><status>stuck</status><profile><id>u\x01</id></profile>"
            b"<!-- </profile> --></response>",
            b"<?xml version='1.0' encoding='ISO-8859-1'?><response><batchId>\xe9-1</batchId></response>",
            "<response><batchId>b-1</batchId><status>complete</status></response>".encode("utf-16"),
            b"b-1 complete 3 3 0 0",
            b"b-1 complete 3 U1 success a b failed",
            b"<html><body>Not here</body></html>",
            b'{"error": {"message": "No"}}',
            b"false http://a/b Unexpected error",
        ),
    ),
    "writers": (_check_bytes, (bytes(64), bytes(range(256)))),
    "reading": (
        reading,
        (
            _CSV,
            _CSV.replace(b",", b";").replace(b"\n", b"\r\n"),
            b"batch=pcId, a, b\n1, %C3%AB, \n2,%zz,+\n1,,x",
            b'{"thirdPartyId": "u1", "a": [1]}\n{"thirdPartyId": 2, "b": "\\ud800", "c": 1e9}\n',
            _CSV.decode("latin-1").encode("utf-16"),
            gzip.compress(_CSV, mtime=0),
            bz2.compress(_CSV),
            b"sep=;\nid;a\n1;2\n",
        ),
    ),
}


def main() -> None:
    """Fuzz one target, from its own samples on."""
    target, samples = _TARGETS[sys.argv.pop(1)]
    with tempfile.TemporaryDirectory() as corpus:
        for number, sample in enumerate(samples):
            for choice in range(16):
                Path(corpus, f"{number}-{choice}").write_bytes(bytes([choice]) + sample)
        given = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
        atheris.Setup(sys.argv if given else [*sys.argv, corpus], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
