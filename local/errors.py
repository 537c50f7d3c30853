"""The error of a local run."""

from __future__ import annotations


class LocalRunError(Exception):
    """The run could not take place. The message is one sentence for the person who started it."""
