"""Command lines: valid ones of every command, with words changed, added, doubled and taken away."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from tests.fuzz import values
from tests.fuzz.case import CHEAP, Case, Stage
from tests.fuzz.configs import OPTIONS, changed_key, keys, override

_ZERO = ("backbone=tiny", "bootstrap=10")
_COSTLY = {"train.steps": "1", "train.epochs": "1", "eval.every": "end", "search.trials": "2"}
"""Keys whose wild values are tried by `configs`, which trains nothing: here a large one would only take long."""

SEEDS: tuple[tuple[str, ...], ...] = (
    ("train", *CHEAP, "task=rte"), ("train", *CHEAP, "task=[rte,mrpc]", "weights.rte=2", "run.name=r"),
    ("train", *CHEAP, "task=rte", "data.source=auto", "data.root=data"),
    ("train", *CHEAP, "task=[rte,stsb]", "weighting=pcgrad", "sampler=all_tasks", "batch.size=8"),
    ("train", *CHEAP, "task=rte", "optim.lr=1e-4,2e-4", "-m", "run.name=s"),
    ("train", *CHEAP, "task=rte", "optim.lr=interval(1e-5,1e-3)", "search.trials=2", "-m", "run.name=s"),
    ("train", *CHEAP, "task=[rte,sst2]", "seeds=[1]", "baselines=true", "run.name=p"),
    ("train", "--config-dir", "conf", "task=mine", *CHEAP[:1], *CHEAP[2:]),
    (
        "train", *CHEAP, "task=[sst2,stsb]", "data.limit=16", "run.name=unfinished", "run.if_exists=resume",
        "train.steps=2", "checkpoint.every=1", "diagnostics.every=1",
    ),
    ("train", "--cfg", "task=rte"), ("check", *CHEAP, "task=rte"),
    ("check", "--config-dir", "conf", "task=mine", *CHEAP[:1], *CHEAP[2:]),
    ("eval", "run=outputs/x", "bootstrap=10"),
    ("eval", "run=outputs/x", "split=train", "checkpoint=last", "bootstrap=10"),
    ("eval", "run=outputs/x", "files={sst2: other.jsonl}", "bootstrap=10"),
    ("eval", "run=outputs/x", "task=mrpc", "heads={mrpc: sst2}", "bootstrap=10"),
    ("zeroshot", *_ZERO, "--labels", "pos,neg", "--text", "a fine film"),
    ("zeroshot", *_ZERO, "--labels", "pos,neg"),
    ("zeroshot", *_ZERO, "--labels", "labels.yaml", "--file", "gold.csv", "prior=shares", "prior.shares={pos: .8, neg: .2}"),
    ("zeroshot", *_ZERO, "--labels", "pos,neg", "--file", "gold.jsonl", "--out", "o", "decide.target_precision=0.5", "decide.hold=4"),
    (
        "zeroshot", *_ZERO, "--labels", "pos,neg", "--file", "gold.parquet", "calibrate.fit=4", "decide.abstain=0.6",
        "decide.curve=curve.csv",
    ),
    (
        "zeroshot", *_ZERO, "--labels", "pos,neg,odd", "--file", "texts.txt", "decide.multi_label=true", "decide.threshold=0.4",
        "format=table",
    ),
    (
        "zeroshot", *_ZERO, "--labels", "pos,neg", "--file", "gold.jsonl", "input.labels_column=options", "--template",
        "It is {}.", "explain=true", "cache=true",
    ),
    ("zeroshot", "--labels", "pos,neg", "run=outputs/x", "--text", "a"),
    ("zeroshot", *_ZERO, "-m", "templates=[a {}],[b {}]", "--labels", "pos,neg", "--file", "gold.csv", "--out", "side"),
    ("zeroshot", *_ZERO, "task=sst2", "data.source=bundled", "limit=8"),
    ("zeroshot", *_ZERO, "--labels", "pos,neg", "--file", "gold.csv", "--estimate"),
    ("zeroshot", *_ZERO, "--labels", "pos,neg", "method=ensemble", 'method.members=["method=embed","method=embed"]', "--text", "a"),
    ("zeroshot", *_ZERO, "--labels", "pos,neg", "method=api", "method.url=http://127.0.0.1:9", "method.path=m", "--text", "a"),
    ("zeroshot", *_ZERO, "--labels", "pos,neg", "verbalizer=related", "words_file=w.yaml", "--text", "a"),
    ("doctor", "backbone=tiny", "--labels", "pos,neg,not pos"),
    ("doctor", "backbone=tiny", "--labels", "labels.yaml", "--file", "gold.csv", "doctor.suggest=better.yaml", "doctor.sample=4", "--json"),
    ("affinity", *CHEAP, "task=[rte,mrpc]", "k=1", "measure.every=1", "batch.size=8", "run.name=tags"),
    ("affinity", "run=outputs/x"), ("affinity", "run=outputs/x", "source=metrics", "measure.kind=cosine"),
    ("transfer", *CHEAP, "leave_out=[topic]", "whole=false", "run.name=mix", "data.root=data"), ("ls",),
    ("ls", "task"), ("ls", "weighting", "--config-dir", "conf"), ("runs", "ls"),
    ("runs", "ls", "outputs", "--pareto", "--columns", "run,mean,sst2", "--sort", "-mean", "--json"),
    ("runs", "show", "outputs/x"), ("runs", "compare", "outputs/x", "--baseline", "outputs/x", "--bootstrap", "100"),
    ("offline", "ls"), ("offline", "rm", "smollm2"), ("--version",), ("--help",), ("train", "--help"),
)  # fmt: skip
_NEEDS = (
    "texts.txt", "gold.jsonl", "gold.csv", "gold.tsv", "gold.parquet", "gold.jsonl.gz", "labels.yaml", "conf",
    "train.jsonl", "other.jsonl", "outputs",
)  # fmt: skip


@functools.lru_cache(maxsize=1)
def flags() -> dict[str, tuple[tuple[str, bool], ...]]:
    """(flag, whether it takes a value) of each command, `runs ls` among them, as the parser itself has them."""
    import typer

    from mtl_cli.cli.app import app

    found: dict[str, tuple[tuple[str, bool], ...]] = {}

    def visit(command: Any, path: str) -> None:
        found[path] = tuple(
            (name, not getattr(p, "is_flag", False))
            for p in command.params
            if p.param_type_name == "option"
            for name in p.opts
        )
        for name, inner in getattr(command, "commands", {}).items():
            visit(inner, f"{path} {name}".strip())

    visit(typer.main.get_command(app), "")
    return found


def case(stage: Stage) -> Case:
    """A valid command line, changed up to three times."""
    random = stage.random
    words = list(random.choice(SEEDS))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        words = _changed(stage, words)
    if words[:2] == ["offline", "add"]:  # no downloads
        words[1] = "ls"
    words = [_bounded(word) for word in words]
    for name in _NEEDS:
        if name == "outputs" or any(name.partition("/")[0] in word for word in words):
            stage.place(name)
    stdin = random.choice(
        (
            b"",
            b"",
            b"a text\nanother\n",
            b'{"text": "a"}\n',
            values.damaged(random, (stage.shelf / "gold.jsonl").read_bytes()),
        )
    )
    return Case([word.replace("\0", "") for word in words], stdin)


def _changed(stage: Stage, words: list[str]) -> list[str]:
    random, place = stage.random, stage.random.randrange(len(words) + 1)
    command = _command(words)
    way = random.randrange(10)
    if way < 4:
        return [*words, override(random, command.partition(" ")[0])]
    if way == 4:
        return [*words, *_flag(stage, command)]
    if way == 5 and place < len(words):
        return [*words[:place], *words[place + 1 :]]
    if way == 6 and place < len(words):
        return [*words, words[place]]
    if way == 7 and place < len(words):
        key, equals, _ = words[place].partition("=")
        other = f"{key}={values.raw(random)}" if equals else random.choice(values.TEXTS).replace("\0", "")
        return [*words[:place], other, *words[place + 1 :]]
    if way == 8 and place < len(words):
        return [*words[:place], values.typo(random, words[place]), *words[place + 1 :]]
    return [*words, random.choice(values.TEXTS)]


def _command(words: Sequence[str]) -> str:
    known = flags()
    for count in (2, 1):
        if " ".join(words[:count]) in known:
            return " ".join(words[:count])
    return "train"


def _flag(stage: Stage, command: str) -> list[str]:
    random = stage.random
    name, takes = random.choice(flags()[command] or (("--debug", False),))
    if not takes:
        return [name]
    plausible = (
        "gold.csv", "gold.jsonl", "gold.tsv", "gold.parquet", "texts.txt", "labels.yaml", "-", "pos,neg",
        "pos=.5,neg=.5", "uniform", "em", "sample", "text", "label", "options", "0.5", "1", "4", "table", "jsonl",
        "It is {}.", "conf", "o", "outputs/x", "new.yaml", "curve.csv", "run,mean", "mean",
    )  # fmt: skip
    value = (
        random.choice(plausible)
        if random.random() < 0.6
        else random.choice((random.choice(values.TEXTS), str(random.choice(values.NUMBERS))))
    )
    return [name, value]


def _bounded(word: str) -> str:
    """Nothing that is valid and merely takes long, leads out of the case's folder by the user's own will, or starts processes."""
    key, equals, value = word.partition("=")
    name = key.lstrip("+")
    if equals and name in _COSTLY and any(c.isdigit() for c in value):
        return f"{key}={_COSTLY[name]}"
    if equals and name == "launcher" and ("submitit" in value or "ray" in value or "joblib" in value):
        return f"{key}=inprocess"
    return word


__all__ = ["OPTIONS", "SEEDS", "case", "changed_key", "flags", "keys"]
