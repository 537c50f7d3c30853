"""The documents made from the code are those in the folder."""

from __future__ import annotations

import json
from pathlib import Path

from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.core.names import PASSED_OVER_SUFFIXES
from bulk_profiles.splitting.rows.faults import Reject, Warn
from docs.generate import _EXAMPLE, client_schema, command_line, cost, feed_schema, file_format

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_up_to_date() -> None:
    assert (DOCS / "file-format.md").read_text(encoding="utf-8") == file_format()


def test_the_page_of_costs_is_up_to_date() -> None:
    assert (DOCS / "cost.md").read_text(encoding="utf-8") == cost()


def test_the_page_of_commands_is_up_to_date() -> None:
    assert (DOCS / "command-line.md").read_text(encoding="utf-8") == command_line()


def test_the_schema_is_up_to_date() -> None:
    assert json.loads((DOCS / "feed.schema.json").read_text(encoding="utf-8")) == feed_schema()


def test_the_schema_of_client_codes_is_up_to_date() -> None:
    assert json.loads((DOCS / "client.schema.json").read_text(encoding="utf-8")) == client_schema()


def test_every_code_has_a_sentence_of_help() -> None:
    for code in (*Reject, *Warn):
        assert code.help.endswith(".")
        assert f"| `{code}` | {code.help} |" in file_format()


def test_every_suffix_that_is_passed_over_is_on_the_page() -> None:
    assert all(f"`{suffix}`" in file_format() for suffix in PASSED_OVER_SUFFIXES)


def test_the_example_is_a_feed() -> None:
    assert Feed.from_json(_EXAMPLE).client_code == "demo"


def test_the_schema_names_all_that_a_feed_has() -> None:
    feed = Feed.from_json({**_EXAMPLE, "quoting": "none", "shortRows": "fill"})
    fields = feed_schema()["properties"]
    assert set(feed.to_json()) == set(fields)
    mapping = Mapping("k", {"a": "b"}, ("c",), ("d",), {"e": "f"}, {"g": "h"}, "i")
    assert set(mapping.to_json()) == set(fields["mapping"]["properties"])
