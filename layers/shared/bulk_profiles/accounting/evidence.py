"""The evidence for what became of profiles, in words."""

from __future__ import annotations

from collections.abc import Mapping

from bulk_profiles.core.models import SUCCESS_BASES, Basis

EVIDENCE = {
    Basis.REPORTED: "named by Target",
    Basis.IMPLIED: "implied by a complete batch",
    Basis.ISOLATED: "counted by Target in a part of the batch",
    Basis.COUNTS: "Target counted failures without names",
    Basis.DEADLINE: "Target had not finished at the deadline",
    Basis.BATCH: "as the whole batch",
}


def by_word(evidence: Mapping[Basis, int]) -> str:
    """Return by whose word profiles are successes: `2 named by Target, 3 implied by a complete batch`."""
    counts = ((evidence.get(basis, 0), EVIDENCE[basis]) for basis in SUCCESS_BASES)
    return ", ".join(f"{count:,} {phrase}" for count, phrase in counts if count)
