"""The URLs of Target: what may be called, and every way in which a status URL may lead elsewhere."""

from __future__ import annotations

from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.models import ApiVersion, KeyColumn
from bulk_profiles.target.addresses import (
    UnsafeStatusUrlError,
    batch_id_of,
    profile_url,
    safe_status_url,
    submission_url,
    with_details,
)

ENDPOINT = "https://{client}.tt.omtrdc.net"
PATH = "/m2/demo/v2/profile/batchStatus"
QUERY = "batchId=demo-1845664501&m2Node=00"
EDGE = "mboxedge45.tt.omtrdc.net"
SAFE = f"https://{EDGE}{PATH}?{QUERY}"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        (f"http://{EDGE}{PATH}?{QUERY}", SAFE),
        (f"https://{EDGE}{PATH}?{QUERY}", SAFE),
        (f"HTTP://MboxEdge45.TT.omtrdc.NET{PATH}?{QUERY}", SAFE),
        (f"http://{EDGE}:80{PATH}?{QUERY}", SAFE),
        (f"https://{EDGE}:443{PATH}?{QUERY}", SAFE),
        (f"\n  http://{EDGE}{PATH}?{QUERY} \n", SAFE),
        (f"http://{EDGE}{PATH}?{QUERY.replace('&', '&amp;')}", SAFE),
        (f"http://{EDGE}{PATH}?{QUERY}&showDetails=true&x=<y>", SAFE),
        (f"http://{EDGE}{PATH}?x=1&batchId=demo-1845664501", f"https://{EDGE}{PATH}?batchId=demo-1845664501"),
        (f"http://demo.tt.omtrdc.net{PATH}?{QUERY}", f"https://demo.tt.omtrdc.net{PATH}?{QUERY}"),
        (f"http://a.b-2.tt.omtrdc.net{PATH}?{QUERY}", f"https://a.b-2.tt.omtrdc.net{PATH}?{QUERY}"),
        (f"http://my_shop.tt.omtrdc.net{PATH}?{QUERY}", f"https://my_shop.tt.omtrdc.net{PATH}?{QUERY}"),
        (
            f"http://{EDGE}/m2/demo/profile/batchStatus?{QUERY}",
            f"https://{EDGE}/m2/demo/profile/batchStatus?{QUERY}",
        ),
    ],
)
def test_safe_status_url_is_rebuilt_from_its_parts(url: str, safe: str) -> None:
    assert safe_status_url(url, ENDPOINT, "demo") == safe


@pytest.mark.parametrize(
    ("endpoint", "url", "safe"),
    [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000/", "https://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://localhost", "http://localhost:80", "http://localhost"),
        ("http://[::1]:9000", "http://[::1]:9000", "http://[::1]:9000"),
        ("https://target.example", "http://target.example", "https://target.example"),
        ("https://target.example", "http://TARGET.example:80", "https://target.example"),
        ("https://{client}.target.example", "http://demo.target.example", "https://demo.target.example"),
        ("http://127.0.0.1:9000", f"http://{EDGE}", f"https://{EDGE}"),
    ],
)
def test_safe_status_url_on_the_endpoint_keeps_its_scheme(endpoint: str, url: str, safe: str) -> None:
    assert safe_status_url(f"{url}{PATH}?{QUERY}", endpoint, "demo") == f"{safe}{PATH}?{QUERY}"


@pytest.mark.fault(42, "a status URL with another host, an IP address, user info, a port, another client")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "batchId=demo-1",
        f"ftp://{EDGE}{PATH}?{QUERY}",
        "file:///etc/passwd?batchId=1",
        f"//{EDGE}{PATH}?{QUERY}",
        f"javascript:http://{EDGE}{PATH}?{QUERY}",
        # other hosts
        f"http://example.com{PATH}?{QUERY}",
        f"http://tt.omtrdc.net{PATH}?{QUERY}",
        f"http://eviltt.omtrdc.net{PATH}?{QUERY}",
        f"http://x.eviltt.omtrdc.net{PATH}?{QUERY}",
        f"http://{EDGE}.example.com{PATH}?{QUERY}",
        f"http://{EDGE}.{PATH}?{QUERY}",
        f"http://.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://a..tt.omtrdc.net{PATH}?{QUERY}",
        f"http://-a.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://{'a' * 64}.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://169.254.169.254{PATH}?{QUERY}",
        f"http://127.0.0.1{PATH}?{QUERY}",
        f"http://127.0.0.1:9001{PATH}?{QUERY}",
        f"http://2130706433{PATH}?{QUERY}",
        f"http://[::1]{PATH}?{QUERY}",
        f"http://[::ffff:169.254.169.254]{PATH}?{QUERY}",
        f"http://[::1%25.tt.omtrdc.net]{PATH}?{QUERY}",
        # disguises
        f"http://tt.omtrdc.net@evil.com{PATH}?{QUERY}",
        f"http://user:password@{EDGE}{PATH}?{QUERY}",
        f"http://evil.com\\.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://evil.com\\@{EDGE}{PATH}?{QUERY}",
        f"http:\\\\{EDGE}{PATH}?{QUERY}",
        f"http://evil.com%2f.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://evil.com/.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://evil.com?.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://evil.com#.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://evil.com\n.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://evil.com\t.tt.omtrdc.net{PATH}?{QUERY}",
        f"http://mboxedge45.tt.omtrdc.net\r\nX: y{PATH}?{QUERY}",
        f"http://mboxedge45。tt.omtrdc.net{PATH}?{QUERY}",
        f"http://mboxedge45.tt.ömtrdc.net{PATH}?{QUERY}",
        f"http://mboxedge45.tt.omtrdc.net\u2100{PATH}?{QUERY}",
        f"http\u017f://{EDGE}{PATH}?{QUERY}",
        f"http://mboxed\u212ae.tt.omtrdc.net{PATH}?{QUERY}",
        # ports
        f"http://{EDGE}:8080{PATH}?{QUERY}",
        f"http://{EDGE}:443{PATH}?{QUERY}",
        f"https://{EDGE}:80{PATH}?{QUERY}",
        f"http://{EDGE}:{PATH}?{QUERY}",
        f"http://{EDGE}:999999{PATH}?{QUERY}",
        f"http://{EDGE}:80:80{PATH}?{QUERY}",
        # paths
        f"http://{EDGE}/m2/other/v2/profile/batchStatus?{QUERY}",
        f"http://{EDGE}/m2/Demo/v2/profile/batchStatus?{QUERY}",
        f"http://{EDGE}/m2/demo/v3/profile/batchStatus?{QUERY}",
        f"http://{EDGE}/m2/demo/v2/profile/batchUpdate?{QUERY}",
        f"http://{EDGE}/m2/demo/v2/profile/batchStatus/?{QUERY}",
        f"http://{EDGE}//m2/demo/v2/profile/batchStatus?{QUERY}",
        f"http://{EDGE}/x/../m2/demo/v2/profile/batchStatus?{QUERY}",
        f"http://{EDGE}/m2/demo%2f../profile/batchStatus?{QUERY}",
        f"http://{EDGE}/m2/demo/v2/profile/batchStatus;x?{QUERY}",
        f"http://{EDGE}/m2/demo/v2/profile/batchStatus\n?{QUERY}",
        f"http://{EDGE}/m2/demo/v2/profile/batchStatus#?{QUERY}",
        f"http://{EDGE}",
        # batch ids
        f"http://{EDGE}{PATH}",
        f"http://{EDGE}{PATH}?",
        f"http://{EDGE}{PATH}?batchid=demo-1",
        f"http://{EDGE}{PATH}?batchId=",
        f"http://{EDGE}{PATH}?batchId={'1' * 129}",
        f"http://{EDGE}{PATH}?batchId=demo-1&batchId=demo-2",
        f"http://{EDGE}{PATH}?batchId=demo-1%26m2Node=1",
        f"http://{EDGE}{PATH}?batchId=demo 1",
        f"http://{EDGE}{PATH}?batchId=demo-1#x",
        f"http://{EDGE}{PATH}?batchId=demo-1\n&m2Node=00",
        f"http://{EDGE}{PATH}?batchId=../1",
        f"http://{EDGE}{PATH}?batchId=demo-1&m2Node=00/../x",
        f"http://{EDGE}{PATH}?batchId=demo-1&m2Node=00&m2Node=01",
        f"http://{EDGE}{PATH}?batchId=demo-1&x={'x' * 3000}",
    ],
)
def test_safe_status_url_of_another_place_raises(url: str) -> None:
    for endpoint in (ENDPOINT, "http://127.0.0.1:9000"):
        with pytest.raises(UnsafeStatusUrlError) as raised:
            safe_status_url(url, endpoint, "demo")
        assert "evil" not in str(raised.value)


def test_submission_url_quotes_the_client_code() -> None:
    assert submission_url(ENDPOINT, "demo", ApiVersion.V2) == (
        "https://demo.tt.omtrdc.net/m2/demo/v2/profile/batchUpdate"
    )
    assert submission_url("http://127.0.0.1:9000/", "demo", ApiVersion.V1) == (
        "http://127.0.0.1:9000/m2/demo/profile/batchUpdate"
    )
    assert submission_url("https://target.example", "a/b", ApiVersion.V1) == (
        "https://target.example/m2/a%2Fb/profile/batchUpdate"
    )


def test_with_details_keeps_the_batch_id() -> None:
    assert with_details(SAFE) == f"{SAFE}&showDetails=true"
    assert batch_id_of(SAFE) == batch_id_of(with_details(SAFE)) == "demo-1845664501"


DISGUISES = ("evil.com", "@", "\\", "/", "%2f", "#", "?", "&", ";", "..", "\n", "\u2044", "é", "\x00", " ")
HOSTS = ("http://", "https://", ".tt.omtrdc.net", EDGE, "127.0.0.1", ":9000", ":80", "[::1]")
parts = st.lists(st.sampled_from((*DISGUISES, *HOSTS, PATH, QUERY, "batchId=1")), max_size=8)
# A status URL, and one with a part of another kind in some place.
sound = st.tuples(
    st.sampled_from(["http://", "https://", "HTTP://"]),
    st.sampled_from([EDGE, "demo.tt.omtrdc.net", "127.0.0.1:9000", f"{EDGE}:80", f"{EDGE}:443"]),
    st.sampled_from([PATH, "/m2/demo/profile/batchStatus"]),
    st.just("?"),
    st.sampled_from([QUERY, "batchId=1", "batchId=demo-1&m2Node=00"]),
).map(list)
spoiled = st.builds(
    lambda pieces, at, disguise: [*pieces[:at], disguise, *pieces[at:]],
    sound,
    st.integers(0, 5),
    st.sampled_from(DISGUISES),
)


@pytest.mark.fault(42, "a status URL of any text")
def test_safe_status_url_of_any_text_is_of_target_or_raises() -> None:
    safe = Counter[bool]()

    @given(st.one_of(sound, spoiled, parts))
    def check(pieces: list[str]) -> None:
        try:
            url = safe_status_url("".join(pieces), "http://127.0.0.1:9000", "demo")
        except UnsafeStatusUrlError:
            safe[False] += 1
            return
        safe[True] += 1
        called = urlsplit(url)
        assert (called.scheme, called.netloc) == ("http", "127.0.0.1:9000") or (
            called.scheme == "https" and called.netloc.endswith(".tt.omtrdc.net")
        )
        assert called.path in {PATH, "/m2/demo/profile/batchStatus"}
        assert parse_qs(called.query).keys() <= {"batchId", "m2Node"}
        assert url.isascii()
        assert url.isprintable()
        assert safe_status_url(url, "http://127.0.0.1:9000", "demo") == url

    check()
    assert min(safe[True], safe[False]) >= 10


@pytest.mark.parametrize(
    ("key_column", "path"),
    [
        (KeyColumn.THIRD_PARTY_ID, "/rest/v1/profiles/thirdPartyId/a%2Fb%20%C3%BC%26?client=de_mo"),
        (KeyColumn.PC_ID, "/rest/v1/profiles/a%2Fb%20%C3%BC%26?client=de_mo"),
    ],
)
def test_profile_url_has_the_id_encoded_and_the_client(key_column: KeyColumn, path: str) -> None:
    url = profile_url("https://{client}.tt.omtrdc.net/", "de_mo", key_column, "a/b ü&")
    assert url == f"https://de_mo.tt.omtrdc.net{path}"


def test_profile_url_has_the_client_encoded() -> None:
    url = profile_url("http://127.0.0.1:8080", "a/b", KeyColumn.PC_ID, "1")
    assert url == "http://127.0.0.1:8080/rest/v1/profiles/1?client=a%2Fb"


HOST = "https://demo.tt.omtrdc.net"


def test_status_url_of_another_path_is_told_in_a_sentence() -> None:
    with pytest.raises(UnsafeStatusUrlError) as caught:
        safe_status_url(
            "https://demo.tt.omtrdc.net/m2/other/profile/batchStatus?batchId=1", "https://x", "demo"
        )
    assert str(caught.value) == "The status URL's path is not that of the client's batches."
