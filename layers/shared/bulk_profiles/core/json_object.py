"""Dataclasses as JSON objects: the type hint of a field says how the field is written and read.

Python speaks snake_case and JSON speaks camelCase: this is where they meet. `client_code` is "clientCode",
unless the class says otherwise.

    type hint                 JSON
    str, bool, Any            the same
    int                       a number; DynamoDB returns it as a Decimal
    StrEnum                   its value
    datetime                  a timestamp in UTC with milliseconds
    date                      ISO 8601
    timedelta                 whole seconds
    JsonObject                an object
    dict, Mapping, Counter    an object; its order is kept
    tuple, list, NamedTuple   an array
    T | None                  for None: "" where T is written as text, null otherwise

A field that differs says so itself: `size: int = field(metadata=as_json(name="bytes"))`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING
from datetime import date, datetime, timedelta
from enum import StrEnum
from inspect import get_annotations
from operator import attrgetter
from types import NoneType
from typing import Any, ClassVar, NamedTuple, Self, get_args, get_origin

from .timestamps import moment, timestamp

type Json = dict[str, Any]


class JsonObject:
    """The base of a dataclass that is written as a JSON object and read from one."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    camel_case: ClassVar[bool] = True  # false: keys are the names of the fields

    def to_json(self) -> Json:
        """Return the JSON object, in the order of the fields."""
        return {field.key: field.write(getattr(self, field.name)) for field in _fields(type(self))}

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read what `to_json` wrote; other keys are ignored.

        Raises `KeyError` where a field is missing; `TypeError`, `ValueError` or `AttributeError` where one is
        malformed.
        """
        build: Callable[..., Self] = cls
        return build(
            **{
                field.name: field.read(data[field.key])
                for field in _fields(cls)
                if field.key in data or not field.optional
            }
        )


class SparseJsonObject(JsonObject):
    """The base of a dataclass whose fields are left out of the JSON object where they have their defaults."""

    __slots__ = ()

    def to_json(self) -> Json:
        """Return the JSON object of the fields that do not have their defaults."""
        values = ((field, getattr(self, field.name)) for field in _fields(type(self)))
        return {field.key: field.write(value) for field, value in values if value != field.default}


def as_json(
    *, name: str = "", text: bool = False, sort_keys: bool = False, optional: bool = False, keep: bool = True
) -> Json:
    """Return the metadata of a field that is not written and read as its type hint alone says.

    `name`: the key, where it is not the field's name. `text`: a string that contains the JSON. `sort_keys`:
    an object in the order of its keys. `optional`: may be missing in what an earlier version wrote, and then
    has its default. `keep` false: not written, and has its default when read.
    """
    return {"name": name, "text": text, "sort_keys": sort_keys, "optional": optional, "keep": keep}


class _Form(NamedTuple):
    """How the values of a type are written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    none: str | None = None  # what is written for None


class _Field(NamedTuple):
    """A field of a dataclass as a member of the JSON object."""

    name: str
    key: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    optional: bool  # may be missing in the JSON object
    default: Any  # MISSING where it has none


_FIELDS: dict[type[JsonObject], tuple[_Field, ...]] = {}


def _fields(kind: type[JsonObject]) -> tuple[_Field, ...]:
    """Return the fields of a class. Its type hints are resolved once, when they are first needed."""
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(_resolve(kind))
    return _FIELDS[kind]


def _resolve(kind: type[JsonObject]) -> Iterator[_Field]:
    hints, sparse = get_annotations(kind, eval_str=True), issubclass(kind, SparseJsonObject)
    for field in dataclasses.fields(kind):
        options = as_json() | dict(field.metadata)
        if not options["keep"]:
            continue
        form = _form(hints[field.name])
        form = _sorted(form) if options["sort_keys"] else form
        form = _text(form) if options["text"] else form
        default = field.default if field.default_factory is MISSING else field.default_factory()
        yield _Field(
            name=field.name,
            key=options["name"] or (_camel_case(field.name) if kind.camel_case else field.name),
            write=form.write,
            read=form.read,
            optional=options["optional"] or (sparse and default is not MISSING),
            default=default,
        )


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _form(hint: Any) -> _Form:
    """Return how the values of a type are written and read. Raises `KeyError` for a type without a form."""
    hint = getattr(hint, "__value__", hint)  # what `type Json = ...` stands for
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if NoneType in arguments:
        return _or_none(_form(arguments[0]))
    if issubclass(kind, JsonObject):
        return _Form(kind.to_json, kind.from_json)
    if issubclass(kind, StrEnum):
        return _Form(attrgetter("value"), kind, none="")
    if issubclass(kind, Mapping):
        return _mapping(kind, *map(_form, arguments))
    if issubclass(kind, (tuple, list)):
        return _sequence(kind, _form(arguments[0])) if arguments else _Form(list, kind._make)
    return _FORMS[kind]


def _or_none(form: _Form) -> _Form:
    return _Form(
        lambda value: form.none if value is None else form.write(value),
        lambda data: None if data in (None, form.none) else form.read(data),
    )


def _mapping(kind: Any, key: _Form, value: _Form | None = None) -> _Form:
    """Return the form of `dict[K, V]` or `Counter[K]`."""
    value = value or _FORMS[int]
    build = dict if kind is Mapping else kind
    return _Form(
        lambda items: {key.write(name): value.write(item) for name, item in items.items()},
        lambda data: build({key.read(name): value.read(item) for name, item in data.items()}),
    )


def _sequence(kind: Callable[[Any], Any], item: _Form) -> _Form:
    return _Form(lambda items: [*map(item.write, items)], lambda data: kind(map(item.read, data)))


def _sorted(form: _Form) -> _Form:
    return _Form(lambda items: dict(sorted(form.write(items).items())), form.read)


def _text(form: _Form) -> _Form:
    return _Form(lambda value: json.dumps(form.write(value)), lambda text: form.read(json.loads(text)))


def _same(value: Any) -> Any:
    return value


def _whole(value: Any) -> int:
    """Return a number as an int: DynamoDB returns every number as a Decimal."""
    number = int(value)
    if number != value:
        raise ValueError("not a whole number")
    return number


_FORMS: dict[Any, _Form] = {
    str: _Form(_same, _same, none=""),
    int: _Form(_same, _whole),
    bool: _Form(_same, bool),
    Any: _Form(_same, _same),
    datetime: _Form(timestamp, moment, none=""),
    date: _Form(date.isoformat, date.fromisoformat, none=""),
    timedelta: _Form(lambda span: round(span.total_seconds()), lambda value: timedelta(seconds=int(value))),
}
