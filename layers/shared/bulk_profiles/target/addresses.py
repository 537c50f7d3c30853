"""Target's addresses: the ones that are called, and the one that an answer names, which comes from outside.

A status URL is never called as it came. It is taken apart by a strict pattern, not by a lenient parser;
each part must be one that Target has reason to send; the address that is called is put together from
those parts.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.models import ApiVersion

_MAX_LENGTH = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)
_TARGET_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+tt\.omtrdc\.net", re.ASCII)
_PATH = re.compile(r"/m2/(?P<client>[^/]+)/(?:v2/)?profile/batchStatus", re.ASCII)
_PARAMETERS = {
    "batchId": re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII),
    "m2Node": re.compile(r"[A-Za-z0-9._~-]{1,32}", re.ASCII),
}
type _Address = tuple[str, str, int | None]


class UnsafeStatusUrlError(BulkProfilesError):
    """A status URL leads, or may lead, elsewhere than to Target's answer about the own batch.

    The message names the part that is wrong, not the URL.
    """


def base_url(endpoint: str, client: str) -> str:
    """Give the endpoint of a client; `{client}` in it stands for the client code."""
    return endpoint.replace("{client}", client).rstrip("/")


def submission_url(endpoint: str, client: str, version: ApiVersion) -> str:
    """Give the address that takes a client's batches."""
    path = "v2/profile" if version is ApiVersion.V2 else "profile"
    return f"{base_url(endpoint, client)}/m2/{quote(client, safe='')}/{path}/batchUpdate"


def safe_status_url(url: str, endpoint: str, client: str) -> str:
    """Put a status URL together anew from the parts of the one that Target named.

    On a host of Target it is https, whatever it was. Raises `UnsafeStatusUrlError`.
    """
    url = url.strip().replace("&amp;", "&")
    if len(url) > _MAX_LENGTH:
        raise UnsafeStatusUrlError("The status URL is too long.")
    address = _ADDRESS.match(url)
    if not address:
        raise UnsafeStatusUrlError("The status URL names no plain host of http or https.")
    base = _base(_parts(address), endpoint, client)
    path, _, query = url[address.end() :].partition("?")
    found = _PATH.fullmatch(path)
    if not found or found["client"] != quote(client, safe=""):
        raise UnsafeStatusUrlError("The status URL's path is not that of the client's batches.")
    parameters = "&".join(f"{name}={value}" for name, value in _parameters(query).items())
    return f"{base}{path}?{parameters}"


def with_details(url: str) -> str:
    """Give the status URL that asks for counts as well."""
    return f"{url}&showDetails=true"


def batch_id_of(url: str) -> str:
    """Give the batch id in a safe status URL."""
    return _parameters(url.partition("?")[2])["batchId"]


def _parts(address: re.Match[str]) -> _Address:
    """Give scheme, host and port; None for the scheme's own port."""
    scheme = address["scheme"].lower()
    port = int(address["port"]) if address["port"] else None
    return scheme, address["host"].lower(), None if port == _DEFAULT_PORTS[scheme] else port


def _base(named: _Address, endpoint: str, client: str) -> str:
    """Give scheme, host and port to call: those of the endpoint, or https on a host of Target."""
    own = _ADDRESS.fullmatch(base_url(endpoint, client))
    if own and named[1:] == _parts(own)[1:]:
        return own[0]
    if named[2] is None and _TARGET_HOST.fullmatch(named[1]):
        return f"https://{named[1]}"
    raise UnsafeStatusUrlError("The status URL leads to a host or a port that is not Target's.")


def _parameters(query: str) -> dict[str, str]:
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
