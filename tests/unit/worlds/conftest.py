"""The same calls for the fakes and for moto: where both know a rule, they must agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

type Refused = Callable[[Callable[[], object]], str]


@pytest.fixture
def refused() -> Refused:
    """Return the error code with which a call is refused."""

    def code(call: Callable[[], object]) -> str:
        with pytest.raises(ClientError) as raised:
            call()
        return raised.value.response["Error"]["Code"]

    return code
