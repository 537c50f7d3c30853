"""The control API below `/_control/`: settings, script, clock, and received requests. Everything is JSON.

GET    /_control/health
GET    /_control/settings            POST: change some, as in {"generation": 4}
GET    /_control/faults              POST: add one or a list, as in {"name": "stuck", "times": 3}; DELETE
GET    /_control/requests            number, at, method, path, bytes, rows, sha256, headers, code
GET    /_control/batches
GET    /_control/load                the most calls in any minute, the most batches in flight
GET    /_control/bodies/{number}     the body of a request, byte for byte
GET    /_control/profiles?client=    all ids
GET    /_control/profiles/{id}?client=   POST: create it, as in {"city": "Bern"}
POST   /_control/clock               {"advance": 3600}
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from simulator.protocol import Answer, as_json
from simulator.records import with_changes
from simulator.scripts import fault
from simulator.target import Target

PREFIX = "/_control/"


class _Server(Protocol):
    """The part of the server that this module needs; it cannot import the server, which imports it."""

    target: Target
    lock: threading.RLock

    def body_file(self, number: int) -> Path: ...


@dataclass(frozen=True, slots=True)
class _Ask:
    """A control call."""

    server: _Server
    rest: str  # of the path, after the name
    client: str
    data: Any  # the JSON of the body

    @property
    def target(self) -> Target:
        return self.server.target


def answer(server: _Server, method: str, path: str, body: bytes) -> Answer:
    """Answer a control call; a wrong one gets 400 or 404 and a sentence."""
    url = urlsplit(path)
    name, _, rest = url.path.removeprefix(PREFIX).partition("/")
    client = parse_qs(url.query).get("client", ["demo"])[0]
    route = _ROUTES.get((method, name))
    if route is None:
        return as_json({"error": "no such call"}, 404)
    try:
        ask = _Ask(server, unquote(rest), client, json.loads(body) if body else None)
        with server.lock:
            result = route(ask)
    except FileNotFoundError:
        return as_json({"error": "no such body"}, 404)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return as_json({"error": str(error)}, 400)
    return result if isinstance(result, Answer) else as_json(result)


def _change_settings(ask: _Ask) -> object:
    ask.target.settings = with_changes(ask.target.settings, ask.data or {})
    return ask.target.settings.to_json()


def _add_faults(ask: _Ask) -> object:
    items = ask.data if isinstance(ask.data, list) else [ask.data or {}]
    ask.target.faults.extend([fault(**item) for item in items])
    return _list_faults(ask)


def _list_faults(ask: _Ask) -> object:
    return [item.to_json() for item in ask.target.faults]


def _clear_faults(ask: _Ask) -> object:
    ask.target.faults.clear()
    return _list_faults(ask)


def _advance(ask: _Ask) -> object:
    ask.target.offset += float(ask.data["advance"])
    return {"now": ask.target.now}


def _seed(ask: _Ask) -> object:
    ask.target.seed(ask.client, ask.rest, ask.data or {})
    return _profile(ask)


def _profile(ask: _Ask) -> object:
    if not ask.rest:
        return ask.target.profile_ids(ask.client)
    values = ask.target.profile(ask.client, ask.rest)
    if values is None:
        return as_json({"error": "no such profile"}, 404)
    return {"attributes": values, "updates": ask.target.updates(ask.client, ask.rest)}


_ROUTES: dict[tuple[str, str], Callable[[_Ask], object]] = {
    ("GET", "health"): lambda _: {"ok": True},
    ("GET", "settings"): lambda ask: ask.target.settings.to_json(),
    ("POST", "settings"): _change_settings,
    ("GET", "faults"): _list_faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "requests"): lambda ask: [request.to_json() for request in ask.target.requests],
    ("GET", "batches"): lambda ask: [batch.to_json() for batch in ask.target.batches.values()],
    ("GET", "load"): lambda ask: ask.target.load(),
    ("GET", "bodies"): lambda ask: Answer(200, ask.server.body_file(int(ask.rest)).read_bytes()),
    ("GET", "profiles"): _profile,
    ("POST", "profiles"): _seed,
    ("POST", "clock"): _advance,
}
