"""What `mtl transfer` is asked to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mtl_cli.config.fields import is_name, not_negative, positive
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import Fault, did_you_mean


@dataclass(frozen=True, kw_only=True)
class AskSection:
    """What is asked of the runs of `mtl transfer`."""

    split: Literal["train", "validation", "test"]
    limit: int | None
    templates: list[str]
    bootstrap: int

    def faults(self) -> Iterator[Fault]:
        """Positive counts."""
        yield from positive(self, "limit")
        yield from not_negative(self, "bootstrap")


@dataclass(frozen=True, kw_only=True)
class TransferConfig(TrainConfig):
    """`mtl transfer`."""

    families: dict[str, list[str]]
    leave_out: list[str] | None
    whole: bool
    ask: AskSection

    @property
    def left_out(self) -> dict[str, list[str]]:
        """The families that are left out in turn."""
        return {
            name: tasks for name, tasks in self.families.items() if self.leave_out is None or name in self.leave_out
        }

    def faults(self) -> Iterator[Fault]:
        """As in training; each family is of the config's label matching tasks, and something is left without it."""
        yield from super().faults()
        if not self.left_out:
            yield Fault("families", "names no family: there is nothing to leave out")
        for family in self.leave_out or ():
            if family not in self.families:
                yield Fault("leave_out", f"there is no family '{family}'. {did_you_mean(family, self.families)}")
        yield from self._family_faults()
        if self.families and not set(self.tasks) - {name for names in self.families.values() for name in names}:
            yield Fault("families", "hold every task: a task outside them, such as snli, must be left to compare with")
        if self.seeds is not None or self.baselines:
            yield Fault("seeds", "and baselines are for mtl train: give seed=N")

    def _family_faults(self) -> Iterator[Fault]:
        held = {name for names in self.families.values() for name in names}
        core_heads = {task.head or name for name, task in self.tasks.items() if name not in held}
        for family, names in self.left_out.items():
            if not is_name(family):
                yield Fault(f"families.{family}", "may hold letters, digits, '_' and '-' in its name")
            for name in names:
                task = self.tasks.get(name)
                if task is None:
                    yield Fault(f"families.{family}", f"there is no task '{name}'. {did_you_mean(name, self.tasks)}")
                elif task.matching is None:
                    yield Fault(
                        f"families.{family}", f"'{name}' is no label matching task, so it has no labels to ask for"
                    )
                elif core_heads and (task.head or name) not in core_heads:
                    lacks = f"'{name}' is asked of the head '{task.head or name}', which no task outside the families trains"
                    yield Fault(f"families.{family}", f"{lacks}: there is {', '.join(sorted(core_heads))}")
