"""What `mtl affinity` is asked to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mtl_cli.config.fields import not_negative, positive
from mtl_cli.config.schema import FabricSection, SourceName, TrainConfig
from mtl_cli.errors import Fault


@dataclass(frozen=True, kw_only=True)
class MeasureSection:
    """How tasks are measured for `mtl affinity`."""

    kind: Literal["both", "tag", "cosine"]
    every: int
    look_ahead: float
    params: int | str

    def faults(self) -> Iterator[Fault]:
        """Positive counts and rates."""
        yield from positive(self, "every", "look_ahead")
        if isinstance(self.params, int):
            yield from positive(self, "params")


def _proposal_faults(config: object) -> Iterator[Fault]:
    yield from positive(config, "k")
    yield from not_negative(config, "branch_at")
    measure, fabric = getattr(config, "measure", None), getattr(config, "fabric", None)
    if measure and fabric and measure.kind != "cosine" and fabric.precision != "32-true":
        small = f"'{fabric.precision}' may be too coarse for the small step of a look ahead"
        yield Fault("fabric.precision", f"{small}. Use 32-true, or measure.kind=cosine.")


@dataclass(frozen=True, kw_only=True)
class AffinityConfig(TrainConfig):
    """`mtl affinity` by a short run of its own."""

    measure: MeasureSection
    k: int
    branch_at: int

    def faults(self) -> Iterator[Fault]:
        """As in training; several tasks, and one run."""
        yield from super().faults()
        if len(self.tasks) == 1:
            only = next(iter(self.tasks))
            yield Fault("tasks", f"'{only}' is the only task: there is nothing to put together. Give task=[{only},...]")
        if self.seeds is not None:
            yield Fault("seeds", "a measurement is one run: give seed=N")
        if self.baselines:
            yield Fault(
                "baselines", "a measurement has none. Compare the groups: mtl train sharing=affinity baselines=true"
            )
        yield from _proposal_faults(self)
        if 1 < len(self.tasks) < self.k:
            yield Fault("k", f"{len(self.tasks)} tasks make at most {len(self.tasks)} groups; found {self.k}")
        for name in ("every", "params"):
            own, said = getattr(self.measure, name), getattr(self.diagnostics, name)
            if own != said:
                yield Fault(f"diagnostics.{name}", f"{said} differs from measure.{name}={own}: give the latter alone")


@dataclass(frozen=True, kw_only=True)
class StoredDataSection:
    """Where a run's rows come from now; what is null is as in the run."""

    source: SourceName | None
    root: str | None
    cache: str | None
    hub_timeout: float | None

    def faults(self) -> Iterator[Fault]:
        """As in training."""
        yield from positive(self, "hub_timeout")


@dataclass(frozen=True, kw_only=True)
class AffinityRunConfig:
    """`mtl affinity run=RUN`."""

    run: str
    trust: bool
    source: Literal["checkpoint", "metrics"]
    checkpoint: str
    steps: int
    name: str | None
    measure: MeasureSection
    k: int
    branch_at: int
    data: StoredDataSection
    batch_size: int | None
    seed: int
    fabric: FabricSection

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from positive(self, "steps", "batch_size")
        yield from not_negative(self, "seed")
        yield from _proposal_faults(self)
        if self.name is not None and ("/" in self.name or self.name.startswith(".") or not self.name):
            yield Fault("name", f"must be one folder name; found '{self.name}'")
