"""The open families: name -> "module:object", so that listing and checking names imports nothing heavy.

To add a member: write its file, add its line here and its YAML under `configs/<family>/`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mtl_cli.errors import Fault

FAMILIES: Mapping[str, Mapping[str, str]] = {
    "input": {
        "text": "mtl_cli.tasks.inputs.text:TextInput",
        "packed": "mtl_cli.tasks.inputs.packed:PackedInput",
        "words": "mtl_cli.tasks.inputs.words:WordsInput",
    },
    "kind": {
        "classification": "mtl_cli.tasks.kinds.classification:Classification",
        "regression": "mtl_cli.tasks.kinds.regression:Regression",
        "tagging": "mtl_cli.tasks.kinds.tagging:Tagging",
        "unlabelled": "mtl_cli.tasks.kinds.unlabelled:Unlabelled",
    },
    "objective": {
        "supervised": "mtl_cli.objectives.supervised:Supervised",
        "mlm": "mtl_cli.objectives.mlm:MaskedLM",
    },
    "backbone": {
        "pretrained": "mtl_cli.model.backbone.pretrained:pretrained",
        "tiny": "mtl_cli.model.backbone.tiny:tiny",
    },
    "sharing": {
        "hard": "mtl_cli.model.sharing.hard:HardSharing",
        "groups": "mtl_cli.model.sharing.groups:GroupedSharing",
    },
    "weighting": {
        "static": "mtl_cli.weighting.static:Static",
        "mean": "mtl_cli.weighting.mean:Mean",
        "sum": "mtl_cli.weighting.sum:Sum",
        "uncertainty": "mtl_cli.weighting.uncertainty:Uncertainty",
        "imtl_l": "mtl_cli.weighting.imtl_l:IMTLLoss",
        "dwa": "mtl_cli.weighting.dwa:DWA",
        "rlw": "mtl_cli.weighting.rlw:RLW",
        "gls": "mtl_cli.weighting.gls:GLS",
        "si": "mtl_cli.weighting.scale_invariant:ScaleInvariant",
        "stch": "mtl_cli.weighting.stch:STCH",
        "famo": "mtl_cli.weighting.famo:FAMO",
        "cosmos": "mtl_cli.weighting.cosmos:COSMOS",
        "pbi": "mtl_cli.weighting.pbi:PBI",
        "dtp": "mtl_cli.weighting.dtp:DTP",
        "lbtw": "mtl_cli.weighting.lbtw:LBTW",
        "gradnorm": "mtl_cli.weighting.gradnorm:GradNorm",
        "auto_lambda": "mtl_cli.weighting.auto_lambda:AutoLambda",
        "upgrad": "mtl_cli.weighting.upgrad:UPGrad",
        "dualproj": "mtl_cli.weighting.dualproj:DualProj",
        "pcgrad": "mtl_cli.weighting.pcgrad:PCGrad",
        "mgda": "mtl_cli.weighting.mgda:MGDA",
        "cagrad": "mtl_cli.weighting.cagrad:CAGrad",
        "nash_mtl": "mtl_cli.weighting.nash_mtl:NashMTL",
        "aligned_mtl": "mtl_cli.weighting.aligned_mtl:AlignedMTL",
        "fairgrad": "mtl_cli.weighting.fairgrad:FairGrad",
        "imtl_g": "mtl_cli.weighting.imtl_g:IMTLG",
        "graddrop": "mtl_cli.weighting.graddrop:GradDrop",
        "gradvac": "mtl_cli.weighting.gradvac:GradVac",
        "config": "mtl_cli.weighting.config:ConFIG",
        "excess_mtl": "mtl_cli.weighting.excess_mtl:ExcessMTL",
        "modo": "mtl_cli.weighting.modo:MoDo",
        "sdmgrad": "mtl_cli.weighting.sdmgrad:SDMGrad",
        "pcd": "mtl_cli.weighting.pcd:PCD",
        "cr_mogm": "mtl_cli.weighting.cr_mogm:CRMOGM",
        "db_mtl": "mtl_cli.weighting.db_mtl:DBMTL",
        "moco": "mtl_cli.weighting.moco:MoCo",
    },
    "sampler": {
        "proportional": "mtl_cli.data.sampler.proportional:Proportional",
        "uniform": "mtl_cli.data.sampler.uniform:Uniform",
        "temperature": "mtl_cli.data.sampler.temperature:Temperature",
        "explicit": "mtl_cli.data.sampler.explicit:Explicit",
        "round_robin": "mtl_cli.data.sampler.round_robin:RoundRobin",
        "all_tasks": "mtl_cli.data.sampler.all_tasks:AllTasks",
        "smoothing": "mtl_cli.data.sampler.smoothing:Smoothing",
        "annealed": "mtl_cli.data.sampler.annealed:Annealed",
        "expression": "mtl_cli.data.sampler.expression:ExpressionSampler",
        "metric": "mtl_cli.data.sampler.metric:MetricDriven",
        "uncertainty": "mtl_cli.data.sampler.uncertainty:Uncertainty",
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
        "entity_f1": "mtl_cli.metrics.tagging:EntityF1",
        "tag_accuracy": "mtl_cli.metrics.tagging:TagAccuracy",
    },
    "launcher": {
        "inprocess": "mtl_cli.launch.inprocess:InProcess",
        "joblib": "mtl_cli.launch.joblib:JoblibLauncher",
        "submitit": "mtl_cli.launch.submitit:SubmititLauncher",
        "ray": "mtl_cli.launch.ray:RayLauncher",
    },
    "method": {
        "embed": "mtl_cli.zeroshot.engines.embed:embed",
        "nli": "mtl_cli.zeroshot.engines.nli:NliMethod",
        "causal": "mtl_cli.zeroshot.engines.causal:CausalMethod",
        "cloze": "mtl_cli.zeroshot.engines.cloze:ClozeMethod",
        "api": "mtl_cli.zeroshot.engines.api:api",
        "ensemble": "mtl_cli.zeroshot.engines.ensemble:EnsembleMethod",
        "auto": "mtl_cli.zeroshot.engines.auto:Auto",
    },
    "verbalizer": {
        "none": "mtl_cli.zeroshot.verbalizers.none:NoVerbalizer",
        "wordnet": "mtl_cli.zeroshot.verbalizers.wordnet:WordNetVerbalizer",
        "conceptnet": "mtl_cli.zeroshot.verbalizers.conceptnet:ConceptNetVerbalizer",
        "related": "mtl_cli.zeroshot.verbalizers.related:RelatedVerbalizer",
    },
    "prior": {
        "none": "mtl_cli.zeroshot.decide.priors.none:NoPrior",
        "uniform": "mtl_cli.zeroshot.decide.priors.uniform:Uniform",
        "shares": "mtl_cli.zeroshot.decide.priors.shares:Shares",
        "em": "mtl_cli.zeroshot.decide.priors.em:ExpectationMaximisation",
        "sample": "mtl_cli.zeroshot.decide.priors.sample:BatchCalibration",
    },
}


@dataclass(frozen=True)
class Extra:
    """Packages beyond the base installation."""

    name: str
    """As `pip install 'mtl-cli[NAME]'` has it."""
    modules: tuple[str, ...]
    """What is imported."""


_QP = Extra("solvers", ("qpsolvers", "quadprog"))
EXTRAS: Mapping[tuple[str, str], Extra] = {
    **{("weighting", name): _QP for name in ("upgrad", "dualproj")},
    ("weighting", "cagrad"): Extra("solvers", ("cvxpy", "clarabel")),
    ("weighting", "nash_mtl"): Extra("solvers", ("cvxpy", "ecos")),
    ("launcher", "submitit"): Extra("submitit", ("submitit",)),
    ("launcher", "ray"): Extra("ray", ("ray",)),
    ("metric", "entity_f1"): Extra("tagging", ("seqeval",)),
    ("search", ""): Extra("search", ("optuna",)),
}
"""Members that need an extra, so that this can be told without importing them."""


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
