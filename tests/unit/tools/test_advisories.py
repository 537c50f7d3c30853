"""The results of pip-audit, and that no result does not count as a clean one."""

from __future__ import annotations

import json

import pytest

from tools.advisories import AuditResult, parse

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}
VULNERABLE = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}


def test_parse_counts_audited_packages() -> None:
    assert parse(json.dumps({"dependencies": [SOUND, SOUND]}), pinned=2) == AuditResult(0, 2)


def test_parse_counts_packages_without_advisories() -> None:
    assert parse(json.dumps({"dependencies": [SOUND, UNKNOWN]}), pinned=2) == AuditResult(1, 2)


def test_parse_names_each_vulnerability() -> None:
    result = parse(json.dumps({"dependencies": [SOUND, VULNERABLE]}), pinned=2)
    assert result == AuditResult(0, 2, ("bad 2.0: PYSEC-1, fixed in ['2.1']",))


@pytest.mark.parametrize("answer", ["", "ERROR: no connection", "[]", "{}", "null"])
def test_parse_without_an_answer_audits_nothing(answer: str) -> None:
    assert parse(answer, pinned=7) == AuditResult(7, 7)
