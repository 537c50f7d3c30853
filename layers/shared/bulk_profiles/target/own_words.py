"""Target's own words, quoted as its own: what an answer says to people, in whatever form it says it.

Target documents only the message of a receipt in XML. Any other words may repeat what was sent, so those that
may be an id are masked: `Unknown profile ada@example.com` becomes `Unknown profile ***`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bulk_profiles.core.text import printable

_MOST_CHARACTERS = 16 * 1024  # of a text that is looked at
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_JSON_MESSAGES = ("message", "error", "error_description", "detail", "title")
_MAY_BE_ID = re.compile(r"[0-9@]")
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
    """Return a text fit to be shown, with `***` for each word that may be an id."""
    return " ".join("***" if _may_be_id(word) else word for word in printable(text).split())


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
