"""Accuracy and macro-F1 of the zero-shot engines over data sets, on the same rows of each; prints a table in Markdown.

Every cell is one question of `mtl zeroshot task=SET limit=N`, by the recipe that the command calls. `name` is the labels' own
names as words; `templates` the names in three sentences; `descriptions` what is written below, or the phrases of the set's label matching
task. They were written from the names of the labels alone. Engines that read labels by likelihood take the names, under one
template a set. `nli` and the ensemble need --run: a run of `mtl train task=nli_mix` or `zeroshot_mix`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mtl_cli.cli.common import quiet_libraries
from mtl_cli.config.question import Question
from mtl_cli.recipes.zeroshot.run import zeroshot

TEMPLATES = ["{}", "This text is about {}.", "The topic is {}."]
NLI = ["This text is about {}."]


@dataclass(frozen=True)
class Set:
    """A data set: what a language model is asked for, and descriptions of the labels."""

    template: str
    labels: Mapping[str, str] | None = None
    """Label -> words, where the name is no word."""
    descriptions: Mapping[str, str] | None = None
    """None: the phrases of the label matching task."""


SETS = {
    "ag_news": Set("Topic: {}", {"World": "World", "Sports": "Sports", "Business": "Business", "Sci/Tech": "Technology"}, {
        "World": "news about international politics, conflicts and diplomacy",
        "Sports": "news about sports, games, players and teams",
        "Business": "news about companies, markets and the economy",
        "Sci/Tech": "news about science, computers, software and the internet",
    }),
    "sst2": Set("Sentiment: {}", None, {
        "negative": "a bad, boring or disappointing film; the reviewer disliked it",
        "positive": "a good, enjoyable or moving film; the reviewer liked it",
    }),
    "cr": Set("Sentiment: {}", None, {
        "negative": "a complaint about a bad product; the customer is disappointed",
        "positive": "praise for a good product; the customer is happy",
    }),
    "trec": Set("Answer type: {}", {
        "ABBR": "abbreviation", "ENTY": "thing", "DESC": "description", "HUM": "person", "LOC": "place", "NUM": "number",
    }, {
        "ABBR": "what does an abbreviation stand for?", "ENTY": "what thing, animal, food, word or product is it?",
        "DESC": "what is the meaning, reason or manner of something?", "HUM": "which person, group or company is it?",
        "LOC": "which city, country or other place is it?", "NUM": "how many, how much, how long, or which date is it?",
    }),
    "tweet_emotion": Set("Emotion: {}", None, {
        "anger": "the writer is angry, furious or annoyed", "joy": "the writer is happy, glad or amused",
        "optimism": "the writer is hopeful and looks forward with confidence", "sadness": "the writer is sad, hurt or depressed",
    }),
    "subj": Set("Style: {}"),
    "snips": Set("Intent: {}"),
    "banking77": Set("Intent: {}"),
    "clinc_oos": Set("Intent: {}"),
}  # fmt: skip


class Table:
    """Asks and keeps what was found.

    Args:
        args: of the command line.
        scratch: folder of the run folders.
    """

    def __init__(self, args: argparse.Namespace, scratch: str) -> None:
        self._args, self._scratch = args, scratch
        self.found: dict[str, dict[str, tuple[float, float]]] = {}

    def ask(self, engine: str, name: str, task: str, *overrides: str, **flags: Any) -> None:
        """One cell."""
        asked = {
            "data.root": str(self._args.data_root), "limit": self._args.rows, "seed": self._args.seed, "bootstrap": 0,
            "out.outputs": self._scratch, "out.folder": "always", "fabric.accelerator": "cpu", **flags,
        }  # fmt: skip
        folder = zeroshot(Question((f"task={task}", *overrides), asked), lambda _: None)
        assert folder is not None
        metrics = json.loads((folder / "summary.json").read_text())["tasks"]["zeroshot"]["metrics"]
        values = {metric["metric"]: metric["value"] for metric in metrics}
        self.found.setdefault(name, {})[engine] = (values["accuracy"], values["macro_f1"])
        print(
            f"{name:<14} {engine:<20} {100 * values['accuracy']:.1f} / {100 * values['macro_f1']:.1f}",
            file=sys.stderr,
            flush=True,
        )


def names_of(task: str) -> dict[str, str]:
    """Label -> its name as words, of the labels that a label matching task has phrases for."""
    labels = Question((f"task={task}",), {}).config().tasks[task].matching
    assert labels is not None
    return {label: label.replace("_", " ") for label, phrases in labels.phrases().items() if phrases}


def ask_all(table: Table, name: str, one: Set, args: argparse.Namespace) -> None:
    """Every engine on one set; all by the label matching task, so that all answer the same rows."""
    task = f"match_{name}"
    names: dict[str, Any] = {**names_of(task), **(one.labels or {})}
    told = (
        {"labels": {label: {"description": text} for label, text in one.descriptions.items()}}
        if one.descriptions
        else {}
    )
    table.ask("embed, name", name, task, "method=embed", labels=names)
    table.ask("embed, templates", name, task, "method=embed", templates=TEMPLATES, labels=names)
    table.ask("embed, descriptions", name, task, "method=embed", **told)
    causal = {"templates": [one.template], "cache": True, "calibrate.sample": args.rows, "labels": names}
    table.ask("causal, plain", name, task, "method=causal", "prior=none", **causal)
    table.ask("causal, calibrated", name, task, "method=causal", "prior=sample", **causal)
    if args.run is None:
        return
    run = str(args.run)
    table.ask("nli, own run", name, task, "method=nli", run=run, templates=NLI)
    members = ["method=embed 'templates=[\"{}\"]'", f"method=nli 'run={run}' 'templates=[\"{NLI[0]}\"]'"]
    table.ask("ensemble", name, task, "method=ensemble", **{"method.members": members, "calibrate.sample": args.rows})


def main() -> int:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="holds the data sets' folders")
    parser.add_argument("--rows", type=int, default=300, help="of each validation set, drawn by seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--run", type=Path, help="a run with a head that tells entailment")
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet_libraries()
    with tempfile.TemporaryDirectory() as scratch:
        table = Table(args, scratch)
        for name in args.sets:
            ask_all(table, name, SETS[name], args)
    engines = list(dict.fromkeys(engine for found in table.found.values() for engine in found))
    print(f"| accuracy / macro-F1, {args.rows} rows | {' | '.join(engines)} |\n|---|{'---|' * len(engines)}")
    for name, found in table.found.items():
        cells = [f"{100 * found[e][0]:.1f} / {100 * found[e][1]:.1f}" for e in engines]
        print(f"| {name} | {' | '.join(cells)} |")
    means = [[sum(found[e][i] for found in table.found.values()) / len(table.found) for i in (0, 1)] for e in engines]
    print(f"| mean | {' | '.join(f'{100 * a:.1f} / {100 * f:.1f}' for a, f in means)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
