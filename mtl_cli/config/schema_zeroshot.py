"""What `mtl zeroshot` and `mtl doctor` are asked to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mtl_cli.config.convert import Node
from mtl_cli.config.fields import delimiter_faults, fractions, length_faults, not_negative, positive
from mtl_cli.config.schema import FabricSection, RunSection, SourceName, TaskConfig
from mtl_cli.errors import Fault
from mtl_cli.expression import Expression


@dataclass(frozen=True, kw_only=True)
class InputSection:
    """The texts of `mtl zeroshot`."""

    texts: list[str]
    file: str | None
    text_column: str
    label_column: str | None
    label_values: Literal["names", "ids"] | None
    label_ids: list[bool | str] | None
    label_missing: str | None
    labels_column: str | None
    delimiter: str | None
    quoting: Literal["auto", "csv", "none"]

    def faults(self) -> Iterator[Fault]:
        """A delimiter is one character."""
        yield from delimiter_faults(self)


@dataclass(frozen=True, kw_only=True)
class CalibrateSection:
    """Temperature of `mtl zeroshot`, and what it and the prior are found on."""

    temperature: float
    fit: int
    sample: int

    def faults(self) -> Iterator[Fault]:
        """Positive; the temperature is given or fitted."""
        yield from positive(self, "temperature", "sample")
        yield from not_negative(self, "fit")
        if self.fit and self.temperature != 1:
            yield Fault("temperature", "is given and fitted too: set calibrate.temperature or calibrate.fit")


@dataclass(frozen=True, kw_only=True)
class DecideSection:
    """How the probabilities of `mtl zeroshot` become answers."""

    multi_label: bool
    threshold: float | dict[str, float]
    abstain: float | None
    target_precision: float | None
    hold: int
    confidence: float
    curve: str | None

    def faults(self) -> Iterator[Fault]:
        """Probabilities; abstaining is for one label a text, and has one threshold."""
        yield from fractions(self, "abstain", "target_precision", "confidence")
        yield from positive(self, "hold")
        own = self.threshold if isinstance(self.threshold, dict) else {"": self.threshold}
        for name, value in own.items():
            if not 0 < value < 1:
                yield Fault(f"threshold.{name}".rstrip("."), f"must lie between 0 and 1; found {value:g}")
        if self.abstain is not None and self.target_precision is not None:
            yield Fault(
                "abstain", "a threshold is given and asked for too: set decide.abstain or decide.target_precision"
            )
        for name in ("abstain", "target_precision", "curve"):
            if self.multi_label and getattr(self, name) is not None:
                yield Fault(
                    name,
                    "is for one label a text. With decide.multi_label=true a text may get no label: see decide.threshold",
                )


@dataclass(frozen=True, kw_only=True)
class OutSection(RunSection):
    """The run folder of `mtl zeroshot`."""

    folder: Literal["auto", "always", "never"]

    def faults(self) -> Iterator[Fault]:
        """A name asks for a folder."""
        yield from super().faults()
        if self.folder == "never" and self.name is not None:
            yield Fault("folder", "is 'never', and out.name asks for one")


@dataclass(frozen=True, kw_only=True)
class ZeroshotDataSection:
    """Where the rows of the task of `mtl zeroshot` come from."""

    source: SourceName
    root: str | None
    hub_timeout: float

    def faults(self) -> Iterator[Fault]:
        """As in training."""
        yield from positive(self, "hub_timeout")


@dataclass(frozen=True, kw_only=True)
class ZeroshotConfig:
    """`mtl zeroshot`."""

    tasks: dict[str, TaskConfig]
    weights: dict[str, float | Expression]
    """What task files bring; it has no meaning here."""
    split: Literal["train", "validation", "test"]
    limit: int | None
    data: ZeroshotDataSection

    labels: dict[str, Any] | list[str] | None
    templates: list[str]
    run: str | None
    trust: bool
    checkpoint: str
    backbone: Node
    method: Node
    verbalizer: Node
    words_file: str | None
    prior: Node
    input: InputSection
    calibrate: CalibrateSection
    decide: DecideSection
    out: OutSection
    max_length: int
    batch_tokens: int
    cache: bool
    explain: bool
    bootstrap: int
    seed: int
    format: Literal["auto", "table", "jsonl"]
    fabric: FabricSection

    @property
    def keeps_folder(self) -> bool:
        """Whether the answers go into a run folder."""
        can_be_read_again = bool(self.tasks) or self.input.file not in (None, "-")
        return (
            self.out.name is not None
            or self.out.folder == "always"
            or (self.out.folder == "auto" and can_be_read_again)
        )

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from positive(self, "limit")
        if len(self.tasks) > 1:
            yield Fault("task", f"one data set is asked at a time; found {', '.join(self.tasks)}")
        if self.tasks and (self.input.texts or self.input.file is not None):
            yield Fault("task", "names a data set, and there are texts too: give --file or --text, or a task")
        yield from positive(self, "batch_tokens")
        yield from length_faults(self)
        yield from not_negative(self, "bootstrap", "seed")
        asked = {
            "prior": self.prior.name != "none",
            "verbalizer": self.verbalizer.name != "none",
            "words_file": self.words_file is not None,
            "calibrate.fit": self.calibrate.fit,
            "decide.target_precision": self.decide.target_precision,
        }
        for key in [key for key, value in asked.items() if value and self.input.labels_column]:
            yield Fault(key, "needs one label set for all texts; input.labels_column gives each text its own")


@dataclass(frozen=True, kw_only=True)
class DoctorSection:
    """What `mtl doctor` looks at, and from where on it says something."""

    sample: int
    similar: float
    margin: float
    share: float
    tokens: int
    sense: float
    shown: int
    suggest: str | None

    def faults(self) -> Iterator[Fault]:
        """Positive counts, shares between 0 and 1."""
        yield from positive(self, "sample", "tokens", "shown")
        yield from fractions(self, "similar", "margin", "share", "sense")


@dataclass(frozen=True, kw_only=True)
class DoctorConfig(ZeroshotConfig):
    """`mtl doctor`."""

    doctor: DoctorSection
