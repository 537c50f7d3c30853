"""Target's calls: match a request to one of them, and answer it."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.message import Message
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from simulator import answers, receiver
from simulator.answers import Progress
from simulator.dialects import Dialect, Framing
from simulator.receiver import Body, RefusedError
from simulator.scripts import STATUS, SUBMIT, Fault
from simulator.settings import Settings
from simulator.target import Batch, Target

PROFILE = "profile"
_MOST_PLACEHOLDERS = 1_000  # ids of a batch
_BATCH_PATH = re.compile(
    r"/m2/(?P<client>[^/]+)/(?:(?P<version>v2)/)?profile/(?P<call>batchUpdate|batchStatus)"
)
_PROFILE_PATH = re.compile(r"/rest/v1/profiles/(?:thirdPartyId/)?(?P<id>[^/]+)")
_ON = {("POST", "batchUpdate"): SUBMIT, ("GET", "batchStatus"): STATUS}


@dataclass(frozen=True, slots=True)
class Call:
    """A request of Target's API."""

    on: str  # submit, status or profile
    client: str
    version: str = ""
    batch_id: str = ""
    details: bool = False
    profile_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, and facts for the record of the request."""

    code: int  # HTTP status; 0: no answer is sent
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    batch_id: str = ""
    rows: int = 0
    cut: bool = False  # whether a raw `&` ended the batch early
    framing: Framing = Framing.LENGTH
    interim: tuple[int, ...] = ()  # HTTP statuses of the answers before this one


type Submission = Body | RefusedError | None  # None: the call is no submission


def match(method: str, target: str) -> Call | None:
    """Return the call that a request is, or None."""
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if path := _BATCH_PATH.fullmatch(url.path):
        on = _ON.get((method, path["call"]))
        details = query.get("showDetails", "").lower() == "true"
        version = path["version"] or "v1"
        client, batch_id = unquote(path["client"]), query.get("batchId", "")
        return Call(on, client, version, batch_id, details) if on else None
    if method == "GET" and (path := _PROFILE_PATH.fullmatch(url.path)):
        return Call(PROFILE, query.get("client", ""), profile_id=unquote(path["id"]))
    return None


def read_submission(call: Call, body: bytes, headers: Message, settings: Settings) -> Submission:
    """Parse the body of a submission; other calls have none."""
    if call.on != SUBMIT:
        return None
    try:
        return receiver.parse(
            body,
            headers.get("Content-Type", ""),
            max_bytes=settings.max_bytes,
            max_rows=settings.max_rows,
            needs_prefix=settings.needs_prefix,
            crlf=settings.crlf,
        )
    except RefusedError as refusal:
        return refusal


def answer(
    target: Target,
    call: Call,
    submission: Submission,
    *,
    authorized: bool,
    scripted: Fault | None,
    own_url: str,
) -> Answer:
    """Answer a call: as scripted, if a fault is scripted for it, or as usual."""
    settings = target.settings
    limited = call.on == SUBMIT or (call.on in {STATUS, PROFILE} and settings.count_status_calls)
    if limited and not target.within_budget():
        return Answer(503, headers={"Retry-After": str(settings.retry_after)} if settings.retry_after else {})
    if scripted and scripted.replaces_answer and not scripted.accepted:
        return _replace(target, scripted, call, "")
    if settings.token and not authorized and settings.guarded in {"both", call.on}:
        return Answer(401)
    return _usual(target, call, submission, scripted, own_url)


def _usual(
    target: Target, call: Call, submission: Submission, scripted: Fault | None, own_url: str
) -> Answer:
    match call.on, submission:
        case "submit", Body() as body:
            dialect = target.next_dialect(SUBMIT, tuple(row.profile_id for row in body.rows))
            if dialect and not dialect.accepts:
                refusal = answers.refusal(dialect.message or "Refused")
                return _spoken(target.settings, refusal, dialect, {})
            return _accept(target, call, body, scripted, own_url=own_url, dialect=dialect)
        case "submit", _:
            return _as_text(target.settings, answers.refusal(str(submission)))
        case "status", _:
            return _status(target, call, scripted)
        case _:
            return _profile(target, call)


def bearer(headers: Message) -> str:
    """Return the bearer token of a request, or an empty text."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def without_token(headers: Message) -> dict[str, str]:
    """Return a request's headers without the value of its token."""
    return {
        name: re.sub(r"(?<=^Bearer ).*", "***", value) if name.lower() == "authorization" else value
        for name, value in headers.items()
    }


def as_json(data: object, code: int = 200) -> Answer:
    """Return an answer in JSON."""
    body = json.dumps(data, ensure_ascii=False).encode()
    return Answer(code, body, {"Content-Type": "application/json; charset=utf-8"})


def _accept(
    target: Target, call: Call, body: Body, scripted: Fault | None, *, own_url: str, dialect: Dialect | None
) -> Answer:
    batch = target.submit(call.client, call.version, body, dialect.batch_id if dialect else "")
    base = target.settings.status_base or own_url
    version = "" if call.version == "v1" else "v2/"
    url = f"{base}/m2/{call.client}/{version}profile/batchStatus?batchId={batch.batch_id}&m2Node=00"
    if scripted and scripted.status_url:
        url = _fill(scripted.status_url, batch.batch_id, url, len(batch.ids))
    if scripted and scripted.replaces_answer:
        reply = _replace(target, scripted, call, url, batch.batch_id)
    else:
        receipt = answers.receipt(url, raw_ampersand=target.settings.raw_ampersand)
        reply = (
            _spoken(target.settings, receipt, dialect, _names(batch, url))
            if dialect
            else _as_text(target.settings, receipt)
        )
    return dataclasses.replace(reply, batch_id=batch.batch_id, rows=len(body.rows), cut=body.cut)


def _status(target: Target, call: Call, scripted: Fault | None) -> Answer:
    progress = target.progress(call.client, call.version, call.batch_id, scripted)
    if progress is None and target.settings.names_unknown:
        return Answer(404, batch_id=call.batch_id)
    if progress is None:
        progress = Progress(call.batch_id, "incomplete", 0, (), frozenset(), frozenset())
    settings = target.settings
    dialect = target.next_dialect(STATUS, progress.ids)
    if dialect and dialect.word not in {"", answers.NO_WORD}:
        progress = dataclasses.replace(progress, status=dialect.word)
    generation = (dialect.generation if dialect else 0) or settings.generation
    tree = answers.status(progress, generation, details=call.details, encoded_ids=settings.encoded_ids)
    if dialect:
        tree = answers.in_dialect(tree, dialect, progress.ids)
        reply = _spoken(settings, tree, dialect, _names(target.batches[call.batch_id], ""))
    else:
        reply = _as_text(settings, tree)
    return dataclasses.replace(reply, batch_id=call.batch_id)


def _profile(target: Target, call: Call) -> Answer:
    values = target.kept(call.client, call.profile_id, shown=True)
    if values is None or target.settings.hides_profiles:
        return as_json({"status": 404, "message": f"No profile found for client {call.client}"}, 404)
    attributes = {
        name: {"value": value, "modifiedAt": _modified_at(at)} for name, (value, at) in values.items()
    }
    attributes["user.browser"] = {"value": "Firefox", "modifiedAt": _modified_at(target.now)}
    newest = max((at for _, at in values.values()), default=target.now)
    return as_json(
        {
            "client": call.client,
            "visitorId": {"thirdPartyId": call.profile_id},
            "modifiedAt": _modified_at(newest),
            "profileAttributes": attributes,
        }
    )


def _modified_at(seconds: float) -> str:
    """Return a time as Target writes it: `2017-08-18T17:53:39.003-04:00`."""
    return datetime.fromtimestamp(seconds, timezone(timedelta(hours=-4))).isoformat(timespec="milliseconds")


def _replace(target: Target, scripted: Fault, call: Call, url: str, batch_id: str = "") -> Answer:
    if scripted.message:
        return _as_text(target.settings, answers.refusal(scripted.message))
    batch_id = batch_id or call.batch_id
    batch = target.batches.get(batch_id)
    text = _fill(scripted.body, batch_id, url, len(batch.ids) if batch else 0)
    headers = {"Content-Type": target.settings.content_type} | scripted.headers
    code = 0 if scripted.reset or scripted.silent else scripted.code
    return Answer(code, text.encode("latin-1" if scripted.latin1 else "utf-8"), headers, batch_id)


def _fill(template: str, batch_id: str, url: str, size: int) -> str:
    return template.replace("{batchId}", batch_id).replace("{statusUrl}", url).replace("{size}", str(size))


def _names(batch: Batch, url: str) -> dict[str, str]:
    """Return the placeholders of a dialect's body, with what they stand for."""
    ids = {f"{{id{number}}}": escape(name) for number, name in enumerate(batch.ids[:_MOST_PLACEHOLDERS], 1)}
    return {"{batchId}": batch.batch_id, "{statusUrl}": url, "{size}": str(len(batch.ids))} | ids


def _spoken(settings: Settings, tree: answers.Node, dialect: Dialect, names: dict[str, str]) -> Answer:
    """Return an answer in a dialect: another body, or the usual one with additions, and how it is sent."""
    if dialect.flattened:
        settings = dataclasses.replace(settings, flattened=True)
    usual = _as_text(settings, tree)
    end = "</response>"
    text = usual.body.decode().removesuffix(end)
    text += "".join(dialect.extra) + (end if usual.body.endswith(end.encode()) else "")
    text = dialect.prefix + (text if dialect.body is None else dialect.body)
    for name, value in names.items():
        text = text.replace(name, value)
    return Answer(
        dialect.code,
        text.encode(dialect.encoding),
        usual.headers | dict(dialect.headers),
        framing=dialect.framing,
        interim=dialect.interim,
    )


def _as_text(settings: Settings, tree: answers.Node) -> Answer:
    text = answers.as_flat_text(tree) if settings.flattened else answers.as_xml(tree)
    content_type = "text/plain;charset=UTF-8" if settings.flattened else settings.content_type
    return Answer(200, text.encode(), {"Content-Type": content_type})
