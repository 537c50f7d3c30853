"""Target's own words, quoted as its own: what an answer says to people, in whatever form it says it.

Its words may repeat what was sent, so those that may be an id are masked: `Unknown profile ada@example.com`
becomes `Unknown profile ***`. A text in another script than Latin, or with NUL between its letters, was
probably decoded with a wrong charset: an id in it would not be seen, so nothing of it is shown.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_MOST_CHARACTERS = 16 * 1024  # of a text that is looked at
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_JSON_MESSAGES = ("message", "error", "error_description", "detail", "title")
_MOST_SHOWN = 300
NOT_READABLE = "a text that is not readable"
_SPACE = re.compile(r"\s+", re.ASCII)
# Neither ASCII nor Latin letters and their signs, punctuation, currencies, nor U+FFFD, which replaces a byte.
_OTHER_SCRIPT = re.compile(r"[^\x00-\u02ff\u0300-\u036f\u1e00-\u1eff\u2000-\u206f\u20a0-\u20cf\ufeff\ufffd]")
# The words of the names of elements that are shown: any other may be an id, or a part of one.
_NAME_WORDS = frozenset(
    re.findall(
        r"[a-z]+",
        """
    accepted all and at attribute attributes batch body code comment completed consumed count counts created
    data date description detail details duplicate duplicates empty end error errors expired fail failed
    failure failures fault faults field fields found header headers hint id ids ignored import imported
    incomplete info input instruction internal invalid item items job last limit limits line lines list
    message messages missing name names no node not note notes number of ok or other others output parameter
    parameters party pc pending percent problem problems processed profile profiles progress queue queued
    reason reasons received record records rejected remaining request response result results retry row rows
    server service severity size skipped start started state status stuck submitted success successes
    successful summary text third time timestamp total totals type types unit unknown
    update updated updates url
    value values version warning warnings with
    """,
    )
)
_IN_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^A-Za-z]+")
_BETWEEN_NAMES = frozenset("@:_-.")
_MAY_BE_ID = re.compile(r"[\d@]")
_SHORT_NUMBER = re.compile(r"\W*[0-9]{1,5}\W*")  # an HTTP status, the number of an error or of a line


def is_html(text: str) -> bool:
    """Whether a text is a web page, as proxies and gateways send it."""
    return bool(_HTML.match(text))


def is_json(text: str) -> bool:
    """Whether a text looks like a JSON object or array."""
    return text.lstrip().startswith(("{", "["))


def words_of(text: str) -> str:
    """Return what a text or a JSON object says, fit to be shown."""
    text = text[:_MOST_CHARACTERS]
    return mask(_json_message(text) if is_json(text) else text)


def mask(text: str) -> str:
    r"""Return a text fit to be shown, with `***` for each word that may be an id.

    A character that cannot be seen is shown as an escape, as `\u00a0`, except control characters.
    """
    if not _is_plain(text):
        return NOT_READABLE
    return " ".join(filter(None, map(_masked, _SPACE.split(text))))[:_MOST_SHOWN]


def shown_name(name: str) -> str:
    """Return the name of an element, or `element@attribute`, fit to be shown: `failedCount`, or `***`."""
    words = _IN_NAME.findall(name)
    is_known = all(word in _BETWEEN_NAMES or word.lower() in _NAME_WORDS for word in words)
    return name if is_known else "***"


def _is_plain(text: str) -> bool:
    """Whether all letters and signs of a text are of those that people write in Latin script."""
    if "\x00" in text.strip("\x00 \t\r\n"):
        return False
    return not _OTHER_SCRIPT.search(unicodedata.normalize("NFKC", text))


def _masked(word: str) -> str:
    visible = "".join(sign for sign in word if not _is_invisible(sign))
    if _may_be_id(unicodedata.normalize("NFKC", visible)):
        return "***"
    shown = (sign if not _is_invisible(sign) else _escape(sign) for sign in word)
    return "".join(shown)


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "CZ"


def _escape(sign: str) -> str:
    return "" if unicodedata.category(sign) == "Cc" else f"\\u{ord(sign):04x}"


def _may_be_id(word: str) -> bool:
    return bool(_MAY_BE_ID.search(word)) and not _SHORT_NUMBER.fullmatch(word)


def _json_message(text: str) -> str:
    """Return the message in a JSON object, e.g. in `{"error": {"message": "No"}}`, or else the text."""
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for _ in range(2):
        for name in _JSON_MESSAGES if isinstance(data, dict) else ():
            if data.get(name):
                data = data[name]
                break
    return data if isinstance(data, str) else text
