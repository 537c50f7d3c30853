"""The commands that people are told to use can be copied as they are."""

from __future__ import annotations

import pytest

from bulk_profiles.core.command_line import command


@pytest.mark.parametrize(
    ("stack", "copied"),
    [
        ("crm", "bulk-profiles show crm-1 --stack crm"),
        ("bulk-profiles", "bulk-profiles show crm-1"),
        ("", "bulk-profiles show crm-1"),
    ],
)
def test_command_names_the_stack_unless_it_is_the_default(stack: str, copied: str) -> None:
    assert command(stack, "show", "crm-1") == copied
