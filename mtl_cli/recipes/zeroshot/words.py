"""Words for the labels of a zero-shot question: found once before anything is scored, or as an earlier process left them."""

from __future__ import annotations

import logging
from pathlib import Path

from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.errors import RunError
from mtl_cli.recipes.zeroshot.texts import LabelSets
from mtl_cli.runs.files import explained, write_text
from mtl_cli.zeroshot.labels.files import read_labels
from mtl_cli.zeroshot.scoring.method import Drawn
from mtl_cli.zeroshot.verbalizers.base import Expansion, Verbalizer
from mtl_cli.zeroshot.verbalizers.words import entry, words_yaml

log = logging.getLogger(__name__)

_SHOWN = 12
"""Labels that are told of."""


def find_words(config: ZeroshotConfig, verbalizer: Verbalizer, labels: LabelSets, drawn: Drawn) -> str:
    """Give the labels the words that are found for them, and write `words_file` if it is asked for. Returns its text."""
    plain = labels.of(labels.common)
    expansions = verbalizer.expand(plain, drawn)
    labels.become({label.name: entry(label, expansion) for label, expansion in zip(plain, expansions, strict=True)})
    if config.verbalizer.name != "none":
        _tell(expansions)
    if config.words_file is not None:
        path = Path(config.words_file).expanduser()
        with explained(path.parent, "words_file"):
            write_text(path, words_yaml(plain, expansions, config.words_file))
        log.info("words    %s has them, with what was dropped and why; --labels reads it", path)
    return words_yaml(plain, expansions, "words.yaml")


def take_words(path: Path, labels: LabelSets) -> None:
    """Give the labels the words that a run began with. Raises `RunError` if the file is of other labels."""
    found = read_labels(path)
    if tuple(found) != labels.common:
        raise RunError(f"{path} holds other labels than the run began with. Start over with another out.name.")
    labels.become(found)


def _tell(expansions: tuple[Expansion, ...]) -> None:
    for one in expansions[:_SHOWN]:
        dropped = f", {len(one.dropped):,} dropped" if one.dropped else ""
        told = f"; {one.told}" if one.told else ""
        log.info("words    %s: %s%s%s", one.label, ", ".join(word.text for word in one.kept) or "none", dropped, told)
    rest = expansions[_SHOWN:]
    if rest:
        bare = sum(not one.kept and one.description is None for one in rest)
        kept, dropped_count = sum(len(one.kept) for one in rest), sum(len(one.dropped) for one in rest)
        log.info(
            "words    %s more labels: %s kept, %s dropped; %s stay as they are",
            f"{len(rest):,}",
            f"{kept:,}",
            f"{dropped_count:,}",
            f"{bare:,}",
        )
