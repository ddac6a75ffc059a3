"""Configs: overrides of every key of every command with values of every type, and YAML files of the user's own."""

from __future__ import annotations

import copy
import functools
import random as random_module
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fuzz import values
from tests.fuzz.case import Case, Stage
from tests.fuzz.shelf import TASK

PRIMARIES = ("train", "affinity", "affinity_run", "eval", "transfer", "zeroshot", "doctor")
_ROOT = Path(__file__).parents[2] / "configs"
OPTIONS = {
    folder.name: sorted(p.stem for p in folder.glob("*.yaml")) for folder in sorted(_ROOT.iterdir()) if folder.is_dir()
}
_ALIASES = (
    "learning_rate", "lr", "num_train_epochs", "per_device_train_batch_size", "warmup_ratio", "report_to",
    "output_dir", "model_name_or_path", "batch_size", "epochs", "hydra", "hydra.run.dir", "hydra/launcher",
    "defaults", "name", "tasks", "tasks.rte", "tasks.rte.kind", "tasks.rte.kind.labels", "tasks.new",
    "tasks.new.kind", "weights.new", "a.b.c", "", ".", "a..b", "_target_", "é", "0",
)  # fmt: skip


@functools.cache
def keys(primary: str) -> tuple[str, ...]:
    """Every dotted key of a primary config."""
    return tuple(_dotted(composed(primary, ())))


def _dotted(value: Any, prefix: str = "") -> list[str]:
    if not isinstance(value, Mapping):
        return []
    found = []
    for name, item in value.items():
        key = f"{prefix}.{name}" if prefix else str(name)
        found += [key, *_dotted(item, key)]
    return found


def changed_key(random: random_module.Random, primary: str) -> str:
    """A key that is there, one of another command, or one that is not."""
    chance = random.random()
    known = keys(primary if primary in PRIMARIES else "train")
    if chance < 0.75:
        return random.choice(known)
    if chance < 0.82:
        return random.choice(_ALIASES)
    if chance < 0.9:
        return values.typo(random, random.choice(known))
    if chance < 0.95:
        return f"{random.choice(known)}.{random.choice(('a', 'name', '0', '_target_'))}"
    return random.choice(keys(random.choice(PRIMARIES)))


def override(random: random_module.Random, primary: str) -> str:
    """A word of a command line that sets, adds or removes something."""
    if random.random() < 0.25:
        group = random.choice(list(OPTIONS))
        option = random.choice(OPTIONS[group])
        other = random.choice(OPTIONS[random.choice(list(OPTIONS))])
        forms = (
            "{g}={o}", "{g}={o}", "{g}={o}", "{g}=[{o},{p}]", "{g}={t}", "{g}={v}", "+{g}={o}", "~{g}", "~{g}={o}", "{g}@pkg={o}",
            "{g}@tasks.x={o}", "+{g}@={o}", "{g}={o},{p}",
        )  # fmt: skip
        return random.choice(forms).format(
            g=group, o=option, p=other, t=values.typo(random, option), v=values.raw(random)
        )
    key, value = changed_key(random, primary), values.raw(random)
    form = random.choice(
        ("{k}={v}",) * 8
        + ("+{k}={v}", "++{k}={v}", "~{k}", "~{k}={v}", "{k}", "{k}=", "{k}@a={v}", "{k} = {v}", "+{k}", "{k}:{v}")
    )
    return form.format(k=key, v=value)


def case(stage: Stage) -> Case:
    """Values of another type in a composed config, converted and bound; one in ten is composed of overrides or YAML files."""
    random = stage.random
    primary = random.choice(PRIMARIES)
    if random.random() < 0.9:
        tree = copy.deepcopy(composed(primary, random.choice(_BASES if primary in ("train", "affinity") else ((),))))
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            _replace(random, tree)
        return Case([ascii(tree)], check=functools.partial(_read, primary, tree))
    words = [override(random, primary) for _ in range(random.choice((1, 1, 2, 3, 6)))]
    needs = ["run=x"] if primary in ("eval", "affinity_run") and random.random() < 0.9 else []
    folder = None
    if random.random() < 0.4:
        folder = stage.folder / "conf"
        group = random.choice(("task", "task", "task", *OPTIONS))
        name = random.choice(("mine", "mine", "mine", "x y", "é", "null", "1"))
        stage.write(f"conf/{group}/{name}.yaml", _yaml(random, group))
        words = [f"{group}=mine", *words[: random.randrange(2)]]
    words = needs + words
    return Case(words, check=functools.partial(_compose, primary, words, folder))


_BASES = (
    (),
    ("task=rte",),
    ("task=[rte,stsb]", "weighting=pcgrad"),
    ("task=match_trec", "sampler=smoothing"),
    ("backbone=hf", "backbone.path=x"),
    ("sharing=groups", "sharing.groups=[[cola],[sst2,mrpc,stsb,qnli,rte]]", "sharing.branch_at=1", "schedule=cosine"),
    ("weighting=uncertainty", "sampler=temperature"),
)


def warm() -> None:
    """Compose what cases start from, so that no child does it again."""
    for primary in PRIMARIES:
        keys(primary)
    for primary in ("train", "affinity"):
        for words in _BASES:
            composed(primary, words)


@functools.cache
def composed(primary: str, words: tuple[str, ...]) -> dict[str, Any]:
    """A valid config's values; not to be written to."""
    from mtl_cli.config.compose import compose

    needs = ["run=x"] if primary in ("eval", "affinity_run") else []
    return compose(primary, [*needs, *words]).values


def _yaml(random: random_module.Random, group: str) -> bytes:
    import yaml

    path = _ROOT / group / f"{random.choice(OPTIONS[group])}.yaml"
    text = TASK if group == "task" and random.random() < 0.6 else path.read_text(encoding="utf-8")
    if random.random() < 0.35:
        return values.damaged(random, text.encode())
    head = text.splitlines()[0] if text.startswith("# @package") else ""
    tree = yaml.safe_load(text)
    for _ in range(random.choice((1, 1, 2, 4))):
        _replace(random, tree)
    return f"{head}\n{_dumped(tree)}".encode("utf-8", "surrogatepass")


def _dumped(tree: Any) -> str:
    import yaml

    try:
        return yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)
    except (yaml.YAMLError, ValueError, TypeError):
        return yaml.safe_dump(str(tree))


def _replace(random: random_module.Random, tree: Any) -> None:
    """Another value, key or nothing at a place of a tree."""
    nodes = [node for node in _nodes(tree) if node]
    if not nodes:
        return
    node = random.choice(nodes)
    if isinstance(node, list):
        node[random.randrange(len(node))] = values.plain(random)
        return
    name = random.choice(list(node))
    way = random.randrange(5)
    if way == 0:
        del node[name]
    elif way == 1:
        node[values.key(random)] = values.plain(random)
    elif way == 2 and isinstance(name, str):
        node[values.typo(random, name)] = node.pop(name)
    else:
        node[name] = values.plain(random)


def _nodes(tree: Any) -> list[Any]:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [tree, *(node for item in inner for node in _nodes(item))] if isinstance(tree, dict | list) else []


def _compose(primary: str, words: list[str], folder: Path | None) -> None:
    from mtl_cli.config.compose import compose

    _read(primary, compose(primary, words, [folder] if folder else []).values)


def _read(primary: str, values: Mapping[str, Any]) -> None:
    """What a command does with its config before it reads rows or builds a model."""
    from mtl_cli.assemble.bound import bind_all
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import EvalConfig, TrainConfig
    from mtl_cli.config.schema_affinity import AffinityConfig, AffinityRunConfig
    from mtl_cli.config.schema_transfer import TransferConfig
    from mtl_cli.config.schema_zeroshot import DoctorConfig, ZeroshotConfig

    classes = (TrainConfig, AffinityConfig, AffinityRunConfig, EvalConfig, TransferConfig, ZeroshotConfig, DoctorConfig)
    config = read(dict(zip(PRIMARIES, classes, strict=True))[primary], values)
    if isinstance(config, TrainConfig):
        bind_all(config)
