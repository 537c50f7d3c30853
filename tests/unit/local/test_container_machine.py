"""`make test-container` says at once why it cannot run on a machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from local.errors import LocalRunError
from tests.container import stand_in


@pytest.mark.parametrize(
    ("user", "release", "namespaces", "reason"),
    [
        (0, "ID=debian", ("true",), ""),
        (1000, "ID=debian", ("true",), "needs root"),
        (0, "ID=ubuntu\nID_LIKE=debian", ("true",), "Debian system"),
        (0, "", ("true",), "Debian system"),
        (0, "ID=debian", ("false",), "--privileged"),
    ],
)
def test_machine_without_what_a_docker_engine_needs_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    release: str,
    namespaces: tuple[str, ...],
    reason: str,
) -> None:
    file = tmp_path / "os-release"
    if release:
        file.write_text(f'NAME="Some Linux"\n{release}\n')
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(stand_in, "_OS_RELEASE", file)
    monkeypatch.setattr(stand_in, "NAMESPACES", namespaces)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/unshare")
    with pytest.raises(LocalRunError, match=reason) if reason else contextlib.nullcontext():
        stand_in.check_machine()
