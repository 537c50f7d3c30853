"""Scripted faults: what the next calls get instead of the usual answer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from simulator.records import with_changes

SUBMIT = "submit"
STATUS = "status"
ALWAYS = 0  # as `times`: until the script is cleared


class Reset(StrEnum):
    """When a connection is reset, relative to the request's body."""

    NEVER = ""
    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. A field with its default changes nothing."""

    on: str = SUBMIT  # the kind of call
    skip: int = 0  # calls that pass before the first one that meets it
    times: int = 1  # calls that meet it
    delay_seconds: float = 0.0  # before the answer
    drip_seconds: float = 0.0  # between two bytes of the answer
    reset: Reset = Reset.NEVER
    silent: bool = False  # the connection stays open without an answer
    accepted: bool = False  # whether a submission is accepted although its answer is replaced
    code: int = 0  # HTTP status of the answer that replaces the usual one
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""  # with `{batchId}`, `{statusUrl}` and `{size}` as placeholders
    filler: int = 0  # bytes of white space after the body
    latin1: bool = False  # whether the body has another charset than it says
    message: str = ""  # submit: HTTP 200, success false, this message
    status_url: str = ""  # submit: accepted, with this URL for the status
    word: str = ""  # status: this word instead of complete or incomplete
    size: int = -1  # status: this size instead of the batch's

    def to_json(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, in the form that the control API takes."""
        return {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.name in {"on", "times"} or getattr(self, f.name) not in (f.default, {})
        }

    @property
    def replaces_answer(self) -> bool:
        """Whether another answer, or none, replaces the usual one."""
        return bool(self.code or self.reset or self.silent or self.message)


_HTML = "<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"
_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE response [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    "<response><batchId>&c;</batchId><status>complete</status></response>"
)
_STATUS_OK = "<response><batchId>{batchId}</batchId><status>complete</status><batchSize>{size}</batchSize>"

# The named faults. Their fields can be overridden, as in fault("unavailable", times=3).
FAULTS: dict[str, Fault] = {
    "unavailable": Fault(code=503),
    "too_many_requests": Fault(code=429),
    "server_error": Fault(code=500, body=_HTML, headers={"Content-Type": "text/html"}),
    "bad_gateway": Fault(code=502, body=_HTML, headers={"Content-Type": "text/html"}),
    "bad_request": Fault(code=400),
    "unauthorized": Fault(code=401),
    "forbidden": Fault(code=403),
    "too_large": Fault(code=413),
    "redirect": Fault(code=302, headers={"Location": "http://127.0.0.1:9/elsewhere"}),
    "reset_before_body": Fault(reset=Reset.BEFORE),
    "reset_during_body": Fault(reset=Reset.DURING),
    "reset_after_body": Fault(reset=Reset.AFTER, accepted=True),
    "no_answer": Fault(silent=True, accepted=True),
    "slow": Fault(delay_seconds=2.0),
    "drip": Fault(drip_seconds=1.0),
    "refused": Fault(message="Unexpected error"),
    "html": Fault(code=200, body=_HTML, headers={"Content-Type": "text/html"}),
    "empty": Fault(code=200, accepted=True),
    "json": Fault(code=200, body='{"success": true}', headers={"Content-Type": "application/json"}),
    "cut_xml": Fault(code=200, accepted=True, body="<response><success>true</success><batchSta"),
    "wrong_charset": Fault(
        code=200, latin1=True, body="<response><success>false</success><message>é</message></response>"
    ),
    "unsafe_status_url": Fault(
        status_url="http://example.com/m2/demo/v2/profile/batchStatus?batchId={batchId}"
    ),
    "incomplete_forever": Fault(on=STATUS, times=ALWAYS, word="incomplete"),
    "stuck": Fault(on=STATUS, word="stuck"),
    "unknown_word": Fault(on=STATUS, word="pondering"),
    "wrong_size": Fault(on=STATUS, size=7),
    "doctype": Fault(on=STATUS, code=200, body="<!DOCTYPE response>" + _STATUS_OK + "</response>"),
    "entities": Fault(on=STATUS, code=200, body=_LAUGHS),
    "huge": Fault(on=STATUS, code=200, body=_STATUS_OK, filler=200_000_000),
    "cut_status": Fault(on=STATUS, code=200, body=_STATUS_OK),
    "not_found": Fault(on=STATUS, code=404),
}


def fault(name: str = "", **changes: Any) -> Fault:
    """Return a named fault, or one with all defaults, in which some fields are changed.

    Raises ValueError for an unknown name or field and for a value of another type.
    """
    if name and name not in FAULTS:
        raise ValueError(f"no fault {name}; there are {', '.join(FAULTS)}")
    return with_changes(FAULTS[name] if name else Fault(), changes)
