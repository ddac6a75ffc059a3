"""What a run writes before its first step, and what must still hold when it is resumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from mtl_cli.assemble.built import Built
from mtl_cli.assemble.data_facts import SetFacts, describe_data
from mtl_cli.assemble.fabric import precision_of
from mtl_cli.errors import ConfigError
from mtl_cli.recipes.asked import Asked
from mtl_cli.runs.files import explained, write_json
from mtl_cli.runs.folder import begin
from mtl_cli.runs.formats import read_environment
from mtl_cli.runs.place import Place
from mtl_cli.runs.provenance import environment


def begin_run(place: Place, asked: Asked, built: Built, facts: Sequence[SetFacts]) -> None:
    """Mark a folder as a run; nothing has been trained before this.

    Args:
        place: the folder.
        asked: the run.
        built: its model, on its device.
        facts: about its rows.
    """
    place.check()
    with explained(place.path):
        write_json(
            place.path / "env.json",
            {
                **environment(),
                "seed": asked.config.seed,
                "device": str(built.fabric.device),
                "precision": precision_of(built.fabric),
                "processes": built.fabric.world_size,
                "threads": torch.get_num_threads(),
                "backbone": built.opened.backbone.identity,
                "config_dirs": list(asked.config_dirs),
                "data": describe_data(facts),
            },
        )
    place.check()
    begin(place.path, asked.values, asked.overrides)


def check_same_data(path: Path, facts: Sequence[SetFacts]) -> None:
    """Raise `ConfigError` if a resumed run would meet other rows than it was started with."""
    old = {key: record.fingerprint for key, record in read_environment(path).data.items()}
    changed = [one.name for one in facts if old.get(one.name) != one.fingerprint]
    if changed:
        raise ConfigError(
            f"cannot resume {path}: the rows of {', '.join(changed)} are not those that it was started with."
        )
