"""What a verbalizer provides: more words for labels, and what they mean, with the reasons. Legend: L labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from mtl_cli.zeroshot.labels.label_set import Label
from mtl_cli.zeroshot.scoring.method import Drawn


@dataclass(frozen=True)
class Candidate:
    """A word that may stand for a label."""

    text: str
    weight: float
    """How much it counts beside the label's own word, which counts 1."""
    reason: str
    """Where it comes from."""


@dataclass(frozen=True)
class Dropped:
    """A word that was found and does not count."""

    text: str
    reason: str


@dataclass(frozen=True)
class Expansion:
    """What was found for one label."""

    label: str
    """Its name."""
    kept: tuple[Candidate, ...] = ()
    """Words beside the label's own."""
    dropped: tuple[Dropped, ...] = ()
    description: str | None = None
    """What the label means, for one that the user gave no description."""
    told: str = ""
    """What was looked up and why it was read so, or why nothing was; empty if there is nothing to say."""


class Verbalizer(ABC):
    """Finds words for labels.

    A builder gets the `Models` of the question before its options, and asks nothing of them before `expand`.
    """

    @property
    def needs_sample(self) -> bool:
        """Whether `expand` looks at texts."""
        return False

    @abstractmethod
    def expand(self, labels: Sequence[Label], drawn: Drawn) -> tuple[Expansion, ...]:
        """Words for each of the labels, in their order.

        A label that the user gave words beside its own keeps those alone. What is found depends on the texts as a set.

        Args:
            labels: as the user said them.
            drawn: texts without labels that stand for all; none if `needs_sample` is false.

        Raises:
            ConfigError: the source is not there.
            DataError: it is damaged.
        """
