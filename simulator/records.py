"""Change fields of a frozen dataclass by names and values that come from outside."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def with_changes[T: DataclassInstance](record: T, changes: dict[str, Any]) -> T:
    """Return a copy in which some fields have new values of the same types.

    Raises ValueError for an unknown name and for a value of another type.
    """
    current = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    unknown = sorted(changes.keys() - current.keys())
    if unknown:
        raise ValueError(f"no such name: {', '.join(unknown)}; there are {', '.join(current)}")
    return dataclasses.replace(
        record, **{name: _convert(name, value, current[name]) for name, value in changes.items()}
    )


def _convert(name: str, value: Any, current: Any) -> Any:
    if isinstance(current, frozenset) and isinstance(value, (list, tuple, set, frozenset)):
        return frozenset(str(item) for item in value)
    if isinstance(current, StrEnum) and isinstance(value, str):
        return type(current)(value)
    if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(current):
        raise ValueError(f"{name} must be a {type(current).__name__}")
    return value
