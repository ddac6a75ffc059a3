"""The open families: name -> "module:object", so that listing and checking names imports nothing heavy.

To add a member: write its file, add its line here and its YAML under `configs/<family>/`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from mtl_cli.errors import Fault

FAMILIES: Mapping[str, Mapping[str, str]] = {
    "kind": {
        "classification": "mtl_cli.tasks.kinds.classification:Classification",
        "regression": "mtl_cli.tasks.kinds.regression:Regression",
    },
    "backbone": {
        "pretrained": "mtl_cli.model.backbone.pretrained:pretrained",
        "tiny": "mtl_cli.model.backbone.tiny:tiny",
    },
    "sharing": {
        "hard": "mtl_cli.model.sharing.hard:HardSharing",
    },
    "weighting": {
        "static": "mtl_cli.weighting.static:Static",
    },
    "sampler": {
        "proportional": "mtl_cli.data.sampler.proportional:Proportional",
        "uniform": "mtl_cli.data.sampler.uniform:Uniform",
        "temperature": "mtl_cli.data.sampler.temperature:Temperature",
        "explicit": "mtl_cli.data.sampler.explicit:Explicit",
        "round_robin": "mtl_cli.data.sampler.round_robin:RoundRobin",
        "all_tasks": "mtl_cli.data.sampler.all_tasks:AllTasks",
    },
    "schedule": {
        "constant": "mtl_cli.optim.schedule:Constant",
        "linear": "mtl_cli.optim.schedule:Linear",
        "cosine": "mtl_cli.optim.schedule:Cosine",
        "polynomial": "mtl_cli.optim.schedule:Polynomial",
        "inverse_sqrt": "mtl_cli.optim.schedule:InverseSqrt",
    },
    "metric": {
        "accuracy": "mtl_cli.metrics.classification:Accuracy",
        "f1": "mtl_cli.metrics.classification:BinaryF1",
        "macro_f1": "mtl_cli.metrics.classification:MacroF1",
        "matthews": "mtl_cli.metrics.classification:Matthews",
        "pearson": "mtl_cli.metrics.regression:Pearson",
        "spearman": "mtl_cli.metrics.regression:Spearman",
        "rmse": "mtl_cli.metrics.regression:RootMeanSquaredError",
        "mae": "mtl_cli.metrics.regression:MeanAbsoluteError",
    },
    "method": {
        "embedding": "mtl_cli.zeroshot.embedding:EmbeddingMethod",
    },
}


def resolve(family: str, name: str) -> Callable[..., Any]:
    """Import and return the builder registered under a name. Raises `KeyError` for an unknown name."""
    module, _, attribute = FAMILIES[family][name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def resolve_target(target: str, faults: list[Fault], key: str) -> Callable[..., Any] | None:
    """Import the user's own builder from `_target_: package.module.object`; a fault if that fails."""
    module, _, attribute = target.rpartition(".")
    try:
        builder = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:  # the last two: a relative name, as `.x`
        faults.append(Fault(f"{key}._target_", f"cannot import '{target}': {error}"))
        return None
    if not callable(builder):
        faults.append(Fault(f"{key}._target_", f"'{target}' cannot be called"))
        return None
    return builder
