"""What `mtl check` is asked to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mtl_cli.config.fields import positive
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import Fault


@dataclass(frozen=True, kw_only=True)
class CheckConfig(TrainConfig):
    """`mtl check`: a training config, and perhaps one of its steps."""

    step: int | None
    """Counted from 1, as messages and records count; None: no step is looked into."""

    def faults(self) -> Iterator[Fault]:
        """Those of training; a step is counted from 1."""
        yield from super().faults()
        yield from positive(self, "step")
