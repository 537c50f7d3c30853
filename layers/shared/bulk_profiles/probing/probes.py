"""The probes: a question, an experiment, the readings of its outcomes, and a conclusion.

A conclusion is drawn only from what came back as it should: what cannot be read, is not finished or is not
understood answers nothing.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, override
from urllib.parse import unquote

from bulk_profiles.core.json_object import JsonObject
from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.core.text import quantity
from bulk_profiles.target.addresses import batch_id_of
from bulk_profiles.target.answers import StatusAnswer
from bulk_profiles.target.outcomes import Found, Gone
from bulk_profiles.target.stored_profile import StoredProfile

from .account import Account, Reply

VALUE, END, OTHER = "bpProbeValue", "bpProbeEnd", "bpProbeOther"  # the attributes of the invented profiles
_UNAUTHORIZED = frozenset({401, 403})
_TOO_MANY_CALLS, _BAD_REQUEST, _GONE = 503, 400, frozenset({404, 410})
_MINUTE = 60.0  # seconds
_WRONG_TOKEN = "bulk-profiles-probe-without-rights"  # noqa: S105  # invented
_MOST_ROWS, _MOST_BYTES = 500_000, 50_000_000
_SHOWN = 40  # characters of a value
_FIRST = "one"  # what stands before a separator in the values that are sent
_KEPT = 10  # statuses that Target keeps, as an old page says
_CALLS_A_MINUTE = 50


@dataclass(frozen=True, slots=True)
class Conclusion(JsonObject):
    """What a probe has found out."""

    probe: str
    question: str
    answer: str  # in words
    evidence: str  # what was sent and what came back, in words
    known: bool = True
    settings: dict[str, str] = field(default_factory=dict)  # to be changed, by their names


@dataclass(slots=True)
class Bench:
    """What the probes of one run share."""

    account: Account
    prefix: str  # of all ids
    minutes: float  # to wait for a batch, and then for its updates to show
    _used: int = 0
    _takes: bool | None = None

    def refuses(self, reply: Reply) -> bool:
        """Whether Target refuses a body as such: it says so, and takes a plain one."""
        if not reply.refused:
            return False
        if self._takes is None:
            self._takes = bool(self.send([f"{self.new_id()},one,end".encode()])[1])
        return self._takes

    def new_id(self) -> str:
        """Return an id that no other row has."""
        self._used += 1
        return f"{self.prefix}-{self._used}"

    def send(self, rows: list[bytes], *, header: bytes = b"", end: bytes = b"\n") -> tuple[Reply, str]:
        """Submit rows; return the answer and the status URL, empty where Target did not take them."""
        names = header or f"batch=thirdPartyId,{VALUE},{END}".encode()
        reply = self.account.submit(end.join([names, *rows]))
        return reply, self.account.status_url(reply) if reply.took else ""

    def settled(self, url: str) -> StatusAnswer | None:
        """Return the terminal status of a batch, or None."""
        return self.account.settled(url, self.minutes) if url else None

    def profile(self, profile_id: str, shows: Callable[[StoredProfile], bool]) -> StoredProfile | None:
        """Return a profile as soon as it is as it should be; None where it is not, `minutes` later."""
        found = self.last_profile(profile_id, shows)
        return found if found and shows(found) else None

    def last_profile(self, profile_id: str, shows: Callable[[StoredProfile], bool]) -> StoredProfile | None:
        """Read a profile until it is as it should be, or `minutes` are over; None where there is none."""
        account, found = self.account, None
        end = account.clock().timestamp() + 60 * self.minutes
        while True:
            reply = account.read(profile_id)
            found = reply.profile if isinstance(reply, Found) else None
            if (found and shows(found)) or account.clock().timestamp() >= end:
                return found
            account.said("An update does not show yet." if isinstance(reply, Found | Gone) else reply.reason)
            account.sleep(60.0)


class Probe(abc.ABC):
    """One question, and the experiment that answers it."""

    name: ClassVar[str]
    question: ClassVar[str]
    profiles: ClassVar[int] = 1  # that it creates, at most
    calls: ClassVar[int] = 4  # that it makes, if Target is done at once
    hits_limits: ClassVar[bool] = False

    @abc.abstractmethod
    def run(self, bench: Bench) -> Conclusion:
        """Make the experiment and draw the conclusion."""

    def concludes(self, answer: str, evidence: str, **settings: str) -> Conclusion:
        """Return a conclusion."""
        return Conclusion(self.name, self.question, answer, evidence, settings=settings)

    def unknown(self, evidence: str) -> Conclusion:
        """Return that nothing is known."""
        return Conclusion(self.name, self.question, "not known", evidence, known=False)


class _Value(Probe):
    """What becomes of a value: one row, read back."""

    cell: ClassVar[bytes]  # as sent
    means: ClassVar[str]
    calls = 4

    @override
    def run(self, bench: Bench) -> Conclusion:
        profile_id = bench.new_id()
        reply, url = bench.send([b"%b,%b,end" % (profile_id.encode(), self.cell)])
        sent = f"sent {self.cell.decode()}"
        if not url:
            return self.unknown(f"{sent}, {_words(reply)}")
        if bench.settled(url) is None:
            return self.unknown(f"{sent}, and Target was not done with it")
        profile = bench.last_profile(profile_id, lambda found: END in found.values)
        if profile is None:
            return self.unknown(f"{sent}, and the profile could not be read back")
        stored, after = profile.values.get(VALUE), profile.values.get(END)
        value, end = stored.value if stored else None, after.value if after else ""
        evidence = f"{sent}, read back {_quoted(value)}, and {_quoted(end)} in the next column"
        return self.read(value, end, evidence)

    @abc.abstractmethod
    def read(self, value: str | None, end: str, evidence: str) -> Conclusion:
        """Return the conclusion from the value, and from that of the column after it; "" for none."""


class _Separator(_Value):
    @override
    def read(self, value: str | None, end: str, evidence: str) -> Conclusion:
        if value is None:
            return self.unknown(evidence)
        if value == self.means and end == "end":
            return self.concludes("it arrives as it is", evidence)
        if value == _FIRST:
            cut = {"": "the row is cut there", "end": "the value is cut there"}
            answer = cut.get(end, "it moves values to other columns")
        elif end == "end":
            answer = "it arrives as another value"
        else:
            return self.unknown(evidence)
        return self.concludes(answer, evidence, SeparatorInValue="replace")


class Comma(_Separator):
    """Whether rows are cut before or after they are decoded."""

    name, question = "comma", "What becomes of %2C inside a value?"
    cell, means = b"one%2Ctwo", "one,two"


class LineFeed(_Separator):
    """The same for a line feed."""

    name, question = "line-feed", "What becomes of %0A inside a value?"
    cell, means = b"one%0Atwo", "one\ntwo"


class Quote(_Separator):
    """The same for a quote."""

    name, question = "quote", "What becomes of %22 inside a value?"
    cell, means = b"one%22two", 'one"two'


class Plus(_Value):
    """Whether bodies are decoded as forms."""

    name, question = "plus", "Is a raw + a space?"
    cell, means = b"one+two", "one two"

    @override
    def read(self, value: str | None, end: str, evidence: str) -> Conclusion:
        answers = {"one two": "yes, so each + must be sent as %2B, as it is", "one+two": "no, it stays a +"}
        answer = answers.get(value or "")
        return self.concludes(answer, evidence) if answer and end == "end" else self.unknown(evidence)


class EncodedTwice(_Value):
    """How often values are decoded."""

    name, question = "encoded-twice", "Is a value decoded once or twice?"
    cell, means = b"one%2520two", "one%20two"

    @override
    def read(self, value: str | None, end: str, evidence: str) -> Conclusion:
        answers = {"one%20two": "once, as it should be", "one two": "twice", "one%2520two": "not at all"}
        answer = answers.get(value or "")
        return self.concludes(answer, evidence) if answer and end == "end" else self.unknown(evidence)


class LineEnds(Probe):
    """Whether CRLF ends a row."""

    name, question, profiles = "crlf", "Does CRLF end a row, too?", 2

    @override
    def run(self, bench: Bench) -> Conclusion:
        ids = [bench.new_id(), bench.new_id()]
        rows = [b"%b,one,end" % profile_id.encode() for profile_id in ids]
        reply, url = bench.send(rows, end=b"\r\n")
        if not url:
            evidence = f"sent rows that end with CRLF, {_words(reply)}"
            refused = bench.refuses(reply)
            return self.concludes("no, it is refused", evidence) if refused else self.unknown(evidence)
        if bench.settled(url) is None:
            return self.unknown("sent rows that end with CRLF, and Target was not done with them")
        profile = bench.profile(ids[0], lambda found: VALUE in found.values)
        if profile is None:
            return self.unknown("sent rows that end with CRLF, and the profile could not be read back")
        ends = [profile.values[name].value for name in (END, f"{END}\r") if name in profile.values]
        evidence = f"sent rows that end with CRLF, read back {ends!r} in the last column"
        if END in profile.values and ends == ["end"]:
            return self.concludes("yes", evidence)
        if not ends:
            return self.unknown(evidence)
        return self.concludes("no, the CR becomes part of a value or a name", evidence)


class Override(Probe):
    """Whether a second update keeps what the first one has set."""

    name = "override"
    question = "Does a second update remove the attributes of the first?"
    calls = 8

    @override
    def run(self, bench: Bench) -> Conclusion:
        profile_id = bench.new_id()
        header = b"batch=thirdPartyId,"
        first = bench.send([f"{profile_id},one".encode()], header=header + VALUE.encode())[1]
        evidence = f"sent {VALUE}, then {OTHER} alone"
        if bench.settled(first) is None:
            return self.unknown(f"{evidence}: Target was not done with the first")
        if bench.profile(profile_id, lambda found: VALUE in found.values) is None:
            return self.unknown(f"{evidence}: the first could not be read back")
        second = bench.send([f"{profile_id},two".encode()], header=header + OTHER.encode())[1]
        if bench.settled(second) is None:
            return self.unknown(f"{evidence}: Target was not done with the second")
        profile = bench.profile(profile_id, lambda found: OTHER in found.values)
        if profile is None:
            return self.unknown(f"{evidence}: the second could not be read back")
        if VALUE in profile.values:
            return self.concludes("no, they stay", f"{evidence}, read back both")
        return self.concludes(
            "yes: put all columns of a profile into one file", f"{evidence}, read back {OTHER} alone"
        )


class Empty(Probe):
    """Whether an empty value removes one."""

    name, question, calls = "empty", "Does an empty value clear an attribute?", 8

    @override
    def run(self, bench: Bench) -> Conclusion:
        profile_id = bench.new_id()
        evidence = f"sent {VALUE}, then nothing in its place"
        first = bench.send([f"{profile_id},one,first".encode()])[1]
        if bench.settled(first) is None:
            return self.unknown(f"{evidence}: Target was not done with the first")
        if bench.profile(profile_id, lambda found: VALUE in found.values) is None:
            return self.unknown(f"{evidence}: the first could not be read back")
        second = bench.send([f"{profile_id},,second".encode()])[1]
        if bench.settled(second) is None:
            return self.unknown(f"{evidence}: Target was not done with the second")
        profile = bench.profile(profile_id, lambda found: _is(found, END, "second"))
        if profile is None:
            return self.unknown(f"{evidence}: the second could not be read back")
        cleared = VALUE not in profile.values or profile.values[VALUE].value == ""
        text = "nothing" if cleared else _quoted(profile.values[VALUE].value)
        return self.concludes("yes" if cleared else "no", f"{evidence}, read back {text}")


class Ampersand(Probe):
    """How Target writes the `&` of the status URL."""

    name, question, calls = "ampersand", "How is the & in the status URL written?", 1

    @override
    def run(self, bench: Bench) -> Conclusion:
        reply, url = bench.send([f"{bench.new_id()},one,end".encode()])
        if not url:
            return self.unknown(f"sent a row, {_words(reply)}")
        _, found, rest = reply.body.partition(b"batchStatus?")
        query = rest.partition(b"<")[0]
        if not found or b"&" not in query:
            return self.unknown("the status URL in the receipt has no &")
        is_xml = b"&amp;" in query
        way = "as &amp;, so that the answer is XML" if is_xml else "raw, so that the answer is no XML"
        return self.concludes(way, "the receipt of a batch of one row")


class FailedIds(Probe):
    """Whether today's status names the rows that fail."""

    name = "failed-ids"
    question = "Does the status name the rows that fail?"
    profiles = 2

    @override
    def run(self, bench: Bench) -> Conclusion:
        good, bad = bench.new_id(), f"{bench.new_id()}%2Fslash"
        evidence = "sent a row, and one with an id that may not be"
        reply, url = bench.send([f"{good},one,end".encode(), f"{bad},one,end".encode()])
        if not url:
            return self.unknown(f"{evidence}, {_words(reply)}")
        answer = bench.settled(url)
        if answer is None:
            return self.unknown(f"{evidence}, and Target was not done with them")
        failed = {one for one, status in answer.profiles.items() if status is ProfileStatus.ERROR}
        if answer.unclear or failed - {good, bad, unquote(bad)}:
            return self.unknown(f"{evidence}, and the answer is not understood")
        if failed:
            named = quantity(len(failed), "row")
            return self.concludes("yes", f"{evidence}: {named} named as failed", CountsOnly="report")
        if answer.failed or answer.not_found:
            words = "no, it only counts them: failing rows are searched for"
            return self.concludes(words, f"{evidence}: counts alone", CountsOnly="isolate")
        return self.unknown(f"{evidence}, and no failure was told: the id may be allowed, or nothing is told")


class UnknownBatch(Probe):
    """What is said of a batch that is not there."""

    name, question, calls = "unknown-batch", "What does Target say of an unknown batch?", 3

    @override
    def run(self, bench: Bench) -> Conclusion:
        reply, url = bench.send([f"{bench.new_id()},one,end".encode()])
        if not url:
            return self.unknown(f"sent a row, {_words(reply)}")
        if not bench.account.ask(url).is_status:
            return self.unknown("the status of a batch that is there could not be read")
        known = f"batchId={batch_id_of(url)}"
        asked = bench.account.ask(url.replace(known, f"{known}0000"))
        evidence = f"asked for an invented batch id: {asked.words}"
        if asked.status in _GONE | {_BAD_REQUEST}:
            return self.concludes(f"HTTP {asked.status}, so a batch that is forgotten is told", evidence)
        if asked.is_status:
            return self.concludes("an answer as for any batch: it says nothing", evidence)
        return self.unknown(evidence)


class Token(Probe):
    """Whether calls need a token: a submission and a status call with a wrong one."""

    name, question, calls = "token", "Does Target look at the token?", 4

    @override
    def run(self, bench: Bench) -> Conclusion:
        row = f"batch=thirdPartyId,{VALUE},{END}\n{bench.new_id()},one,end".encode()
        posted = bench.account.submit(row, token=_WRONG_TOKEN)
        _, url = bench.send([f"{bench.new_id()},one,end".encode()])
        if not url:
            return self.unknown(f"with a wrong token {posted.words}, and without it no batch is taken either")
        if not bench.account.ask(url).is_status:
            return self.unknown("the status could not be read without the wrong token either")
        asked = bench.account.ask(url, token=_WRONG_TOKEN)
        evidence = f"with a wrong token: submission {posted.words}, status {asked.words}"
        looks = {
            name: reply.status in _UNAUTHORIZED
            for name, reply, passed in (
                ("submissions", posted, posted.took),
                ("status calls", asked, asked.is_status),
            )
            if reply.status in _UNAUTHORIZED or passed
        }
        if len(looks) < 2:  # noqa: PLR2004 both kinds
            return self.unknown(evidence)
        wanted = [name for name, yes in looks.items() if yes]
        if not wanted:
            return self.concludes("no", evidence)
        return self.concludes(f"yes, at {' and '.join(wanted)}", evidence, TokenSecretArn="the secret's ARN")


class Prefix(Probe):
    """Whether `batch=` is needed."""

    name, question = "prefix", "Is a body without batch= taken?"

    @override
    def run(self, bench: Bench) -> Conclusion:
        profile_id = bench.new_id()
        header = f"thirdPartyId,{VALUE},{END}".encode()
        reply, url = bench.send([f"{profile_id},one,end".encode()], header=header)
        evidence = f"sent a body without batch=, {_words(reply)}"
        if bench.refuses(reply):
            return self.concludes("no, it is refused", evidence)
        if not url or bench.settled(url) is None:
            return self.unknown(evidence)
        if bench.profile(profile_id, lambda found: _is(found, VALUE, "one")) is None:
            return self.unknown(f"{evidence}, and the value could not be read back")
        return self.concludes("yes, and its rows arrive", f"{evidence}, read back the value")


class StatusHost(Probe):
    """Whether the host of the status URL speaks https."""

    name, question, calls = "status-host", "Does the host of the status URL speak https?", 2

    @override
    def run(self, bench: Bench) -> Conclusion:
        reply, url = bench.send([f"{bench.new_id()},one,end".encode()])
        if not url:
            return self.unknown(f"sent a row, {_words(reply)}")
        if not url.startswith("https:"):
            return self.unknown("the endpoint itself has no https")
        asked = bench.account.ask(url)
        evidence = f"asked by https, {asked.words}"
        return self.concludes("yes", evidence) if asked.status else self.unknown(evidence)


class CountsStatusCalls(Probe):
    """Whether status calls are among the 50 of a minute."""

    name, question = "status-calls", "Do status calls count among those of a minute?"
    calls, hits_limits = 2 * _CALLS_A_MINUTE, True

    @override
    def run(self, bench: Bench) -> Conclusion:
        reply, url = bench.send([f"{bench.new_id()},one,end".encode()])
        if not url:
            return self.unknown(f"sent a row, {_words(reply)}")
        begun = bench.account.clock()
        for number in range(1, 2 * _CALLS_A_MINUTE):
            asked = bench.account.ask(url, paced=False)
            seconds = (bench.account.clock() - begun).total_seconds()
            if asked.status == _TOO_MANY_CALLS and number >= _CALLS_A_MINUTE // 2:  # before, it is trouble
                wait = asked.headers.get("Retry-After", "")
                after = f"Retry-After {_quoted(wait)}" if wait else "no Retry-After"
                return self.concludes("yes", f"HTTP 503 after {number} calls in {seconds:.0f} s, {after}")
            if not asked.is_status or seconds > _MINUTE:
                return self.unknown(f"{number} calls in {seconds:.0f} s, the last one {asked.words}")
        return self.concludes("no", f"{2 * _CALLS_A_MINUTE - 1} status calls within a minute, none refused")


class KeptStatuses(Probe):
    """Whether more than ten batches have a status."""

    name, question = "kept-statuses", "Does Target keep more than ten statuses?"
    profiles, calls, hits_limits = _KEPT + 2, _KEPT + 4, True

    @override
    def run(self, bench: Bench) -> Conclusion:
        _, first = bench.send([f"{bench.new_id()},one,end".encode()])
        if not first or not bench.account.ask(first).is_status:
            return self.unknown("the status of the first batch could not be read")
        for _ in range(_KEPT + 1):
            if not bench.send([f"{bench.new_id()},one,end".encode()])[1]:
                return self.unknown("not all batches were taken")
        asked = bench.account.ask(first)
        evidence = f"asked for the first of {_KEPT + 2} batches: {asked.words}"
        if asked.is_status:
            return self.concludes("yes", evidence)
        if asked.status in _GONE:
            return self.concludes("no: MaxInFlight must stay at 10 or below", evidence)
        return self.unknown(evidence)


class _Size(Probe):
    """Whether a body beyond a limit is refused."""

    hits_limits = True
    calls = 1
    limit: ClassVar[str]

    @abc.abstractmethod
    def body(self, bench: Bench) -> bytes:
        """Return the body."""

    @override
    def run(self, bench: Bench) -> Conclusion:
        body = self.body(bench)
        reply = bench.account.submit(body, seconds=240.0)
        evidence = f"sent {len(body):,} bytes, {_words(reply)}"
        if bench.refuses(reply):
            return self.concludes("it is refused", evidence)
        if reply.took:
            return self.concludes(f"it is taken: {self.limit} is not a limit of this account", evidence)
        return self.unknown(evidence)


class TooManyRows(_Size):
    """A body of one row too many."""

    name, question = "rows", "What becomes of a body of more than 500,000 rows?"
    profiles, limit = _MOST_ROWS + 1, "500,000 rows"

    @override
    def body(self, bench: Bench) -> bytes:
        start = bench.new_id()
        rows = (f"\n{start}-{number},1" for number in range(_MOST_ROWS + 1))
        return f"batch=thirdPartyId,{VALUE}{''.join(rows)}".encode()


class TooManyBytes(_Size):
    """A body of 50 MB."""

    name, question = "bytes", "What becomes of a body of more than 50 MB?"
    limit = "50 MB"

    @override
    def body(self, bench: Bench) -> bytes:
        start = f"batch=thirdPartyId,{VALUE}\n{bench.new_id()},".encode()
        return start + b"x" * (_MOST_BYTES + 1 - len(start))


PROBES: tuple[type[Probe], ...] = (
    *(Comma, LineFeed, Quote, Plus, EncodedTwice, LineEnds, Override, Empty),
    *(Ampersand, FailedIds, UnknownBatch, Token, Prefix, StatusHost),
    *(CountsStatusCalls, KeptStatuses, TooManyRows, TooManyBytes),
)


def _is(profile: StoredProfile, name: str, value: str) -> bool:
    return name in profile.values and profile.values[name].value == value


def _quoted(text: str | None) -> str:
    """Return a text from Target as it is shown: printable, and not too long."""
    return repr(text[:_SHOWN]) if text else "nothing"


def _words(reply: Reply) -> str:
    """Return what Target said to a submission, in words."""
    if not reply.status:
        return reply.words
    receipt = reply.receipt
    if reply.took:
        return "Target took it" if receipt.status_url else "Target took it and named no status URL"
    said = f': "{receipt.message}"' if receipt.message else ""
    return f"Target refused it{said}" if reply.refused else f"{reply.words}{said}"
