"""Texts a second of zero-shot by similarity beside input-order batches of 32, and memory over a stream of lines.

Speed: MiniLM-L6, SST-2 texts, fp32, one thread, CPU time of this process; the other side tokenises and pads 32 texts at a time in the
order of the input, as sentence encoders are often run; both encode the labels once. The sides go in turns, with ratios inside a
round, and the largest difference of two cosines is printed.

Memory: peak resident memory of `mtl zeroshot` over made-up lines on standard input, so many and ten times as many.

Exit code 1 if ours / batches of 32 (medians) is below 1.4 or the memory grows by more than 5 %; `--no-check` only reports.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from child import MTL, ranged

from mtl_cli.cli.common import quiet_libraries
from mtl_cli.config.question import Question
from mtl_cli.recipes.zeroshot.models import AskedModels, bound_engine
from mtl_cli.zeroshot.labels.label_set import make_labels
from mtl_cli.zeroshot.scoring.encoder import TextEncoder
from mtl_cli.zeroshot.scoring.method import Method

MUST, GROWS = 1.4, 1.05
WORDS = ("sports", "politics", "music", "food", "science", "travel", "business", "health", "films", "weather")


class InOrder:
    """Input-order batches of 32 over the same encoder."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._backbone = encoder._backbone

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors."""
        found = []
        for at in range(0, len(texts), 32):
            batch = self._backbone.tokenizer(
                list(texts[at : at + 32]), padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            hidden = self._backbone.encoder(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
            ).last_hidden_state
            found.append(torch.nn.functional.normalize(self._backbone.pool(hidden, batch["attention_mask"]), dim=1))
        return torch.cat(found).numpy()


def speed(texts: Sequence[str], count: int, rounds: int) -> float:
    """Print the table of one number of labels; return ours / batches of 32."""
    question = Question(("method=embed", "method.temperature=1", "fabric.accelerator=cpu"), {})
    models = AskedModels(question, question.config())
    method: Method = bound_engine(question.config()).method.build(models)
    labels = make_labels([f"{word} {i}" for i in range(8) for word in WORDS][:count], ["{}"])[0]
    in_order = InOrder(models.encoder())
    sides = {
        "batches of 32": lambda: in_order(texts) @ in_order([label.name for label in labels]).T,
        "ours": lambda: method.score(texts, labels).logits_NL,
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    found = {name: side() for name, side in sides.items()}
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.process_time()
            side()
            seconds[name].append(time.process_time() - began)
    difference = float(np.abs(found["ours"] - found["batches of 32"]).max())
    print(f"{count} labels, {len(texts)} texts; largest difference of two cosines {difference:.1e}")
    ratios = [a / b for a, b in zip(seconds["batches of 32"], seconds["ours"], strict=True)]
    for name, own in seconds.items():
        print(f"    {name:<14} {ranged([len(texts) / s for s in own]):>24} texts/s")
    print(f"    ours / batches of 32: {ranged(ratios)}, must be {MUST} or more", flush=True)
    return statistics.median(ratios)


def peak_mib(lines: int) -> float:
    """Peak resident memory of the command over so many lines."""
    words = [MTL, "zeroshot", "backbone=tiny", "--labels", "sports,politics", "bootstrap=0", "-q"]
    child = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert child.stdin is not None
    for i in range(lines):
        child.stdin.write(f"line {i} {'x' * (i % 40)}\n")
    child.stdin.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(words)}: exit code {child.returncode}")
    return usage.ru_maxrss / 2**10


def main() -> int:
    """Measure and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="holds sst2/validation.jsonl")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=10_000, help="of the shorter stream; 0: memory is not measured")
    parser.add_argument("--no-check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet_libraries()
    good = True
    if args.lines:
        few, many = peak_mib(args.lines), peak_mib(10 * args.lines)
        told = f"{few:.0f} MiB over {args.lines:,} lines, {many:.0f} MiB over {10 * args.lines:,}"
        print(f"memory: {told}: {many / few:.2f}, must be {GROWS} or less", flush=True)
        good &= many / few <= GROWS
    lines = (args.data_root / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["sentence"] for line in random.Random(0).sample(lines, args.texts)]
    for count in (2, 10, 77):
        good &= speed(texts, count, args.rounds) >= MUST
    return 0 if good or args.no_check else 1


if __name__ == "__main__":
    sys.exit(main())
