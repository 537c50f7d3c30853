"""The addresses of Target: where batches are submitted, and the status URL that a receipt names.

A status URL comes from outside, so it is never called as it came. A strict pattern, not a lenient parser,
takes it apart. Each part must be one that Target has a reason to send, and the URL that is called is built
from the accepted parts.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.models import ApiVersion, KeyColumn

_MAX_LENGTH = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)
# As in the template: nothing is sent in the clear but to this machine.
ENDPOINT = re.compile(
    r"(https://([A-Za-z0-9.-]|\{client\})+|http://(localhost|127\.0\.0\.1|\[::1\]))(:[0-9]{1,5})?/?"
)
# A client code may have underscores, which DNS allows and host names of the internet do not.
_TARGET_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+tt\.omtrdc\.net", re.ASCII)
_PATH = re.compile(r"/m2/(?P<client>[^/]+)/(?:v2/)?profile/batchStatus", re.ASCII)
_PARAMETERS = {
    "batchId": re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII),
    "m2Node": re.compile(r"[A-Za-z0-9._~-]{1,32}", re.ASCII),
}


class UnsafeStatusUrlError(BulkProfilesError):
    """A status URL may lead elsewhere than to Target's status of a batch of this client.

    The message names the part that is wrong and does not repeat the URL.
    """


def submission_url(endpoint: str, client: str, version: ApiVersion) -> str:
    """Return the URL to which a client's batches are submitted."""
    path = "v2/profile" if version is ApiVersion.V2 else "profile"
    return f"{_base_url(endpoint, client)}/m2/{quote(client, safe='')}/{path}/batchUpdate"


def profile_url(endpoint: str, client: str, key_column: KeyColumn, profile_id: str) -> str:
    """Return the URL at which a profile of a client is read."""
    kind = "thirdPartyId/" if key_column is KeyColumn.THIRD_PARTY_ID else ""
    path = f"rest/v1/profiles/{kind}{quote(profile_id, safe='')}"
    return f"{_base_url(endpoint, client)}/{path}?client={quote(client, safe='')}"


def safe_status_url(url: str, endpoint: str, client: str) -> str:
    """Return the status URL to call, built from the accepted parts of the one that Target named.

    On a host of Target the scheme is always https. Raises `UnsafeStatusUrlError`.
    """
    url = url.strip().replace("&amp;", "&")
    if not url:
        raise UnsafeStatusUrlError("Target took the batch and named no status URL.")
    if len(url) > _MAX_LENGTH:
        raise UnsafeStatusUrlError("The status URL is too long.")
    origin = _ORIGIN.match(url)
    if not origin:
        raise UnsafeStatusUrlError("The status URL names no plain host of http or https.")
    base = _trusted_base(origin, endpoint, client)
    path, _, query = url[origin.end() :].partition("?")
    parts = _PATH.fullmatch(path)
    if not parts or parts["client"] != quote(client, safe=""):
        raise UnsafeStatusUrlError("The status URL's path is not that of the client's batches.")
    parameters = "&".join(f"{name}={value}" for name, value in _parameters(query).items())
    return f"{base}{path}?{parameters}"


def with_details(url: str) -> str:
    """Return the status URL that asks for counts as well."""
    return f"{url}&showDetails=true"


def is_v2(url: str) -> bool:
    """Whether a safe status URL is one of version 2 of the API."""
    return "/v2/profile/" in url


def batch_id_of(url: str) -> str:
    """Return the batch id in a safe status URL."""
    return _parameters(url.partition("?")[2])["batchId"]


def _base_url(endpoint: str, client: str) -> str:
    """Return the endpoint of a client; `{client}` in `endpoint` stands for the client code."""
    return endpoint.replace("{client}", client).rstrip("/")


def _trusted_base(origin: re.Match[str], endpoint: str, client: str) -> str:
    """Return the scheme, host and port to call: those of the endpoint, or https on a host of Target."""
    host, port = _host_and_port(origin)
    own = _ORIGIN.fullmatch(_base_url(endpoint, client))
    if own and (host, port) == _host_and_port(own):
        return own[0]
    if port is None and _TARGET_HOST.fullmatch(host):
        return f"https://{host}"
    raise UnsafeStatusUrlError("The status URL leads to a host or a port that is not Target's.")


def _host_and_port(origin: re.Match[str]) -> tuple[str, int | None]:
    """Return the host and the port, which is None where it is the default of the scheme."""
    port = int(origin["port"]) if origin["port"] else None
    return origin["host"].lower(), None if port == _DEFAULT_PORTS[origin["scheme"].lower()] else port


def _parameters(query: str) -> dict[str, str]:
    """Return the batch id and, where it is given, the node; other parameters are dropped."""
    parameters: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name not in _PARAMETERS:
            continue
        if name in parameters or not _PARAMETERS[name].fullmatch(value):
            raise UnsafeStatusUrlError(f"The status URL's {name} is not one that Target gives.")
        parameters[name] = value
    if "batchId" not in parameters:
        raise UnsafeStatusUrlError("The status URL has no batchId.")
    return parameters
