"""Data files with damaged bytes, other types and other shapes, for `check`, `eval` and `zeroshot`."""

from __future__ import annotations

import functools
import gzip
import json
import random as random_module
from typing import Any

from tests.fuzz import shelf, values
from tests.fuzz.case import CHEAP, Case, Stage
from tests.fuzz.configs import composed

_FORMS = ("jsonl", "json", "csv", "tsv", "parquet", "txt", "jsonl.gz", "csv.gz")
_BASE = (CHEAP[0], *CHEAP[2:])
_KINDS = (
    *(("{name: classification, labels: [neg, pos]}", "accuracy"),) * 4, ("{name: regression}", "pearson"),
    ("{name: regression, missing: -1}", "spearman"), ("{name: classification, labels: ['0', '1']}", "accuracy"),
    ("{name: classification, labels: 2}", "accuracy"),
    ("{name: classification, labels: [neg, pos], merge: {pos: neg}}", "accuracy"),
)  # fmt: skip


def case(stage: Stage) -> Case:
    """A file of rows in some format, and a command that reads it."""
    random = stage.random
    of_run = random.random() < 0.04
    rows = [
        {**row, "sentence": row["text"], "label": f"{row['label']}itive"} if of_run else dict(row) for row in shelf.ROWS
    ]
    for _ in range(random.choice((0, 1, 1, 2, 8))):
        _change(random, rows)
    form = random.choice(_FORMS)
    content = _encoded(stage, rows, form)
    if random.random() < 0.45:
        content = values.damaged(random, content)
    if random.random() < 0.05 and content:
        content = content * random.choice((2, 50))
    if random.random() < 0.1:
        form = random.choice((*_FORMS, "arrow", "xyz", "JSONL", ""))
    name = f"rows.{form}" if form else "rows"
    stage.write(name, content)
    if of_run:
        stage.place("outputs")
        return Case(
            [
                "eval",
                "run=outputs/x",
                f"files={{sst2: {name}}}",
                f"split={random.choice(('validation', 'test'))}",
                "bootstrap=10",
            ]
        )
    return _command(stage, name, content)


def of_task(stage: Stage, text: str) -> Case:
    """A task's rows as `check` reads them; one in twenty by the whole command."""
    if stage.random.random() < 0.05:
        stage.write("conf/task/mine.yaml", text)
        return Case(["check", "--config-dir", "conf", "task=mine", *_BASE])
    return Case([text], check=functools.partial(_opened, text))


def _opened(text: str) -> None:
    import yaml

    from mtl_cli.assemble.bound import bind_all
    from mtl_cli.assemble.rows import Rows
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import TrainConfig
    from mtl_cli.errors import DataError

    values = {**composed("train", (*_BASE, "task=rte")), **yaml.safe_load(text)}
    config = read(TrainConfig, values)
    tasks = bind_all(config).tasks
    rows = Rows(config.data, shelf.backbone())
    for task in tasks.values():
        for split in ("train", "validation"):
            for encoded in rows.open(task.task, split):
                try:
                    task.task.kind.fitted(encoded.targets)
                except ValueError as error:  # as `check` tells it
                    raise DataError(str(error)) from error


def _change(random: random_module.Random, rows: list[dict[Any, Any]]) -> None:
    if not rows:
        return
    name = random.choice(("text", "label", "label", "text", "other", "options", "score"))
    row = random.choice(rows)
    way = random.randrange(8)
    if way < 3:
        row[name] = values.plain(random)
    elif way == 3:
        row.pop(name, None)
    elif way == 4:
        value = values.plain(random)
        for each in rows:
            each[name] = value
    elif way == 5:
        for each in rows:
            each[name] = random.choice(
                (0, 1, -1, 1.0, 0.0, True, False, "0", "1", "neg", "pos", " pos", "Pos", None, "")
            )
    elif way == 6:
        row[str(values.key(random))] = values.plain(random)
    else:
        rows[:] = rows[: random.choice((0, 1, 2))]


def _encoded(stage: Stage, rows: list[dict[Any, Any]], form: str) -> bytes:
    random = stage.random
    kind = form.removesuffix(".gz")
    if kind == "parquet":
        return _parquet(stage, rows)
    if kind in ("csv", "tsv"):
        delimiter = "\t" if kind == "tsv" else random.choice((",", ",", ",", ";", "|"))
        text = shelf.delimited(rows, delimiter, quoting=random.choice((0, 0, 1, 2)))
    elif kind == "txt":
        text = "".join(f"{row.get('text')}\n" for row in rows)
    elif random.random() < 0.1:
        text = json.dumps(rows, indent=random.choice((None, 1)), default=str)
    else:
        text = shelf.lines(rows, ensure_ascii=random.random() < 0.5, default=str, skipkeys=True)
    content = text.encode(random.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16")), "surrogatepass")
    return gzip.compress(content, mtime=0) if form.endswith(".gz") and random.random() < 0.9 else content


def _parquet(stage: Stage, rows: list[dict[Any, Any]]) -> bytes:
    import pyarrow

    try:
        return shelf.parquet([{str(k): v for k, v in row.items()} for row in rows], stage.folder / "made.parquet")
    except (
        pyarrow.ArrowException,
        ValueError,
        OverflowError,
        UnicodeEncodeError,
        TypeError,
    ):  # values that no column holds together
        return shelf.parquet(
            [{str(k): ascii(v) for k, v in row.items()} for row in rows], stage.folder / "made.parquet"
        )


def _command(stage: Stage, name: str, content: bytes) -> Case:
    random = stage.random
    chance = random.random()
    if chance < 0.9:
        column = random.choice(("text", "text", "text", "other", "label"))
        kind, metric = random.choice(_KINDS)
        label = random.choice(("label", "label", "label", "score", "options", "other", "null"))
        text = shelf.TASK.replace("train.jsonl", name).replace("{name: classification, labels: [neg, pos]}", kind)
        text = text.replace("[accuracy, macro_f1]", f"[{metric}]").replace("[text]", f"[{column}]")
        return of_task(stage, text.replace("label: label", f"label: {label}"))
    words = ["zeroshot", "backbone=tiny", "bootstrap=10", "--labels", random.choice(("pos,neg", "neg,pos,odd", "0,1"))]
    if chance < 0.93:
        return Case([*words, *random.choice(((), ("--file", "-")))], content)
    words += ["--file", name]
    words += random.choice(
        (
            (),
            (),
            ("input.labels_column=options",),
            ("input.label_column=score",),
            ("input.text_column=other",),
            ("prior=sample",),
            ("calibrate.fit=2",),
            ("--out", "o"),
        )
    )
    return Case(words)
