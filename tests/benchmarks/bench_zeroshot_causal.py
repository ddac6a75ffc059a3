"""Our causal zero-shot engine against one forward pass a pair, and against such pairs in padded batches of 16.

SmolLM2-135M-Instruct on all sides (`mtl offline add smollm2`), the same token ids, fp32, one thread, CPU time of this process.
With two labels texts are SST-2's; with 10 and 77 AG News's, cut to prompts of 39 tokens, and labels are intents of CLINC of two or
three tokens. What one pass saves grows with the prompt and falls with the labels' length, so a second table, which is not
checked, has banking77's short questions and its long label names. The sides go in turns, with ratios inside a round. Tokenising
counts for ours alone. The largest difference of two log-likelihoods is printed.

Exit code 1 if ours / naive (medians) is below what it must be, or a log-likelihood differs by more; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from child import ranged
from torch import Tensor

from mtl_cli.cli.common import quiet_libraries
from mtl_cli.config.question import Question
from mtl_cli.model.lm import CausalLM, load_causal
from mtl_cli.recipes.zeroshot.models import AskedModels, bound_engine
from mtl_cli.zeroshot.labels.label_set import Label, make_labels
from mtl_cli.zeroshot.scoring.method import Method

MUST = {2: 2.4, 10: 9.0, 77: 28.0}
CLOSE = 1e-4
PROMPT = 36
"""Tokens of a text; with the template its prompt has 39."""
PATH = "HuggingFaceTB/SmolLM2-135M-Instruct"
Side = Callable[[Sequence[str], Sequence[Label]], np.ndarray]
"""Texts, labels -> log-likelihoods, shape [N, L]."""


def ours() -> Side:
    """The engine of the shipped config."""
    question = Question(("method=causal", "prior=none", "fabric.accelerator=cpu"), {})
    config = question.config()
    method: Method = bound_engine(config).method.build(AskedModels(question, config))
    return lambda texts, labels: method.score(texts, labels).logits_NL


def pairs(model: CausalLM, size: int) -> Side:
    """One row a text and label, all logits of it, as the scripts of the papers do it; rows in input order."""

    @torch.inference_mode()
    def side(texts: Sequence[str], labels: Sequence[Label]) -> np.ndarray:
        spoken = [label.spoken[0] for label in labels]
        firsts = [f"{text.rstrip()}\n{spoken[0].before.rstrip()}" for text in texts]
        asked = [(first, f" {phrase.words}{phrase.after}") for first in firsts for phrase in spoken]
        ids = [[model.tokenizer(piece)["input_ids"] for piece in pair] for pair in asked]
        found = [value for at in range(0, len(ids), size) for value in batch(ids[at : at + size])]
        return np.array(found).reshape(len(texts), len(labels))

    def batch(rows: list[list[list[int]]]) -> list[float]:
        whole = [first + second for first, second in rows]
        longest = max(map(len, whole))
        ids_BL = torch.tensor([ids + [0] * (longest - len(ids)) for ids in whole])
        mask_BL = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in whole])
        told_BLV: Tensor = model.model(input_ids=ids_BL, attention_mask=mask_BL).logits.log_softmax(-1)
        return [
            sum(told_BLV[b, len(first) - 1 + i, token].item() for i, token in enumerate(second))
            for b, (first, second) in enumerate(rows)
        ]

    return side


def texts_of(root: Path, name: str, column: str, count: int) -> list[str]:
    """A seeded choice of a validation set."""
    lines = (root / name / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)[column] for line in random.Random(0).sample(lines, count)]


def words_of(root: Path, name: str, column: str) -> list[str]:
    """Label names as words."""
    told = json.loads((root / name / "dataset.json").read_text(encoding="utf-8"))["label_names"]
    found = told[column] if isinstance(told, dict) else told
    return [label.replace("_", " ") for label in found]


def measure(
    title: str, sides: dict[str, Side], texts: Sequence[str], labels: Sequence[Label], rounds: int, must: float
) -> bool:
    """Print the table of one number of labels; return whether ours is as fast and as exact as it must be."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    found: dict[str, np.ndarray] = {}
    sides["ours"](texts[:1], labels)
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.process_time()
            found[name] = side(texts, labels)
            seconds[name].append(time.process_time() - began)
    difference = float(np.abs(found["ours"] - found["naive"]).max())
    print(
        f"{title}: {len(labels)} labels, {len(texts)} texts; largest difference of two log-likelihoods {difference:.1e}"
    )
    for name, own in seconds.items():
        ratios = [a / b for a, b in zip(seconds["naive"], own, strict=True)]
        print(f"    {name:<10} {ranged([len(texts) / s for s in own]):>22} texts/s   x naive {ranged(ratios)}")
    ratio = statistics.median([a / b for a, b in zip(seconds["naive"], seconds["ours"], strict=True)])
    good = ratio >= must and difference <= CLOSE
    told = f", must be {must} or more: {'yes' if good else 'NO'}" if must else " (not checked)"
    print(f"ours / naive at {len(labels)} labels: {ratio:.2f}{told}", flush=True)
    return good


def main() -> int:
    """Measure and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data-root", type=Path, required=True, help="holds sst2/, ag_news/, clinc_oos/ and banking77/"
    )
    parser.add_argument("--texts", type=int, nargs=3, default=[12, 4, 2], help="with 2, 10 and 77 labels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--labels", type=int, nargs="+", default=list(MUST), choices=list(MUST))
    parser.add_argument("--no-check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet_libraries()
    model = load_causal(PATH, "method.path")
    sides = {"naive": pairs(model, 1), "batches 16": pairs(model, 16), "ours": ours()}
    tokens = {
        word: len(model.tokenizer(f" {word}")["input_ids"]) for word in words_of(args.data_root, "clinc_oos", "intent")
    }
    short = [word for word, count in tokens.items() if count in (2, 3)]
    long = words_of(args.data_root, "banking77", "label")
    good = True
    for count, size in zip(MUST, args.texts, strict=True):
        if count not in args.labels:
            continue
        if count == 2:
            cases = [
                (
                    "SST-2",
                    ["positive", "negative"],
                    "Sentiment: {}",
                    texts_of(args.data_root, "sst2", "sentence", size),
                    MUST[2],
                )
            ]
        else:
            whole = [
                model.tokenizer(text)["input_ids"][:PROMPT]
                for text in texts_of(args.data_root, "ag_news", "text", size)
            ]
            texts = [model.tokenizer.decode(ids) for ids in whole]
            cases = [("AG News, intents", short[:count], "Topic: {}", texts, MUST[count])]
            own = texts_of(args.data_root, "banking77", "text", size)
            cases.append(("banking77", long[:count], "Topic: {}", own, 0.0))
        for title, words, template, texts, must in cases:
            labels = make_labels(dict.fromkeys(words), [template])[0]
            good &= measure(title, sides, texts, labels, args.rounds, must)
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
