"""Texts a second of zero-shot by packed entailment: one pass holds a text once and many labels.

Sides:
    hf 1, hf 8, hf 32: `pipeline("zero-shot-classification")` with these batch sizes; 1 is its default.
    joint: `NliMethod` over the same classifier, one row a pair of text and label.
    packed: `NliMethod` over a packed head of a run, as `mtl zeroshot method=nli run=FOLDER` builds it.

What makes the numbers fair: all sides have MiniLM-L6 and a head that knows nothing (three classes at random; the packed one from a
run of one step), the same texts (a seeded choice of AG News' validation set), labels (words for topics), template and fp32; one
thread, CPU time of this process; one warm-up each, then the sides in turns, with ratios inside a round. Tokenising counts on all
sides. Packed and joint answers differ, being of different models: what is printed is the largest difference between a label's
packed logit among all labels and alone, as a part of the largest logit.

A label costs its own tokens in the linear layers at least, so packing gains most where texts are long and labels short. The last
table is the other end, and is not checked: banking77's short questions with the long names of its 77 intents.

Exit code 1 if packed / hf 1 (medians) is below what it must be, or if that difference is above 1e-5; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from bench_zeroshot_nli import Side, asked, engine, ours, ranged, save_model, theirs

from mtl_cli.cli.common import quiet_libraries
from mtl_cli.config.compose import compose
from mtl_cli.config.read import read
from mtl_cli.config.schema import TrainConfig
from mtl_cli.recipes.asked import Asked
from mtl_cli.recipes.train.run import train
from mtl_cli.zeroshot.labels.label_set import make_labels
from mtl_cli.zeroshot.scoring.method import Method

MUST = {10: 3.0, 77: 8.0}
TEXTS = {2: 18, 10: 8}
"""Texts by number of labels; with more labels `FEWEST`."""
FEWEST = 3
TOPICS = (
    *(
        "music",
        "acting",
        "violence",
        "history",
        "family",
        "sports",
        "politics",
        "business",
        "science",
        "religion",
        "health",
        "food",
    ),
    *(
        "travel",
        "weather",
        "fashion",
        "art",
        "war",
        "crime",
        "love",
        "money",
        "school",
        "children",
        "animals",
        "nature",
        "cars",
    ),
    *(
        "games",
        "computers",
        "space",
        "energy",
        "law",
        "medicine",
        "books",
        "theatre",
        "dance",
        "cinema",
        "television",
        "radio",
    ),
    *(
        "news",
        "elections",
        "economy",
        "trade",
        "banks",
        "taxes",
        "jobs",
        "housing",
        "farming",
        "fishing",
        "cooking",
        "wine",
    ),
    *(
        "football",
        "tennis",
        "golf",
        "racing",
        "boxing",
        "chess",
        "painting",
        "poetry",
        "philosophy",
        "psychology",
        "language",
    ),
    *(
        "mathematics",
        "physics",
        "chemistry",
        "biology",
        "climate",
        "oceans",
        "mountains",
        "forests",
        "cities",
        "villages",
        "trains",
    ),
    *("ships", "planes", "robots", "phones", "privacy", "friendship"),
)
CLOSE = 1e-5


def save_run(folder: Path) -> Path:
    """A run with a packed head on MiniLM, after one step."""
    words = (
        "task=rte", "+tasks.rte.input=packed", "data.source=bundled", "data.max_length=64", "train.steps=1", "eval.bootstrap=0",
        "fabric.accelerator=cpu", f"run.outputs={folder}", "run.name=packed", "train.progress=none",
    )  # fmt: skip
    values = compose("train", words).values
    return train(Asked(read(TrainConfig, values), values, words, "rte"))


def texts_of(folder: Path, count: int) -> list[str]:
    """Some validation texts of a data set."""
    lines = (folder / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in random.Random(0).sample(lines, count)]


def intents(root: Path) -> list[str]:
    """The labels of banking77, as words."""
    described = json.loads((root / "banking77" / "dataset.json").read_text(encoding="utf-8"))
    return [name.replace("_", " ") for name in described["label_names"]["label"]]


def alone(method: Method, texts: Sequence[str], names: Sequence[str], templates: Sequence[str]) -> float:
    """Largest difference between a label's logit among all and alone, as a part of the largest."""
    labels = make_labels(dict.fromkeys(names), templates, least=1)[0]
    together_NL = method.score(texts, labels).logits_NL
    apart_NL = np.concatenate([method.score(texts, [label]).logits_NL for label in labels], axis=1)
    return float(np.abs(together_NL - apart_NL).max() / np.abs(apart_NL).max())


def measure(sides: Mapping[str, Side], texts: Sequence[str], names: Sequence[str], rounds: int) -> float:
    """Print the table of one number of labels; return packed / the pipeline's defaults."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        side(texts[:1], names)
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.process_time()
            side(texts, names)
            seconds[name].append(time.process_time() - began)
    print(f"{len(names)} labels, {len(texts)} texts")
    for name, own in seconds.items():
        ratios = [a / b for a, b in zip(seconds["hf 1"], own, strict=True)]
        print(f"    {name:<16} {ranged([len(texts) / s for s in own]):>22} texts/s   x hf 1 {ranged(ratios)}")
    best = min((n for n in sides if n.startswith("hf")), key=lambda n: statistics.median(seconds[n]))
    for other in (best, "joint"):
        against = [a / b for a, b in zip(seconds[other], seconds["packed"], strict=True)]
        print(f"    packed / {other}: {ranged(against)}", flush=True)
    return statistics.median([a / b for a, b in zip(seconds["hf 1"], seconds["packed"], strict=True)])


def main() -> int:
    """Measure and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="holds ag_news and banking77")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--labels", type=int, nargs="+", default=[2, 10, 77])
    parser.add_argument("--no-check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet_libraries()
    texts = texts_of(args.data_root / "ag_news", max(TEXTS.values()))
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "joint"
        save_model(folder)
        joint = asked("method=nli", f"method.path={folder}")
        packed = asked("method=nli", f"run={save_run(Path(scratch))}")
        templates = joint.config().templates
        sides = {f"hf {size}": theirs(folder, templates[0], size) for size in (1, 8, 32)}
        sides |= {"joint": ours(joint), "packed": ours(packed)}
        off = alone(engine(packed), texts[:3], TOPICS, templates)
        print(
            f"largest difference of a packed logit among {len(TOPICS)} labels and alone: {off:.1e} of the largest, must be {CLOSE} or less"
        )
        good &= off <= CLOSE
        for count in args.labels:
            found = measure(sides, texts[: TEXTS.get(count, FEWEST)], TOPICS[:count], args.rounds)
            must = MUST.get(count, 0.0)
            good &= found >= must
            print(
                f"packed / hf 1 at {count} labels: {found:.2f}, must be {must} or more: {'yes' if found >= must else 'NO'}"
            )
        print("banking77's intents: ", end="")
        measure(sides, texts_of(args.data_root / "banking77", 2), intents(args.data_root), args.rounds)
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
