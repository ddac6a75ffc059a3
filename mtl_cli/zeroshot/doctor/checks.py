"""All checks, in the order of the report."""

from __future__ import annotations

from mtl_cli.zeroshot.doctor.base import Check, Evidence, Finding
from mtl_cli.zeroshot.doctor.lengths import many_tokens, no_tokens, uneven_tokens
from mtl_cli.zeroshot.doctor.senses import abbreviations, several_senses, unusual_senses
from mtl_cli.zeroshot.doctor.separation import first_places, inseparable
from mtl_cli.zeroshot.doctor.twins import near_duplicates, same_words
from mtl_cli.zeroshot.doctor.wording import joined, negations, opaque, templates

CHECKS: tuple[Check, ...] = (
    same_words, no_tokens, opaque, abbreviations, near_duplicates, negations, joined, templates, many_tokens, uneven_tokens,
    inseparable, first_places, several_senses, unusual_senses,
)  # fmt: skip
"""One function each."""
_ORDER = ("problem", "warning", "note")


def examined(evidence: Evidence) -> list[Finding]:
    """What all checks have found, the worst first."""
    found = [finding for check in CHECKS for finding in check(evidence)]
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))
