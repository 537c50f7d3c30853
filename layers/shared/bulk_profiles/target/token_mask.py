"""The token, kept out of what an answer says: an answer may repeat the request, in whatever spelling.

In the bytes of an answer the token is replaced in UTF-8, which all other charsets but UTF-16 share for its
characters, and in UTF-16. A text that has it in another spelling, or has a part of it, is not shown or stored
at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Iterator

from .answers import Receipt, StatusAnswer
from .readings import is_inexact, readings
from .response import Statuses, record_status

_MASK = "***"
_NO_ID = "\uffff"  # in place of a spelling: XML does not have it, so no id is spelled so
NOT_SHOWN = "Target's answer repeats the token."
_CHARSETS = ("utf-8", "utf-16-le", "utf-16-be")
_LEAST_BYTES = 32 * 1024  # of a piece
_LONGEST_PART = 7  # characters of the token that may be shown, as any text may have them


class TokenMask:
    """The mask for one token; without one, nothing is masked.

    `address`: the URL of the call. What it has of the token, such as the client code, is no secret.
    """

    def __init__(self, token: str | None, address: str = "") -> None:
        self._token = token or ""
        self._size = min(_LONGEST_PART + 1, len(self._token))
        self._parts = {part for part in self._parts_of(self._token) if part and part not in address}

    def pieces(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes of an answer in pieces that are not small, with a mask for the token.

        Both the token and the chunks that a peer sends may be of one byte, or reach over several pieces. What
        has come before an error is yielded before that is raised.
        """
        masks = [(self._token.encode(charset), _MASK.encode(charset)) for charset in _CHARSETS]
        longest = max(len(secret) for secret, _ in masks)
        held = bytearray()
        try:
            for piece in pieces:
                held += piece
                if len(held) >= _LEAST_BYTES + longest:
                    held = self._masked(held, masks)
                    cut = len(held) - longest
                    yield bytes(held[:cut])
                    del held[:cut]
        except Exception:
            yield bytes(self._masked(held, masks))
            raise
        yield bytes(self._masked(held, masks))

    def _masked(self, data: bytearray, masks: list[tuple[bytes, bytes]]) -> bytearray:
        for secret, mask in masks:
            if secret and secret in data:
                data = data.replace(secret, mask)
        return data

    def text(self, text: str, instead: str = _MASK) -> str:
        """Return a text, or another one in its place if it has the token, or more than a few signs of it."""
        return instead if self._is_in(text) else text

    def receipt(self, receipt: Receipt) -> Receipt:
        """Return a receipt without the token."""
        return dataclasses.replace(
            receipt,
            status_url=self.text(receipt.status_url, ""),
            message=self.text(receipt.message),
            unclear=self._sentences(receipt.unclear),
            named=receipt.named and self.answer(receipt.named),
        )

    def answer(self, answer: StatusAnswer) -> StatusAnswer:
        """Return an answer to a status call without the token."""
        answer = dataclasses.replace(
            answer,
            batch_id=self.text(answer.batch_id),
            unknown_words=self.text(answer.unknown_words),
            word=self.text(answer.word),
            unclear=self._sentences(answer.unclear),
        )
        hidden = self._among(answer.profiles)
        if not hidden:
            return answer
        profiles = {name: status for name, status in answer.profiles.items() if name not in hidden}
        for name in hidden:
            record_status(profiles, _NO_ID, answer.profiles[name])
        return dataclasses.replace(
            answer,
            profiles=profiles,
            contradicted=answer.contradicted - hidden,
            unusable=answer.unusable - hidden,
        )

    def _sentences(self, sentences: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.text(sentence, NOT_SHOWN) for sentence in sentences))

    def _among(self, profiles: Statuses) -> set[str]:
        """Return the spellings that have the token."""
        whole = "\n".join(profiles)
        if not self._token or not (self._token in whole or any(sign in whole for sign in "%&\\")):
            return set()
        return {name for name in profiles if self._token in name or (_is_encoded(name) and self._is_in(name))}

    def _is_in(self, text: str) -> bool:
        if not self._parts:
            return False
        unescaped = text
        with contextlib.suppress(ValueError):  # as JSON escapes signs: `\u0054`
            unescaped = json.loads(f'"{text}"')
        return any(
            self._has_part(reading) for each in {text, unescaped} for reading in (each, *readings(each))
        )

    def _has_part(self, text: str) -> bool:
        """Whether a text has a part of the token, which may have blanks between its signs."""
        return not self._parts.isdisjoint(self._parts_of("".join(text.split())))

    def _parts_of(self, text: str) -> Iterator[str]:
        return (text[at : at + self._size] for at in range(len(text) - self._size + 1))


def _is_encoded(spelling: str) -> bool:
    return is_inexact(spelling) or "\\" in spelling
