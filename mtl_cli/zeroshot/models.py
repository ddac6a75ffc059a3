"""What engines are built from. Legend: B rows, C classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from lightning_fabric import Fabric
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from mtl_cli.data.batch import Batch
from mtl_cli.zeroshot.encoder import TextEncoder


@dataclass(frozen=True)
class Classifier:
    """A model that sorts texts, or pairs of them, into classes; in evaluation mode and on its device."""

    forward: Callable[[Batch], Tensor]
    """Logits, shape [B, C]."""
    tokenizer: PreTrainedTokenizerFast
    classes: tuple[str, ...]
    """Names in the order of the logits."""
    limit: int | None
    """Longest input in tokens; None if there is no limit."""
    identity: str
    """Where it came from, for records."""


@dataclass(frozen=True)
class Head:
    """A head of the run that was asked for."""

    task: str
    classes: tuple[str, ...]
    """Names of the classes; none for a head that gives a number."""
    pairs: bool
    """Whether its rows are pairs of texts."""


class Models(ABC):
    """What the question offers an engine; nothing is loaded before an engine asks for it."""

    fabric: Fabric
    max_length: int
    """Tokens a text at most."""
    batch_tokens: int
    """Padded tokens a forward pass."""
    several: bool
    """Whether each label is a question by itself: yes or no."""

    @abstractmethod
    def encoder(self) -> TextEncoder:
        """The encoder of the run, or the backbone. Raises `ConfigError` if it cannot be had."""

    @abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """Heads of the run; none if no run was named."""

    @abstractmethod
    def head(self, task: str) -> Classifier:
        """The run's model with the head of one task."""
