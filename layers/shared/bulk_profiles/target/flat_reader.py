"""Target's oldest answers: the text of the XML with its tags lost."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator

from bulk_profiles.core.models import ProfileStatus

from .response import MAX_PROFILES, MAX_TEXT, Response, UnusableAnswerError, note, profile_status, refuse

_BATCH_ID = re.compile(r"(?=.*[0-9])[\w.-]{1,128}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,12}")
_COUNTS = ("consumedCount", "successfulUpdates", "profilesNotFound", "failedUpdates")  # v1 has no first one
_BATCH_WORDS = frozenset({"complete", "incomplete", "stuck"})


def may_mislead(profile_id: str) -> bool:
    """Tell whether an id, its tags lost, may be taken for several ids or for a word for the batch."""
    words = profile_id.split()
    if len(words) < 2:  # noqa: PLR2004  # a single word has its place
        return False
    if words[0].lower() in _BATCH_WORDS and _NUMBER.fullmatch(words[1]):
        return True
    return any(profile_status(word) is not ProfileStatus.UNKNOWN for word in words)


def split_words(chunks: Iterable[bytes]) -> Iterator[str]:
    """Give the words of a text that arrives in pieces, each with the white space before it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest = ""
    try:
        for chunk in chunks:
            *pieces, last = re.split(r"(\s+)", rest + decoder.decode(chunk))
            before = ""
            for word, space in itertools.batched(pieces, 2, strict=True):
                if word:
                    yield before + word
                before = space
            rest = before + last
            if len(rest) > MAX_TEXT:
                refuse("has a word without end")
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnusableAnswerError("The answer is neither XML nor UTF-8.") from error
    if rest.strip():
        yield rest


def read_flat(words: Iterator[str]) -> Response:
    """Read `b [complete 164] [counts | id word id word ...]`; an id may have several words.

    A number in third place tells a word for the batch from an id, if that word is known or no id follows.
    Whoever knows the batch's ids must see whether the text can be read in another way: `may_mislead`.
    """
    batch_id = next(words, "").strip()
    if not _BATCH_ID.fullmatch(batch_id):
        refuse("is not a response of Target")
    fields = {"batchId": batch_id}
    head = list(itertools.islice(words, 2))
    plain = [word.strip() for word in head]
    if len(head) == 2 and _NUMBER.fullmatch(plain[1]):  # noqa: PLR2004  # as many as were taken
        more = list(itertools.islice(words, 5))
        numbers = [word.strip() for word in more]
        counted = len(more) in {3, 4} and all(map(_NUMBER.fullmatch, numbers))
        if plain[0].lower() in _BATCH_WORDS or counted or not more:
            fields |= {"status": plain[0], "batchSize": plain[1]}
            head = []
        if counted:
            counts = dict(zip(_COUNTS[-len(more) :], numbers, strict=True))
            return Response(fields | counts, flattened=True)
        head += more
    return Response(fields, _read_profiles(itertools.chain(head, words)), flattened=True)


def _read_profiles(words: Iterable[str]) -> dict[str, ProfileStatus]:
    """Read `id word id word ...`: a word for a profile ends its id, but for one that begins an id."""
    profiles: dict[str, ProfileStatus] = {}
    profile_id = ""
    for word in words:
        status = profile_status(word.strip())
        if not profile_id:
            profile_id = word.lstrip()
        elif status is ProfileStatus.UNKNOWN:
            profile_id += word
        else:
            note(profiles, profile_id, status)
            profile_id = ""
        if len(profile_id) > MAX_TEXT or len(profiles) > MAX_PROFILES:
            refuse("has an id without end, or too many of them")
    if profile_id:
        refuse("is not a list of ids and their status")
    return profiles
