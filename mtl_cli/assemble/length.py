"""How long a run is, from its config and its rows."""

from __future__ import annotations

import math

from mtl_cli.config.schema import TrainConfig
from mtl_cli.data.sampler.base import Length


def run_length(config: TrainConfig, rows: int) -> Length:
    """Steps of a run over so many training rows, all tasks together, if nothing stops it early."""
    epoch = math.ceil(rows / config.batch.size)
    return Length(config.train.steps or max(1, round((config.train.epochs or 0) * epoch)), epoch)


def evaluated_every(config: TrainConfig, length: Length) -> int:
    """Steps between evaluations; as many as the run has where there is one at the end alone."""
    return int({"epoch": length.epoch_steps, "end": length.steps}.get(str(config.eval.every), config.eval.every))
