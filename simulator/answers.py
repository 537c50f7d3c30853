"""Target's answers: the receipt of a submission and the four generations of the status.

An answer is built as a tree of (tag, text or children), and written as XML or, without the tags, as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from simulator.dialects import Dialect

NO_WORD = "none"  # in a dialect: the batch has no word

type Node = tuple[str, str | list[Node]]


@dataclass(frozen=True, slots=True)
class Progress:
    """What Target knows of a batch at the time of a status call."""

    batch_id: str
    status: str  # complete, incomplete, stuck, or any other word
    size: int  # rows
    ids: tuple[str, ...]  # in the order of the batch's rows
    failed: frozenset[str]
    not_found: frozenset[str]


def receipt(status_url: str, *, raw_ampersand: bool) -> Node:
    """Return the answer to a submission that is accepted."""
    url = status_url if raw_ampersand else escape(status_url)
    return _response(("success", "true"), ("batchStatus", url), ("message", "Batch submitted for processing"))


def refusal(message: str) -> Node:
    """Return the answer to a submission that is refused."""
    return _response(("success", "false"), ("batchStatus", ""), ("message", escape(message)))


def status(progress: Progress, generation: int, *, details: bool, encoded_ids: bool = False) -> Node:
    """Return the answer to a status call; `details` makes a difference in the fourth generation only."""
    write = quote if encoded_ids else escape
    batch_id = ("batchId", escape(progress.batch_id))
    if generation == 1:
        return _response(batch_id, *_profiles(progress, progress.ids, "error", write))
    head: list[Node] = [batch_id, ("status", escape(progress.status)), ("batchSize", str(progress.size))]
    complete = progress.status == "complete"
    if generation == 2 and complete:  # noqa: PLR2004 - the generations have no names
        bad = [i for i in progress.ids if i in progress.failed or i in progress.not_found]
        return _response(*head, *_profiles(progress, bad, "failed", write))
    if generation == 4 and details and complete:  # noqa: PLR2004 - the same
        return _response(*head, *_counts(progress))
    return _response(*head)


def in_dialect(answer: Node, dialect: Dialect, ids: tuple[str, ...]) -> Node:
    """Return an answer about a batch with the words, names and counts of a dialect."""
    _, children = answer
    if isinstance(children, str):
        return answer
    if dialect.word == NO_WORD:
        children = [child for child in children if child[0] != "status"]
    spellings = {escape(ids[row - 1]): escape(text) for row, text in dialect.spellings if row <= len(ids)}
    named = {ids[row - 1]: word for row, word in dialect.profiles if row <= len(ids)}
    others = [child for child in children if _id_of(child) not in {*map(escape, named), *map(quote, named)}]
    profiles: list[Node] = [
        ("profile", [("id", escape(profile_id)), ("status", escape(word))])
        for profile_id, word in named.items()
    ]
    spelled = [_spelled(child, spellings) for child in (*others, *profiles)]
    counts = dict(dialect.counts)
    counted = [(tag, counts.pop(tag, content)) for tag, content in spelled]
    return _response(*counted, *counts.items())


def as_xml(answer: Node) -> str:
    """Return an answer as XML; its texts are escaped already."""
    tag, content = answer
    inner = content if isinstance(content, str) else "".join(map(as_xml, content))
    return f"<{tag}>{inner}</{tag}>"


def as_flat_text(answer: Node) -> str:
    """Return an answer as the old page shows it: the texts alone."""
    return " ".join(text for text in _texts(answer) if text)


def _id_of(child: Node) -> str:
    """Return the id in a profile, as it is written there; an empty text for any other element."""
    tag, content = child
    return str(content[0][1]) if tag == "profile" else ""


def _spelled(child: Node, spellings: dict[str, str]) -> Node:
    tag, content = child
    if isinstance(content, str) or _id_of(child) not in spellings:
        return child
    return (tag, [("id", spellings[_id_of(child)]), *content[1:]])


def _response(*children: Node) -> Node:
    return ("response", list(children))


def _profiles(
    progress: Progress, ids: Iterable[str], word: str, write: Callable[[str], str]
) -> Iterator[Node]:
    for profile_id in ids:
        bad = profile_id in progress.failed or profile_id in progress.not_found
        outcome = (word if bad else "success") if progress.status == "complete" else "pending"
        if progress.status == "stuck":
            outcome = word
        yield ("profile", [("id", write(profile_id)), ("status", outcome)])


def _counts(progress: Progress) -> Iterator[Node]:
    failed, not_found = len(progress.failed), len(progress.not_found)
    yield ("consumedCount", str(progress.size))
    yield ("successfulUpdates", str(progress.size - failed - not_found))
    yield ("profilesNotFound", str(not_found))
    yield ("failedUpdates", str(failed))


def _texts(answer: Node) -> Iterator[str]:
    _, content = answer
    if isinstance(content, str):
        yield content
    else:
        for child in content:
            yield from _texts(child)
