"""What holds for every verdict: it claims what Target said, all of it, and nothing else.

The oracle is a second, slow reading of the rules. It reads a generated answer with ElementTree, and decides
for one profile at a time.
"""

from __future__ import annotations

import html
import itertools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_plus
from xml.etree import ElementTree as ET

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from bulk_profiles.core.models import BatchState
from bulk_profiles.target import outcomes
from bulk_profiles.target.answers import read_status
from bulk_profiles.target.verdict import add_details, settle
from tests.worlds.answers import element, head, profile, xml
from tests.worlds.peer import peer

BLANKS = " \t\r\n"
IDS = ("u1", "u2", "U2", "a b", "a%20b", "x&y", "u2 ", "é")
COUNTS = ("consumedCount", "successfulUpdates", "profilesNotFound", "failedUpdates")
NUMBERS = ("batchSize", *COUNTS)
STATUSES = {"success": "success", "error": "error", "failed": "error", "pending": "pending"}
CAUTION = ("error", "pending", "unknown", "success")


# The oracle


@dataclass
class Said:
    """What an answer says, read element by element."""

    words: dict[str, list[str]] = field(default_factory=dict)  # by spelling
    texts: dict[str, str] = field(default_factory=dict)
    doubt: bool = False  # whether anything is there that has no meaning
    denied: bool = False  # whether it says that nothing was a success
    mentioned: set[str] = field(default_factory=set)  # words and texts in what has no meaning

    def status(self, spelling: str) -> str:
        statuses = [STATUSES.get(word.lower(), "unknown") for word in self.words[spelling]]
        status = min(statuses, key=CAUTION.index)
        return "unknown" if status == "success" and spelling in self.mentioned else status

    def contradicts(self, spelling: str) -> bool:
        """Whether a spelling is there with a success and another word."""
        statuses = {STATUSES.get(word.lower(), "unknown") for word in self.words[spelling]}
        return len(statuses) > 1 and "success" in statuses

    def mention(self, *texts: str | None) -> None:
        for text in filter(None, texts):
            self.mentioned |= {text.strip(), *re.split(r"[\s,;:=|()\[\]{}<>\"']+", text)}

    def mention_all(self, node: ET.Element) -> None:
        self.mention(*node.itertext() if isinstance(node.tag, str) else [node.text])
        for part in node.iter():
            self.mention(*part.attrib.values())


def read(answer: bytes) -> Said:
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True, insert_pis=True))
    root = ET.fromstring(answer, parser)
    said = Said(doubt=bool(root.attrib) or not blank(root.text))
    said.mention(root.text, *root.attrib.values())
    texts: dict[str, set[str]] = {}
    for child in root:
        said.mention(child.tail, *child.attrib.values())
        if child.tag != "profile":
            for part in (
                [child] if child.tag not in {"batchId", "status", "message", "success", *NUMBERS} else child
            ):
                said.mention_all(part)
        if child.tag == "message" and (child.text or "").lower() != "batch submitted for processing":
            said.mention(child.text)
        said.doubt |= not blank(child.tail)
        if child.tag == "profile":
            read_profile(child, said)
        elif child.tag == "success":
            said.doubt = True
            text = "".join(child.itertext()).strip()
            said.denied |= text.lower() != "true" or len(texts.setdefault("success", {text}) | {text}) > 1
        elif child.tag in {"batchId", "status", "message", *NUMBERS}:
            said.doubt |= bool(child.attrib) or len(child) > 0
            mixed = any(isinstance(part.tag, str) for part in child)
            texts.setdefault(child.tag, set()).add("" if mixed else "".join(child.itertext()).strip(BLANKS))
        else:
            said.doubt = True
    texts.pop("success", None)
    said.texts = {name: min(values) for name, values in texts.items() if len(values) == 1}
    if len(said.texts) < len(texts):  # an element has two values
        said.doubt = said.denied = True
    return said


def read_profile(node: ET.Element, said: Said) -> None:
    ids = {part.text or "" for part in node if part.tag == "id" and len(part) == 0}
    words = {(part.text or "").strip(BLANKS) for part in node if part.tag == "status" and len(part) == 0}
    errors = {STATUSES.get(word.lower()) for word in words} == {"error"}
    unusable = len(ids) != 1 or (len(words) > 1 and not errors) or blank("".join(ids))
    unusable |= any(len(part) for part in node if part.tag in {"id", "status"})
    unusable |= any(not isinstance(part.tag, str) for part in node)
    said.mention(node.text)
    for part in node:
        said.mention(part.tail, *part.attrib.values())
        for inner in part if part.tag in {"id", "status"} else [part]:
            said.mention_all(inner)
    said.doubt |= unusable or bool(node.attrib) or not blank(node.text)
    said.doubt |= any(
        part.tag not in {"id", "status"} or part.attrib or not blank(part.tail) for part in node
    )
    odd = bool(node.attrib) or not blank(node.text)
    odd |= any(part.tag not in {"id", "status"} or part.attrib or not blank(part.tail) for part in node)
    odd &= "".join(words).lower() == "success"
    for spelling in filter(str.strip, ids):
        said.words.setdefault(spelling, []).append("?" if unusable or odd else min(words, default=""))


def blank(text: str | None) -> bool:
    return not (text or "").strip(BLANKS)


def readings(text: str) -> set[str]:
    """All that a text may stand for, decoded in each way until nothing is new, white space aside."""
    texts = {text}
    while (
        new := {decode(each) for each in texts for decode in (html.unescape, unquote, unquote_plus)} - texts
    ):
        texts |= new
    return set(map(folded, texts))


def folded(text: str) -> str:
    return " ".join(text.split())


def named_in(said: Said, ids: tuple[str, ...]) -> tuple[dict[str, str], list[set[str]], set[str], bool]:
    """What is said of the ids that are named: the status of each where that is sure; the statuses of each
    group of ids that read alike; these ids; and whether another id is named.
    """
    statuses: dict[str, str] = {}
    ambiguous: set[str] = set()
    groups = []
    foreign = False
    every = itertools.chain(*said.words.values())
    unknown_words = any(word.lower() not in STATUSES and word != "?" for word in every)
    for spellings, members in read_alike(set(said.words), set(ids)):
        if not spellings:
            continue
        sure = not (unknown_words or any(map(said.contradicts, spellings)))
        if spellings == members and (sure or len(members) == 1):
            statuses |= {each: said.status(each) for each in members}
            continue
        strange = {each for each in spellings if not any(folded(name) in readings(each) for name in members)}
        foreign |= bool(strange)
        if len(members) == 1 and not strange:
            (only,) = members
            statuses[only] = min(map(said.status, spellings), key=CAUTION.index)
        elif members:
            ambiguous |= members
            groups.append(set(map(said.status, spellings - strange)))
    return statuses, groups, ambiguous, foreign


def read_alike(spellings: set[str], ids: set[str]) -> list[tuple[set[str], set[str]]]:
    groups: list[set[str]] = []
    for text in spellings | ids:
        near = [group for group in groups if any(readings(text) & readings(each) for each in group)]
        groups = [group for group in groups if group not in near] + [{text}.union(*near)]
    return [(group & spellings, group & ids) for group in groups]


def is_doubtful(said: Said) -> bool:
    words = itertools.chain(*said.words.values())
    return (
        said.doubt
        or any(word.lower() not in STATUSES for word in words)
        or any(name in said.texts and number(said, name) is None for name in NUMBERS)
        or said.texts.get("message", "").lower() not in {"", "batch submitted for processing"}
        or said.texts.get("batchId", "demo-1") != "demo-1"
    )


def number(said: Said, name: str) -> int | None:
    text = said.texts.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,12}", text) else None


def counts_are_doubtful(said: Said, rows: int, errors: int, pending: int) -> bool:
    size, consumed, successful, not_found, failed = (number(said, name) for name in NUMBERS)
    failures = (failed or 0) + (not_found or 0)
    if successful is not None:
        successful += max(failures, errors + pending)
    elif {consumed, failed, not_found} != {None} and None in {failed, not_found}:
        return True
    others = {size, consumed, successful} - {None, rows}
    return failures > errors or (failed is not None and failures < errors) or bool(others)


def updates_of_stuck(said: Said, rows: int, successes: int) -> bool:
    """Whether the counts say that a row was updated that was not named so, or are larger than the batch."""
    size, consumed, successful, not_found, failed = (number(said, name) for name in NUMBERS)
    results = (successful or 0) + (failed or 0) + (not_found or 0)
    return (
        size not in {None, rows}
        or (successful or 0) > successes
        or (successful is not None and results > rows)
        or (consumed or 0) > rows
    )


def expected(said: Said, ids: tuple[str, ...], *, withdrawn: str = "") -> dict[str, str]:
    """`status basis` of each profile at the deadline."""
    statuses, groups, ambiguous, foreign = named_in(said, ids)

    def count(word: str) -> int:
        """How many ids at least have a status."""
        return sum(status == word for status in statuses.values()) + sum(word in group for group in groups)

    doubt = foreign or is_doubtful(said)
    doubt |= withdrawn in {"stuck", "odd"}
    doubt |= bool(withdrawn) and (bool(said.words) or any(number(said, name) is not None for name in COUNTS))
    listed = any("success" in map(str.lower, said_of_one) for said_of_one in said.words.values())
    successful, not_found, failed = (number(said, name) for name in NUMBERS[2:])
    successes = count("success")
    denied = successes > (len(ids) if successful is None else successful)
    consumed = number(said, "consumedCount")
    denied |= consumed is not None and successes > consumed
    denied |= successes > 0 and successes + (failed or 0) + (not_found or 0) > len(ids)
    denied |= said.denied or said.texts.get("batchId", "") not in {"", "demo-1"}
    if denied:
        doubt = True
        statuses = {each: status.replace("success", "unknown") for each, status in statuses.items()}
    match said.texts.get("status", "-").lower():
        case "stuck" if doubt:
            others = "unknown batch"
        case "stuck":
            others = "unknown counts" if updates_of_stuck(said, len(ids), successes) else "error batch"
        case "complete" if doubt or listed or count("pending"):
            others = "unknown batch"
        case "complete":
            uncounted = counts_are_doubtful(said, len(ids), count("error"), count("pending"))
            others = "unknown counts" if uncounted else "success implied"
        case "-" if doubt:
            others = "unknown batch"
        case _:
            others = "pending deadline"
    results = {each: f"{status} reported" for each, status in statuses.items()}
    return {each: results.get(each, "unknown batch" if each in ambiguous else others) for each in ids}


# Generated answers


letters = st.text("abcStuvx", min_size=1, max_size=6)
known_words = st.sampled_from(["failed", "success", "error", "pending", "Failed", "failed", "success"])
words = known_words | letters | st.just("")
ids = st.sampled_from(IDS)
other_spellings = st.sampled_from(["a+b", "x&amp;y", "%75%31", " u1", "U1", "crm:u1", "zz", "u11"])
names = letters | st.sampled_from(
    ["Profile", "PROFILE", "t-profile", "failedCount", "errors", "success", "id", "Status", "response"]
)
junk = st.sampled_from(["x", "-1", "8.0", "٣", "1" * 13])


def plain(profile_id: str, word: str) -> str:
    return profile(profile_id.replace("&", "&amp;").replace("<", "&lt;"), word)


plain_profiles = st.builds(plain, ids, known_words)
odd_profiles = st.one_of(
    st.builds(plain, other_spellings, words),
    st.builds(plain, ids, words),
    st.builds(
        lambda one, word: one.replace("<status>", f"<status>{word}</status><status>"), plain_profiles, words
    ),
    st.just(plain("u1", "error").replace("<status>", "<status>failed</status><status>")),
    st.builds(
        lambda one, other: one.replace("<status>", f"<id>{other}</id><status>"), plain_profiles, letters
    ),
    st.builds(lambda one, name: one.replace("<status>", f"<x{name}/><status>"), plain_profiles, names),
    st.builds(lambda one, name: one.replace("<status>", f"<status {name}='1'>"), plain_profiles, names),
    st.builds(
        lambda one, word: one.replace("</profile>", f"<detail><status>{word}</status></detail></profile>"),
        plain_profiles,
        words,
    ),
    st.sampled_from(
        [
            "<profile/>",
            "<profile>u1</profile>",
            "<profile><id>u1</id></profile>",
            "<profile><id>u1</id><status>suc<b/>cess</status></profile>",
            "<profile><id>u1</id><status>success<!-- not --></status></profile>",
        ]
    ),
)
unknown_parts = st.one_of(
    st.builds(element, names, letters | plain_profiles | st.just("")),
    st.builds(lambda name, one: f"<w><{name}>{one}</{name}></w>", names, plain_profiles),
    st.builds(lambda name: f"<!--{name}-->", letters),
    st.builds(lambda name: f"<?{name} x?>", letters),
    letters,
    st.builds(lambda text: element("message", text), letters),
)


@dataclass
class Parts:
    """An answer in parts."""

    texts: dict[str, str]
    profiles: list[str]
    others: list[str] = field(default_factory=list)
    attribute: str = ""

    def xml(self, order: Callable[[list[str]], list[str]] = list, gap: str = "") -> bytes:
        parts = [element(name, text) for name, text in self.texts.items()] + self.profiles + self.others
        return xml(gap.join(order(parts))).replace(b"<status>", f"<status{self.attribute}>".encode(), 1)


@st.composite
def understood(draw: st.DrawFn, rows: int) -> Parts:
    """An answer about a batch of `rows` rows of which every part is known."""
    texts = {"batchId": "demo-1"}
    word = draw(st.sampled_from(["complete"] * 8 + ["Complete", "stuck", "stuck", "incomplete", ""]))
    if word:
        texts["status"] = word
    counted = draw(st.sampled_from([True, True, False]))
    for name, share in zip(NUMBERS, (2, 1, 1, 1, 1), strict=True):
        if (counted or name == "batchSize") and draw(st.integers(0, 3)) < share:
            numbers = [rows] * 8 + [8 if rows < 8 else 9] if name in NUMBERS[:3] else [0, 1]
            if name in NUMBERS[1:3]:
                numbers.append(draw(st.integers(0, rows - 1)))
            texts[name] = str(draw(st.sampled_from(numbers)))
    profiles = draw(st.lists(plain_profiles, max_size=4))
    if (len(texts) > 1 or profiles) and draw(st.sampled_from([False, False, False, True])):
        del texts["batchId"]
    return Parts(texts, profiles)


def spoil(parts: Parts, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
    """Add one thing that is not known."""
    match draw(st.sampled_from([0, 0, 1, 2, 3, 4, 5])):
        case 0:
            parts.profiles.append(draw(odd_profiles))
        case 1:
            parts.others.append(draw(unknown_parts))
        case 2:
            parts.texts[draw(st.sampled_from(NUMBERS))] = draw(junk)
        case 3:
            parts.texts["batchId"] = draw(st.sampled_from(["", "demo-2"]))
        case 4:
            parts.texts["status"] = draw(st.sampled_from(["completed", "odd", ""]))
        case _:
            parts.attribute = f" {draw(letters)}='1'"


@st.composite
def answers(draw: st.DrawFn, rows: int = len(IDS)) -> bytes:
    """Any answer: half of them are understood, and most others but for one thing."""
    parts = draw(understood(rows))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 3]))):
        spoil(parts, draw)
    return parts.xml(lambda each: draw(st.permutations(each)), draw(st.sampled_from(["", "\n  "])))


sized_answers = st.integers(3, len(IDS)).flatmap(lambda rows: st.tuples(answers(rows), st.just(rows)))


def hold_shares(reached: Counter[str], **shares: float) -> None:
    """Fail unless each outcome was reached by a share of the examples."""
    missed = {name: reached[name.replace("_", " ")] / reached["examples"] for name in shares}
    assert all(missed[name] >= share for name, share in shares.items()), missed


def test_settle_agrees_with_a_second_reading_of_the_rules() -> None:
    reached: Counter[str] = Counter()

    @settings(max_examples=1000)
    @given(sized_answers, st.integers(1, 99))
    @example((xml(head(size=8)), 8), 1)
    def check(answer_and_rows: tuple[bytes, int], size: int) -> None:
        answer, rows = answer_and_rows
        batch = IDS[:rows]
        outcomes_ = expected(read(answer), batch)
        pieces = (answer[at : at + size] for at in range(0, len(answer), size))
        verdict = settle(read_status(pieces).about("demo-1"), batch, rows=rows, overdue=True)
        assert verdict is not None
        results = {profile_id: verdict.result_of(profile_id) for profile_id in batch}
        assert {name: f"{result.status} {result.basis}" for name, result in results.items()} == outcomes_
        assert all(result.reason for result in results.values() if result.status != "success")
        early = settle(read_status([answer]).about("demo-1"), batch, rows=rows, overdue=False)
        assert early is None or early == verdict
        assert (early is None) is (verdict.state is BatchState.EXPIRED)
        for outcome in {"examples", *outcomes_.values()}:
            event(outcome)
            reached[outcome] += 1

    check()
    hold_shares(
        reached,
        success_implied=0.15,
        success_reported=0.05,
        error_reported=0.3,
        error_batch=0.04,
        unknown_batch=0.3,
        unknown_counts=0.08,
        unknown_reported=0.02,
        pending_deadline=0.15,
        pending_reported=0.02,
    )


def test_settle_one_unknown_thing_implies_nothing() -> None:
    """An answer in which all is understood implies a success; with one thing more it implies none."""
    reached: Counter[str] = Counter()

    @settings(max_examples=300)
    @given(st.data(), st.sampled_from([[], [plain("u1", "failed")]]))
    def check(data: st.DataObject, failed: list[str]) -> None:
        parts = Parts({"batchId": "demo-1", "status": "complete", "batchSize": "8"}, [*failed])
        verdict = settle(read_status([parts.xml()]).about("demo-1"), IDS, rows=8, overdue=True)
        assert verdict is not None
        assert verdict.result_of("é").basis == "implied"
        spoil(parts, data.draw)
        said = read(parts.xml())
        known = not (is_doubtful(said) or named_in(said, IDS)[-1])  # an odd profile may say nothing odd
        verdict = settle(read_status([parts.xml()]).about("demo-1"), IDS, rows=8, overdue=True)
        assert verdict is not None
        results = [verdict.result_of(profile_id) for profile_id in IDS]
        if known and said.texts["status"] == "complete":
            return
        assert "implied" not in {result.basis for result in results}
        for name in re.findall(r"<([a-zA-Z-]+)", "".join(parts.others))[:1]:
            assert name in verdict.reason or "***" in verdict.reason
        event("spoiled")
        reached["spoiled"] += 1

    check()
    assert reached["spoiled"] > 200


@pytest.mark.fault(47, "whatever a later look names or counts is heard, whatever it calls the batch")
def test_add_details_hears_whatever_a_later_answer_says() -> None:
    reached: Counter[str] = Counter()
    first = read_status([xml(head(size=8))])

    @settings(max_examples=300)
    @given(answers())
    def check(later: bytes) -> None:
        said = read(later)
        word = said.texts.get("status", "complete").lower()
        withdrawn = {"complete": "", "incomplete": word, "stuck": word}.get(word, "odd")
        said.texts["status"] = "complete"
        said.doubt |= said.texts.get("batchSize", "") not in {"", "8"}
        said.texts["batchSize"] = "8"
        outcomes_ = expected(said, IDS, withdrawn=withdrawn)
        answer = add_details(first, read_status([later]).about("demo-1"))
        verdict = settle(answer, IDS, rows=8, overdue=True)
        assert verdict is not None
        results = {profile_id: verdict.result_of(profile_id) for profile_id in IDS}
        assert {name: f"{result.status} {result.basis}" for name, result in results.items()} == outcomes_
        if withdrawn:
            assert "Target called the batch complete first" in verdict.reason + verdict.note
        for outcome in {"examples", "withdrawn" if withdrawn else "kept", *outcomes_.values()}:
            event(outcome)
            reached[outcome] += 1

    check()
    hold_shares(reached, withdrawn=0.15, error_reported=0.3, success_implied=0.08, unknown_batch=0.3)


# Headers


LISTED = b"demo-1 complete 8 u1 failed"  # nothing in it shows where it ends


def test_check_headers_that_are_not_known_imply_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A flattened answer is believed only if its length was given and kept, or its chunks have ended."""
    reached: Counter[str] = Counter()
    response: list[bytes] = []
    odd_lengths = st.sampled_from(["-1", "abc", "", "2_7", "+27", "27, 27", "99", "12"])
    lengths = st.sampled_from([None, "27", "27"]) | odd_lengths
    odd_transfers = st.sampled_from(["Chunked", "xchunked", "identity", "gzip, chunked"])
    transfers = st.sampled_from([None, None, "chunked"]) | odd_transfers
    codings = st.none() | st.sampled_from([None, "identity", "gzip", "br", "zstd", "x"])

    @settings(max_examples=150)
    @given(lengths, transfers, codings, st.booleans())
    def check(length: str | None, transfer: str | None, coding: str | None, ended: bool) -> None:
        headers = {"Content-Length": length, "Transfer-Encoding": transfer, "Content-Encoding": coding}
        body = LISTED
        chunked = (transfer or "").lower() == "chunked"
        if chunked:
            body = b"1b\r\n" + body + b"\r\n" + b"0\r\n\r\n" * ended
        lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
        response[:] = ["\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode() + body]
        whole = (chunked and ended) or (transfer is None and length == "27")
        believed = whole and coding in {None, "identity"}
        outcome = server.check()
        assert isinstance(outcome, outcomes.Answered) is believed
        if isinstance(outcome, outcomes.Answered):
            assert set(outcome.answer.profiles) == {"u1"}
        event(type(outcome).__name__)
        reached[type(outcome).__name__] += 1
        caplog.clear()  # urllib3 warns of two framings in one answer

    def send(connection: Any) -> None:
        connection.sendall(response[0])

    with peer(send) as server:
        check()
    assert min(reached.values()) > 20, reached
