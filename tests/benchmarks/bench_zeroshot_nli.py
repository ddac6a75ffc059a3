"""Texts a second of zero-shot by entailment: ours beside Hugging Face's zero-shot pipeline.

Sides:
    hf 1, hf 8, hf 32: `pipeline("zero-shot-classification")` with these batch sizes; 1 is its default.
    ours: `NliMethod` as `mtl zeroshot method=nli` builds it.

What makes the numbers fair: one folder with the weights of MiniLM-L6 and a random head of three classes, which all sides load;
the same texts (a seeded choice of SST-2's validation set), labels, template and fp32; one thread, CPU time of this process;
one warm-up each, then the sides in turns, with ratios inside a round. Tokenising counts on all sides. The largest difference
of two probabilities is printed: the answers are the same.

Exit code 1 if ours / hf 1 (medians) is below what it must be; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, pipeline

from mtl_cli.cli.common import quiet_libraries
from mtl_cli.config.convert import bind
from mtl_cli.config.question import Question
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.model.quiet import quiet
from mtl_cli.recipes.zeroshot.models import AskedModels
from mtl_cli.zeroshot.labels.label_set import make_labels
from mtl_cli.zeroshot.scoring.method import Method, probabilities

MUST = {2: 2.1, 10: 2.2}
WORDS = ("good", "bad", "funny", "sad", "music", "acting", "the story", "violence", "history", "family")
Side = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Texts, labels -> probabilities."""


def asked(*overrides: str) -> Question:
    """The shipped config of `mtl zeroshot`, without the cache, which would answer from the second round on."""
    return Question((*overrides, "cache=false", "fabric.accelerator=cpu"), {})


def save_model(folder: Path) -> None:
    """MiniLM with a random head of three classes."""
    builder = bind("backbone", asked().config().backbone, [], "backbone")
    assert builder is not None
    backbone: Backbone = builder.build()
    backbone.save(folder)
    names = ("contradiction", "neutral", "entailment")
    config = AutoConfig.from_pretrained(
        folder, id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)}
    )
    torch.manual_seed(0)
    with quiet():
        AutoModelForSequenceClassification.from_pretrained(folder, config=config).save_pretrained(folder)


def engine(question: Question) -> Method:
    """Our engine, as `mtl zeroshot` builds it."""
    config = question.config()
    builder = bind("method", config.method, [], "method")
    assert builder is not None
    method: Method = builder.build(AskedModels(question, config))
    return method


def ours(question: Question) -> Side:
    """Our engine as a side."""
    method, templates = engine(question), question.config().templates
    return lambda texts, names: probabilities(
        method.score(texts, make_labels(dict.fromkeys(names), templates)[0]).logits_NL
    )


def theirs(folder: Path, template: str, batch_size: int) -> Side:
    """The pipeline; its answers are sorted by score, so they are put back."""
    with quiet():
        model: Any = pipeline("zero-shot-classification", model=str(folder), device="cpu", batch_size=batch_size)

    def side(texts: Sequence[str], names: Sequence[str]) -> np.ndarray:
        found = model(list(texts), list(names), hypothesis_template=template)
        return np.array([[dict(zip(f["labels"], f["scores"], strict=True))[n] for n in names] for f in found])

    return side


def ranged(values: Sequence[float]) -> str:
    """Median [least-most]."""
    return f"{statistics.median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"


def measure(sides: Mapping[str, Side], texts: Sequence[str], names: Sequence[str], rounds: int) -> float:
    """Print the table of one number of labels; return ours / the pipeline's defaults."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    first = {name: side(texts[:2], names) for name, side in sides.items()}
    difference = max(float(np.abs(found - first["hf 1"]).max()) for found in first.values())
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.process_time()
            side(texts, names)
            seconds[name].append(time.process_time() - began)
    print(f"{len(names)} labels, {len(texts)} texts; largest difference of two probabilities {difference:.1e}")
    for name, own in seconds.items():
        ratios = [a / b for a, b in zip(seconds["hf 1"], own, strict=True)]
        print(f"    {name:<16} {ranged([len(texts) / s for s in own]):>22} texts/s   x hf 1 {ranged(ratios)}")
    best = min((n for n in sides if n.startswith("hf")), key=lambda n: statistics.median(seconds[n]))
    against = [a / b for a, b in zip(seconds[best], seconds["ours"], strict=True)]
    print(f"    ours / {best}, the pipeline's best: {ranged(against)}", flush=True)
    return statistics.median([a / b for a, b in zip(seconds["hf 1"], seconds["ours"], strict=True)])


def main() -> int:
    """Measure and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="holds sst2/validation.jsonl")
    parser.add_argument("--texts", type=int, default=90, help="texts with two labels; with ten, a third of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--labels", type=int, nargs="+", default=[2, 10])
    parser.add_argument(
        "--batch-tokens", type=int, nargs="*", default=[], help="more sides of ours with these batch_tokens"
    )
    parser.add_argument("--no-check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet_libraries()
    lines = (args.data_root / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in random.Random(0).sample(lines, args.texts)]
    texts = [row["sentence"] for row in rows]
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder)
        words = ("method=nli", f"method.path={folder}")
        templates = asked(*words).config().templates
        sides = {f"hf {size}": theirs(folder, templates[0], size) for size in (1, 8, 32)}
        sides["ours"] = ours(asked(*words))
        for tokens in args.batch_tokens:
            sides[f"ours {tokens}"] = ours(asked(*words, f"batch_tokens={tokens}"))
        for count in args.labels:
            found = measure(sides, texts if count <= 2 else texts[: len(texts) // 3], WORDS[:count], args.rounds)
            must = MUST.get(count, 0.0)
            good &= found >= must
            print(
                f"ours / hf 1 at {count} labels: {found:.2f}, must be {must} or more: {'yes' if found >= must else 'NO'}"
            )
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
