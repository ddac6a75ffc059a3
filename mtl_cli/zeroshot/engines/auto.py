"""The engine that fits a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.ability import Ability, Does, ability
from mtl_cli.zeroshot.scoring.models import Models, StandIn, StandsFor

_ENGINES: Mapping[Does, Callable[[str, Ability], StandsFor]] = {
    "similarity": lambda path, found: StandsFor(
        {"method": "embed", "backbone": "hf"},
        {"backbone.path": path, "backbone.pooling": found.pooling},
        f"embed: {found.why}",
    ),
    "entailment": lambda path, found: StandsFor({"method": "nli"}, {"method.path": path}, f"nli: {found.why}"),
    "causal": lambda path, found: StandsFor({"method": "causal"}, {"method.path": path}, f"causal: {found.why}"),
    "masked": lambda path, found: StandsFor({"method": "cloze"}, {"method.path": path}, f"cloze: {found.why}"),
}


class Auto(StandIn):
    """Looks at what the run or the model can do.

    A run with one head for packed entailment is asked by it, any other run by its encoder. A model of others is asked in the way
    that it was trained for, as its config says. With neither, the backbone is asked for similarity.

    Args:
        models: the question.
        path: a model, as a folder or an id on the hub.

    Raises:
        ConfigError: the model cannot be found, or is of no known kind.
    """

    def __init__(self, models: Models, *, path: str | None) -> None:
        self._models, self._path = models, path

    def means(self) -> StandsFor:
        """The engine, and why it is this one."""
        if self._path is not None:
            if self._models.heads():
                raise ConfigError([Fault("method.path", "names a model, and run another: give one of them")])
            found = ability(self._path, "method.path")
            return _ENGINES[found.does](self._path, found)
        telling = [head for head in self._models.heads() if head.entails]
        packed = [head for head in telling if head.layout == "packed"]
        if len(packed) == 1:
            why = f"nli: head '{packed[0].task}' of the run tells entailment, and reads text and labels apart"
            return StandsFor({"method": "nli"}, {"method.task": packed[0].task}, why)
        others = f"; method=nli asks {' or '.join(head.task for head in telling)}" if telling else ""
        whose = "the run's encoder" if self._models.heads() else "the backbone"
        return StandsFor({"method": "embed"}, {}, f"embed: {whose} compares texts and labels{others}")
