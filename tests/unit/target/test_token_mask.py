"""The token in every spelling of an answer: nothing of it is in what is shown or stored."""

from __future__ import annotations

import gzip
import html
import json
from urllib.parse import quote

import pytest

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target import calls, outcomes
from bulk_profiles.target.answers import StatusAnswer
from bulk_profiles.target.earlier_answers import to_bytes
from bulk_profiles.target.token_mask import NOT_SHOWN, TokenMask
from tests.worlds.answers import element, head, profile, xml
from tests.worlds.peer import announced, peer, sends

TOKEN = "sEcretTokenOfLettersAlone"
PERCENT = "".join(f"%{ord(sign):02x}" for sign in TOKEN)
ESCAPED = "".join(f"\\u{ord(sign):04x}" for sign in TOKEN)
SPELLINGS = (
    TOKEN,
    PERCENT,
    quote(PERCENT),
    "".join(f"&#{ord(sign)};" for sign in TOKEN),
    "".join(f"&amp;#x{ord(sign):x};" for sign in TOKEN),
    "".join(f"&amp;amp;#{ord(sign)};" for sign in TOKEN),
    ESCAPED,
    " ".join(TOKEN),
    TOKEN[:-1],
    TOKEN[9:],
)


def said(outcome: object) -> str:
    """Return all that an outcome shows or stores."""
    answer = getattr(outcome, "answer", None) or getattr(outcome, "named", None)
    shown = f"{outcome!r}{answer.to_json() if answer else ''}"
    return "".join(shown.split()) + (to_bytes_of(answer) if answer else "")


def to_bytes_of(answer: StatusAnswer) -> str:
    return gzip.decompress(to_bytes(answer)).decode()


def ask(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> list[object]:
    head_ = b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers])
    with peer(sends(head_ + b"\r\n\r\n" + body)) as server:
        url = f"{server.url}/m2/demo/v2/profile/batchUpdate"
        return [
            calls.submit(url, announced(b"batch=x\n1\n"), TOKEN, 10),
            calls.check(f"{server.url}/m2/demo/profile/batchStatus?batchId=1", TOKEN, 10),
        ]


def parts(text: str) -> list[bytes]:
    receipt = element("success", "true") + element("batchStatus", f"http://x/?{text}")
    return [
        xml(element("success", "false"), element("message", text)),
        xml(receipt, element("message", text)),
        xml(receipt, element("error", text)),
        xml(element("success", "true"), profile(text, "failed"), profile("a", text)),
        xml(head(), element("message", text)),
        xml(head(text)),
        xml(head().replace("demo-1", text)),
        xml(head(), profile(text, "success"), profile(f"x{text}", "failed"), profile("a", text)),
        xml(head(), f"<profile><id>{text}</id><status>success</status><id>x{text}</id></profile>"),
        xml(head(), f"<{TOKEN}/>", f'<error {TOKEN}="{text}"/>'),
        f"demo-1 complete 2 {text} failed".encode(),
        f"Bearer {text}".encode(),
        json.dumps({"message": html.unescape(text)}).encode(),
        b'{"message": "%b' % html.unescape(text).encode(),
        f"<?xml version='1.0' encoding='{TOKEN}'?><response/>".encode(),
    ]


@pytest.mark.fault(62, "a token that Target repeats, in another charset, encoded or escaped")
@pytest.mark.parametrize("spelling", SPELLINGS, ids=range(len(SPELLINGS)))
def test_nothing_that_is_shown_or_stored_has_the_token(spelling: str) -> None:
    whole = spelling in SPELLINGS[:-2]
    for body in parts(spelling):
        for charset in ("utf-8", "utf-16", "utf-16-le"):
            for status in (b"200 OK", b"403 No", b"503 Busy"):
                for outcome in ask(body.decode().encode(charset), status=status):
                    text = said(outcome)
                    assert TOKEN not in text
                    assert TOKEN[9:] not in text or not whole
                    assert PERCENT not in text
                    assert quote(PERCENT) not in text
                    assert ESCAPED not in text.replace("\\\\", "\\")
                    assert "".join(f"&#{ord(sign)};" for sign in TOKEN) not in text


@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "utf-16-be"])
def test_token_at_the_beginning_of_a_body_is_masked(charset: str) -> None:
    for body in (TOKEN, f"{TOKEN}{TOKEN} and more"):
        pieces = TokenMask(TOKEN).pieces([body.encode(charset)])
        assert b"".join(pieces) == body.replace(TOKEN, "***").encode(charset)


def test_what_the_address_has_of_the_token_is_no_secret() -> None:
    """As where the token begins with the client code: the status URL has that, too, and is used."""
    body = xml(
        element("success", "true"), element("batchStatus", "http://127.0.0.1/m2/acmeretail/batchStatus")
    )
    head_ = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with peer(sends(head_ + body)) as server:
        url = f"{server.url}/m2/acmeretail/v2/profile/batchUpdate"
        outcome = calls.submit(url, announced(b"batch=x\n1\n"), "acmeretail-7f3a9c1e5b", 10)
    assert isinstance(outcome, outcomes.Accepted)
    assert outcome.status_url.endswith("/m2/acmeretail/batchStatus")
    mask = TokenMask("acmeretail-7f3a9c1e5b", url)
    assert mask.text("at acmeretail") == "at acmeretail"
    assert mask.text("7f3a9c1e") == mask.text("retail-7f") == "***"


def test_no_charset_has_the_token() -> None:
    for outcome in ask(b"<response/>", f"Content-Type: text/xml; charset={TOKEN}".encode()):
        assert TOKEN not in said(outcome)


def test_masked_answer_keeps_what_it_means() -> None:
    mask = TokenMask(TOKEN)
    answer = StatusAnswer(
        None,
        profiles={
            PERCENT: ProfileStatus.ERROR,
            f"{PERCENT}x": ProfileStatus.SUCCESS,
            "a%20b": ProfileStatus.SUCCESS,
        },
        contradicted=frozenset({PERCENT}),
        unclear=("Target's answer names another batch.", f"has {TOKEN}", f"is {TOKEN}"),
    )
    masked = mask.answer(answer)
    assert masked.profiles == {"a%20b": ProfileStatus.SUCCESS, "\uffff": ProfileStatus.ERROR}
    assert masked.unclear == ("Target's answer names another batch.", NOT_SHOWN)
    assert PERCENT not in to_bytes_of(masked)
    assert TokenMask(None).answer(answer) is not None
    assert TokenMask(None).answer(answer) == answer
    assert mask.text("A message of some length.") == "A message of some length."
    assert mask.text(TOKEN[:7]) == TOKEN[:7]
    assert mask.text(TOKEN[3:11]) == "***"
    assert outcomes.Unanswered(mask.text(TOKEN)).reason == "***"
