"""Labels as they are."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.scoring.method import Drawn
from mtl_cli.zeroshot.scoring.models import Models
from mtl_cli.zeroshot.verbalizers.base import Expansion, Verbalizer


class NoVerbalizer(Verbalizer):
    """Every label keeps the words that the user gave it."""

    def __init__(self, models: Models) -> None:
        pass

    def expand(self, labels: Sequence[Label], drawn: Drawn) -> tuple[Expansion, ...]:  # noqa: ARG002
        """Nothing."""
        return tuple(Expansion(label.name) for label in labels)
