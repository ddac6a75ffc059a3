"""What more words and descriptions do for labels, by kind of label: one Markdown table of accuracy / macro-F1 with the embed engine.

    python tests/benchmarks/table_verbalizers.py --data-root DIR --rows 300

Each row of the table asks `mtl zeroshot` the same question with another verbalizer. Labels are the names of the data set as words;
only where those are codes, words are given for them. Rows are drawn by seed; so many leave about ±5 points (95 %) of 300.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sklearn.metrics import accuracy_score, f1_score

from mtl_cli.config.question import Question
from mtl_cli.recipes.zeroshot.run import zeroshot
from mtl_cli.zeroshot.decide.answer import Answer
from mtl_cli.zeroshot.lexicon.terms import spaced

WORDNET = ("verbalizer=wordnet", "verbalizer.path={path}")
VARIANTS = {
    "name alone": (),
    "wordnet, as shipped": WORDNET,
    "wordnet, gloss alone": (*WORDNET, "verbalizer.words=false", "verbalizer.describe=true"),
    "wordnet, both": (*WORDNET, "verbalizer.describe=true"),
    "wordnet, weight 1, no filter": (*WORDNET, "verbalizer.weight=1", "verbalizer.least_similarity=null"),
    "related": ("verbalizer=related",),
}


@dataclass(frozen=True)
class Task:
    """A data set and its columns."""

    kind: str
    """Of its labels, for the head of the table."""
    text: str = "text"
    label: str = "label"
    called: tuple[tuple[str, str], ...] = ()
    """Words for labels whose names are codes."""


TREC = (
    ("ABBR", "abbreviation"), ("DESC", "description"), ("HUM", "person"), ("LOC", "location"), ("NUM", "number"),
    ("ENTY", "entity"),  # codespell:ignore
)  # fmt: skip
TASKS = {
    "ag_news": Task("topic", called=(("Sci/Tech", "science and technology"),)),
    "trec": Task("question", label="coarse_label", called=TREC),
    "sst2": Task("sentiment", text="sentence"),
    "cr": Task("sentiment"),
    "tweet_emotion": Task("emotion"),
    "subj": Task("style"),
    "tweet_offensive": Task("style"),
    "banking77": Task("intent"),
    "clinc_oos": Task("intent", label="intent"),
    "snips": Task("intent", label="intent"),
}


def prepared(root: Path, name: str, task: Task, rows: int, seed: int, folder: Path) -> tuple[Path, dict[str, str]]:
    """A file of drawn rows with their labels as names, and what the labels are called."""
    told = json.loads((root / name / "dataset.json").read_text(encoding="utf-8"))["label_names"][task.label]
    lines = (root / name / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    chosen = random.Random(seed).sample(lines, min(rows, len(lines)))
    path = folder / f"{name}.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for row in map(json.loads, chosen):
            stream.write(json.dumps({"text": row[task.text], "label": told[row[task.label]]}) + "\n")
    return path, {label: dict(task.called).get(label, spaced(label)) for label in told}


def scored(path: Path, labels: dict[str, str], overrides: tuple[str, ...], wordnet: str | None) -> tuple[float, float]:
    """Accuracy and macro-F1 of one question, in per cent."""
    answers: list[Answer] = []
    given = [word.format(path=wordnet or "null") for word in overrides]
    question = Question(
        ("method=embed", "out.folder=never", "bootstrap=0", "max_length=128", *given),
        {"labels": labels, "input.file": str(path)},
    )
    zeroshot(question, answers.append)
    gold, said = [answer.gold[0] for answer in answers if answer.gold], [answer.top for answer in answers]
    return 100 * accuracy_score(gold, said), 100 * f1_score(gold, said, average="macro", zero_division=0)


def main() -> None:
    """Ask every question, print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", required=True, type=Path)
    parser.add_argument("--wordnet", help="folder of its files, if not where mtl looks by itself")
    parser.add_argument("--rows", type=int, default=300, help="of each data set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asked = {
            name: prepared(arguments.data_root, name, TASKS[name], arguments.rows, arguments.seed, Path(scratch))
            for name in arguments.tasks
        }
        print(
            f"| labels | {' | '.join(f'{name} ({TASKS[name].kind}, {len(asked[name][1])})' for name in asked)} | mean |"
        )
        print("|" + "---|" * (len(asked) + 2), flush=True)
        for variant, overrides in VARIANTS.items():
            found = [scored(path, labels, overrides, arguments.wordnet) for path, labels in asked.values()]
            mean = tuple(statistics.mean(values) for values in zip(*found, strict=True))
            print(f"| {variant} | {' | '.join(f'{a:.1f} / {f:.1f}' for a, f in [*found, mean])} |", flush=True)


if __name__ == "__main__":
    main()
