"""The reader of flattened answers, Target's oldest form: the text of the XML with its tags lost.

Nothing in such a text shows that it was cut short, so whoever reads it must know that all of it arrived.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator

from bulk_profiles.core.models import ProfileStatus

from .own_words import words_of
from .response import BLANKS, MAX_PROFILES, MAX_TEXT, Profiles, Response, UnusableAnswerError, profile_status

_BATCH_ID = re.compile(r"(?=.*[0-9])[\w.-]{1,128}", re.ASCII)
_SPACE = re.compile(f"([{BLANKS}]+)")
_WORD = re.compile(f"[^{BLANKS}]+")
_NUMBER = re.compile(r"[0-9]{1,12}")
_COUNTS = ("consumedCount", "successfulUpdates", "profilesNotFound", "failedUpdates")  # v1 has no first one
_BATCH_WORDS = frozenset({"complete", "incomplete", "stuck"})
_LIST_WORDS = frozenset({"success", "failed", "pending"})  # unlike `error`, which may begin a message
_SHOWN_WORDS = 30  # of a text that is no response
_HEAD_WORDS = 2 + len(_COUNTS) + 1  # state, size, counts, and one more to see whether that was all


def is_ambiguous(profile_id: str) -> bool:
    """Whether an id may be misread in a flattened answer: as several ids, a status, or the batch's state.

    `u1 success failed` is a success and half a profile, or a profile without a word and one called `success`.
    """
    words = profile_id.split()
    if words[0].lower() in _BATCH_WORDS and (len(words) == 1 or _NUMBER.fullmatch(words[1])):
        return True
    return any(profile_status(word) is not ProfileStatus.UNKNOWN for word in words)


def read_flat_receipt(text: str) -> Response:
    """Read the answer to a submission: `true URL message`, where only a following word shows a whole URL.

    A text that says neither yes nor no is a message.
    """
    success, *words = _WORD.findall(text) or [""]
    if success.lower() not in {"true", "false"}:
        return Response({"message": words_of(text)}, flattened=True)
    has_url = len(words) > 1 and words[0].lower().startswith(("http://", "https://"))
    url = words.pop(0) if has_url else ""
    return Response({"success": success, "batchStatus": url, "message": " ".join(words)}, flattened=True)


def read_flat(pieces: Iterable[bytes]) -> Response:
    """Read `b [complete 164] [counts | id word id word ...]`; an id may have several words.

    A number in third place makes the second word the batch's state and not an id, if the word is a known
    state, if it is followed by all counts, or if nothing follows. Whoever knows the batch's ids must check
    them with `is_ambiguous`. Raises `UnusableAnswerError`.
    """
    words = _split_words(pieces)
    batch_id = next(words, "").strip(BLANKS)
    if not batch_id:
        raise UnusableAnswerError("is empty")
    if not _BATCH_ID.fullmatch(batch_id):
        raise UnusableAnswerError(_other_text([batch_id, *itertools.islice(words, _SHOWN_WORDS)]))
    head = list(itertools.islice(words, _HEAD_WORDS))
    batch = _read_head([word.strip(BLANKS) for word in head])
    profiles = _read_profiles(itertools.chain(head[len(batch) :], words))
    return Response(
        {"batchId": batch_id} | batch, profiles, flattened=True, unreadable=len(profiles.unusable)
    )


def _other_text(words: list[str]) -> str:
    """Return the fault of a text that is no response, with the text unless that may be a list of ids."""
    fault = "is not a response of Target"
    if _LIST_WORDS.isdisjoint(word.strip().lower() for word in words):
        fault += f': "{words_of("".join(words))}"'
    return fault


def _read_head(words: list[str]) -> dict[str, str]:
    """Return the batch's state, size and counts, as far as they are there: each is one word."""
    if len(words) < 2 or not _NUMBER.fullmatch(words[1]):  # noqa: PLR2004  # state and size
        return {}
    state, size, *numbers = words
    head = {"status": state, "batchSize": size}
    if len(numbers) in {3, 4} and all(map(_NUMBER.fullmatch, numbers)):
        return head | dict(zip(_COUNTS[-len(numbers) :], numbers, strict=True))
    return head if state.lower() in _BATCH_WORDS or not numbers else {}


def _read_profiles(words: Iterable[str]) -> Profiles:
    """Read `id word id word ...`: a known word for a status ends an id, unless it begins one.

    So an id with a word that is not known is read as the beginning of the next id: `u1 odd u2 failed`. Who
    knows the ids can tell. At the end it is an id that cannot be read.
    """
    profiles = Profiles()
    profile_id = ""
    for word in words:
        if not profile_id:
            profile_id = word.lstrip(BLANKS)
        elif profile_status(word.strip(BLANKS)) is ProfileStatus.UNKNOWN:
            profile_id += word
        else:
            profiles.record([(profile_id, word.strip(BLANKS))])
            profile_id = ""
        if len(profile_id) > MAX_TEXT or len(profiles.statuses) > MAX_PROFILES:
            raise UnusableAnswerError("has an id without end, or too many of them")
    if profile_id and not profiles.statuses:
        raise UnusableAnswerError("is not a list of ids and their status")
    if profile_id:
        profiles.record_unusable(profile_id)
    return profiles


def _split_words(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the words of a text that arrives in pieces, each with the white space before it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    tail = ""
    try:
        for piece in pieces:
            *parts, last = _SPACE.split(tail + decoder.decode(piece))
            before = ""
            for word, space in itertools.batched(parts, 2, strict=True):
                if word:
                    yield before + word
                before = space
            tail = before + last
            if len(tail) > MAX_TEXT:
                raise UnusableAnswerError("has a word without end")
        tail += decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnusableAnswerError("is neither XML nor UTF-8") from error
    if tail.strip(BLANKS):
        yield tail
