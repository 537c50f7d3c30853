"""The commands of the command line that people are told to use."""

from __future__ import annotations

DEFAULT_STACK = "bulk-profiles"  # the stack of a command without --stack


def command(stack: str, *words: str) -> str:
    """Return a command as it can be copied, such as `bulk-profiles show crm-1 --stack crm`.

    `stack`: the stack's name, empty where it is not known, as of an import of an earlier release.
    """
    named = [] if stack in {"", DEFAULT_STACK} else ["--stack", stack]
    return " ".join(["bulk-profiles", *words, *named])
