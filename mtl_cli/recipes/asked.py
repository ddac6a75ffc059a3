"""What a training run is asked to be; imports nothing heavy, so that a sweep can be checked before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_cli.config.schema import TrainConfig


@dataclass(frozen=True)
class Asked:
    """A training run as the user asked for it."""

    config: TrainConfig
    values: Mapping[str, Any]
    """The composed config in plain values, for the run folder."""
    overrides: Sequence[str]
    what: str
    """What was picked as task, for the default name."""
