"""Secrets Manager: Target's bearer token."""

from __future__ import annotations

import json
import re

from bulk_profiles.core.errors import TokenError

_MAX_AGE_SECONDS = 900
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


class Tokens:
    """The tokens in one secret: the plain token for every client, or JSON `{"<client code>": "<token>"}`.

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
            raise TokenError(f"The secret holds no token for client {client_code} that can be sent.")
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
    if not secret.startswith("{"):
        return secret
    try:
        token = json.loads(secret).get(client_code)
    except ValueError:
        token = None  # a chained exception would show the secret in a traceback
    return token if isinstance(token, str) else ""
