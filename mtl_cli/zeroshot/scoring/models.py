"""What engines are built from. Legend: B rows, C classes."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lightning_fabric import Fabric
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from mtl_cli.data.text import TextInputs
from mtl_cli.zeroshot.decide.priors.base import Prior
from mtl_cli.zeroshot.scoring.cache import Cache
from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.method import Method

Layout = Literal["joint", "packed"]
"""How the two texts of a pair see each other. Joint: each sees both. Packed: the first sees itself alone, the second both."""


@dataclass(frozen=True)
class Classifier:
    """A model that sorts texts, or pairs of them, into classes; in evaluation mode and on its device."""

    forward: Callable[[TextInputs], Tensor]
    """Logits, shape [B, C]; of packed rows those of each hypothesis, shape [B, S, C]."""
    tokenizer: PreTrainedTokenizerFast
    classes: tuple[str, ...]
    """Names in the order of the logits."""
    limit: int | None
    """Longest input in tokens; None if there is no limit."""
    identity: str
    """Where it came from, for records."""
    digest: Callable[[], str]
    """Makes a digest of its weights, for the cache."""
    layout: Layout = "joint"
    """How text and hypothesis are put together."""


@dataclass(frozen=True)
class Head:
    """A head of the run that was asked for."""

    task: str
    """Its name: that of the task, unless several tasks share it."""
    classes: tuple[str, ...]
    """Names of the classes; none for a head that gives a number."""
    pairs: bool
    """Whether its rows are pairs of texts."""
    layout: Layout = "joint"
    """How text and hypothesis were put together in training."""
    tasks: tuple[str, ...] = ()
    """Tasks that trained it, where they are several or not of its name."""

    @property
    def entails(self) -> bool:
        """Whether it tells entailment in pairs of texts, by the names of its classes."""
        return self.pairs and any(name.strip().lower().startswith("entail") for name in self.classes)


@dataclass(frozen=True)
class Member:
    """Another engine for the same question."""

    name: str
    method: Method
    prior: Prior
    """What its logits usually need."""
    templates: tuple[str, ...]


@dataclass(frozen=True)
class StandsFor:
    """The engine that another name means."""

    choices: Mapping[str, str]
    """Group -> the option to choose of it."""
    values: Mapping[str, str]
    """Dotted key -> value."""
    why: str
    """A line for the user."""


class StandIn(ABC):
    """A name that is no engine but means one. A builder gets the `Models` of the question before its options."""

    @abstractmethod
    def means(self) -> StandsFor:
        """The engine. Raises `ConfigError` if there is none."""


class Models(ABC):
    """What the question offers an engine; nothing is loaded before an engine asks for it."""

    fabric: Fabric
    max_length: int
    """Tokens a text at most."""
    batch_tokens: int
    """Padded tokens a forward pass."""
    several: bool
    """Whether each label is a question by itself: yes or no."""
    templates: tuple[str, ...]
    """What labels are put into."""
    cache: Cache | None
    """Remembers scores; None: nothing is remembered."""
    offline: Path
    """Folder of what `mtl offline add` has brought."""

    @abstractmethod
    def encoder(self) -> TextEncoder:
        """The encoder of the run, or the backbone. Raises `ConfigError` if it cannot be had."""

    @abstractmethod
    def member(self, overrides: Sequence[str]) -> Member:
        """An engine built from the same question with other overrides. Raises `ConfigError` as the question itself."""

    @abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """Heads of the run; none if no run was named."""

    @abstractmethod
    def head(self, task: str) -> Classifier:
        """The run's model with the head of one task."""


def weights_digest(model: nn.Module) -> str:
    """Digest of a model's weights: a tenth of a second for a hundred million of them, by a sample of each tensor and its shape."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        flat = tensor.detach().reshape(-1)
        step = max(1, flat.numel() // 4096)
        digest.update(
            f"{name} {tuple(tensor.shape)} {float(flat.double().sum()) if flat.is_floating_point() else ''}".encode()
        )
        digest.update(flat[::step].float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
