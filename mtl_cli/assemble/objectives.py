"""What is minimised for each task, once the encoder is known."""

from __future__ import annotations

from collections.abc import Mapping

from mtl_cli.assemble.tasks import BoundTask
from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.objectives.base import Objective, Vocabulary
from mtl_cli.tasks.kinds.base import Kind


def vocabulary_of(backbone: Backbone) -> Vocabulary:
    """What objectives may know of an encoder's tokens."""
    tokenizer = backbone.tokenizer
    return Vocabulary(backbone.vocabulary, tokenizer.mask_token_id, tuple(tokenizer.all_special_ids))


def build_objective(task: BoundTask, kind: Kind, vocabulary: Vocabulary) -> Objective:
    """The objective of a task.

    Raises:
        ConfigError: it cannot work with this kind or encoder.
    """
    try:
        objective: Objective = task.objective.build(kind, vocabulary)
        _ = objective.head
    except ValueError as error:
        raise ConfigError([Fault(f"tasks.{task.task.name}.objective", str(error))]) from error
    return objective


def build_objectives(
    tasks: Mapping[str, BoundTask], kinds: Mapping[str, Kind], backbone: Backbone
) -> dict[str, Objective]:
    """The objective of each task.

    Args:
        tasks: at least those of `kinds`.
        kinds: fitted, by task.
        backbone: whose tokens the rows are.

    Raises:
        ConfigError: one cannot work with this encoder; names all.
    """
    vocabulary = vocabulary_of(backbone)
    found: dict[str, Objective] = {}
    faults: list[Fault] = []
    for name, kind in kinds.items():
        try:
            found[name] = build_objective(tasks[name], kind, vocabulary)
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return found
