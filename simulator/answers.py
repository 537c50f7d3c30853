"""Target's answers: the receipt of a submission and the four generations of the status.

An answer is built as a tree of (tag, text or children), and written as XML or, without the tags, as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

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


def as_xml(answer: Node) -> str:
    """Return an answer as XML; its texts are escaped already."""
    tag, content = answer
    inner = content if isinstance(content, str) else "".join(map(as_xml, content))
    return f"<{tag}>{inner}</{tag}>"


def as_flat_text(answer: Node) -> str:
    """Return an answer as the old page shows it: the texts alone."""
    return " ".join(text for text in _texts(answer) if text)


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
