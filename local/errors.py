"""What can keep a local run from happening."""

from __future__ import annotations


class LocalRunError(Exception):
    """The run could not take place; one sentence for the person who started it."""
