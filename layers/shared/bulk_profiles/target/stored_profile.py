"""A profile as Target has it: the JSON answer of its Profile API, read with care.

    {"client": "demo", "modifiedAt": "2017-08-18T17:53:39.003-04:00",
     "profileAttributes": {"city": {"value": "Oslo", "modifiedAt": "..."}}}

What is not of this form says nothing of a profile: it is no evidence that a value is missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .response import UnusableAnswerError

MAX_PROFILE_BYTES = 4 * 1024 * 1024  # older pages of Adobe allow 2,000 KB of values
_MOST_ATTRIBUTES = 10_000


@dataclass(frozen=True, slots=True)
class StoredValue:
    """The value of an attribute, and when it was written; None where Target does not say."""

    value: str
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """The attributes of a profile by name, those of Target itself among them, and its last change."""

    values: dict[str, StoredValue]
    modified_at: datetime | None = None


def read_profile(data: bytes, client: str, third_party_id: str = "") -> StoredProfile:
    """Read the answer about a profile of a client. Raises `UnusableAnswerError`, which quotes nothing.

    `third_party_id`: the id that was asked for, unless it was a pcId. An answer need not repeat it.
    """
    try:
        answer = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise UnusableAnswerError("is not the JSON of a profile") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("profileAttributes"), dict):
        raise UnusableAnswerError("has no profileAttributes")
    if answer.get("client", client) != client:
        raise UnusableAnswerError("is about another client")
    visitor = answer.get("visitorId")
    named = visitor.get("thirdPartyId", third_party_id) if isinstance(visitor, dict) else third_party_id
    if third_party_id and named != third_party_id:
        raise UnusableAnswerError("is about another profile")
    attributes = answer["profileAttributes"]
    if len(attributes) > _MOST_ATTRIBUTES:
        raise UnusableAnswerError(f"has more than {_MOST_ATTRIBUTES} attributes")
    values = {name: _value(attribute) for name, attribute in attributes.items()}
    return StoredProfile(values, _moment(answer.get("modifiedAt")))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name twice")
    return members


def _value(attribute: Any) -> StoredValue:
    if not isinstance(attribute, dict) or not isinstance(attribute.get("value"), str):
        raise UnusableAnswerError("has an attribute without a text as its value")
    return StoredValue(attribute["value"], _moment(attribute.get("modifiedAt")))


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
