"""Valid files and finished runs that cases start from."""

from __future__ import annotations

import csv
import functools
import gzip
import importlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from tests.fuzz.case import CHEAP, Case
from tests.fuzz.oracle import run

ROWS: list[dict[str, Any]] = [
    {"text": text, "other": f"row {i}", "label": "pos" if i % 2 else "neg", "score": i / 4, "options": ["pos", "neg"]}
    for i, text in enumerate(
        (
            "a dull film",
            "a fine film",
            "worse than bad",
            "très bien",
            'so-so, "quoted"',
            "I laughed; twice",
            "no",
            "yes",
        )
    )
]
TASK = """\
# @package _global_
# mtl train task=mine    Ours.
tasks:
  mine:
    kind: {name: classification, labels: [neg, pos]}
    text: [text]
    label: label
    metrics: [accuracy, macro_f1]
    source: {files: {train: train.jsonl, validation: train.jsonl, test: train.jsonl}}
weights: {mine: 1.0}
"""
LABELS = """\
pos: {text: positive, description: "a good film", words: [good, fine]}
neg: {text: negative, templates: ["It is {}."]}
"""


def delimited(rows: list[dict[str, Any]], delimiter: str, **more: Any) -> str:
    """Rows as CSV or TSV."""
    stream = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row if isinstance(name, str)))
    writer = csv.DictWriter(stream, names, delimiter=delimiter, extrasaction="ignore", lineterminator="\n", **more)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def lines(rows: list[Any], **more: Any) -> str:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row, **more) + "\n" for row in rows)


def parquet(rows: list[dict[str, Any]], path: Path) -> bytes:
    """Rows as Parquet."""
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path.read_bytes()


def warm() -> None:
    """Import what cases need and let Hydra look for its plugins, so that no child does it again."""
    import pkgutil
    import warnings

    import pyarrow.parquet
    import torch

    import mtl_cli
    from mtl_cli.config.compose import compose

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(mtl_cli.__path__, "mtl_cli."):
            if not module.name.startswith("mtl_cli.launch."):  # packages of their own
                importlib.import_module(module.name)
    torch.set_num_threads(1)
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    compose("train", ["task=rte"])
    backbone()


@functools.lru_cache(maxsize=1)
def backbone() -> Any:
    """A small encoder over bytes."""
    from mtl_cli.model.backbone.tiny import tiny

    return tiny(layers=1, width=8, heads=1, max_length=128, dropout=0.0, pooling="first")


def fill(shelf: Path, scratch: Path) -> None:
    """Write the files and train the runs. Raises `RuntimeError` if a plain command fails."""
    for name, text in {
        "texts.txt": "".join(f"{row['text']}\n" for row in ROWS), "gold.jsonl": lines(ROWS), "gold.csv": delimited(ROWS, ","),
        "gold.tsv": delimited([{k: str(v).replace('"', "") for k, v in row.items()} for row in ROWS], "\t"), "labels.yaml": LABELS,
        "conf/task/mine.yaml": TASK, "train.jsonl": lines(ROWS), "other.jsonl": lines([{"sentence": row["text"]} for row in ROWS]),
    }.items():  # fmt: skip
        (shelf / name).parent.mkdir(parents=True, exist_ok=True)
        (shelf / name).write_text(text, encoding="utf-8")
    (shelf / "gold.jsonl.gz").write_bytes(gzip.compress(lines(ROWS).encode(), mtime=0))
    parquet(ROWS, shelf / "gold.parquet")
    two = (
        "train", *CHEAP, "task=[sst2,stsb]", "data.limit=16", "train.steps=2", "checkpoint.every=1",
        "diagnostics.every=1",
    )  # fmt: skip
    for words in (
        (*two, "run.name=x"),
        (*two, "run.name=unfinished"),
        ("zeroshot", "backbone=tiny", "--labels", "pos,neg", "--file", "gold.csv", "bootstrap=10", "out.name=z", "-q"),
    ):
        outcome = run(Case(words), shelf, scratch)
        if outcome.code or outcome.fault:
            raise RuntimeError(f"{words} fails: {outcome.fault}\n{outcome.err}\n{outcome.detail}")
    (shelf / "outputs/unfinished/summary.json").unlink()
    sys.stdout.flush()
