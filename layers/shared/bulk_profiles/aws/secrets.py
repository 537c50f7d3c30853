"""Secrets Manager: Target's bearer token."""

from __future__ import annotations

import json
import re
from typing import Any

from bulk_profiles.core.errors import TokenError

_MAX_AGE_SECONDS = 900
# A bearer token (RFC 6750) and a few more characters, but none that shows another form, such as `token=abc`.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/:|-]{1,8192}=*", re.ASCII)
_SCHEME = re.compile(r"bearer\s+", re.ASCII | re.IGNORECASE)


class Tokens:
    """The tokens in one secret: the plain token for every client, or JSON `{"<client code>": "<token>"}`.

    A token may stand in quotes, and after `Bearer`, which are not part of it.
    They stay in Powertools' cache for a quarter of an hour, and nowhere else.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def get(self, client_code: str) -> str | None:
        """Return a client's token, or None where no secret is configured. Raises `TokenError`."""
        return self._token(client_code, renew=False)

    def renew(self, client_code: str) -> str | None:
        """Return the token as it is now: a new one in Secrets Manager may have ended the cached one."""
        return self._token(client_code, renew=True)

    def _token(self, client_code: str, *, renew: bool) -> str | None:
        if not self._secret:
            return None
        token = _of_client(self._fetch(renew=renew).strip(), client_code)
        if not _TOKEN.fullmatch(token):
            raise TokenError(
                f"The secret holds no token for client {client_code} that can be sent: "
                f'store the token alone, or JSON by client code, {{"{client_code}": "<token>"}}.'
            )
        return token

    def _fetch(self, *, renew: bool) -> str:
        # Imported here: a deployment without a token does not pay for it.
        from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415
        from aws_lambda_powertools.utilities.parameters.exceptions import (  # noqa: PLC0415
            GetParameterError,
        )

        try:
            secret = parameters.get_secret(self._secret, max_age=_MAX_AGE_SECONDS, force_fetch=renew)
        except GetParameterError as error:
            raise TokenError(
                "Secrets Manager did not give the token: check secret, policy and key."
            ) from error
        if not isinstance(secret, str):
            raise TokenError("The secret is binary: store the token as text.")
        return secret


def _of_client(secret: str, client_code: str) -> str:
    """Return the token in a secret, or an empty text where it has another form."""
    stored: Any = secret
    if secret.startswith(("{", '"')):
        try:
            stored = json.loads(secret)
        except ValueError:
            return ""  # a chained exception would show the secret in a traceback
    if isinstance(stored, dict):
        stored = stored.get(client_code)
    token = stored.strip() if isinstance(stored, str) else ""
    scheme = _SCHEME.match(token)
    return token[scheme.end() :] if scheme else token
