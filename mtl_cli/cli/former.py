"""Flags that earlier versions had, and the key that says the same."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from mtl_cli.errors import ConfigError, Fault

_EXAMPLES = {
    "--text-column": "input.text_column=title",
    "--label-column": "input.label_column=gold",
    "--labels-column": "input.labels_column=options",
    "--multi-label": "decide.multi_label=true",
    "--threshold": "decide.threshold=0.5",
    "--prior": "prior=uniform, or prior=shares 'prior.shares={pos: .8, neg: .2}'",
    "--temperature": "calibrate.temperature=2",
    "--fit-temperature": "calibrate.fit=100",
    "--abstain": "decide.abstain=0.6",
    "--target-precision": "decide.target_precision=0.95",
    "--hold": "decide.hold=100",
    "--curve": "decide.curve=curve.csv",
    "--model": "method.path=DIR_OR_HUB_ID",
    "--words": "words_file=words.yaml",
    "--explain": "explain=true",
    "--cache": "cache=true",
    "--format": "format=table",
    "--sample": "doctor.sample=200",
    "--suggest": "doctor.suggest=better.yaml",
}
"""Flag of `mtl zeroshot` or `mtl doctor` -> what to type instead."""


class KeysForFlags(TyperCommand):
    """A command that answers a flag which it once had with the key that replaced it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse words. Raises `ConfigError` with every former flag, if one of them is what is wrong."""
        words = list(args)  # parsing empties it
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            if getattr(error, "option_name", None) not in _EXAMPLES:
                raise
            names = dict.fromkeys(word.partition("=")[0] for word in words)
            lines = [f"{name} is a key now: {_EXAMPLES[name]}" for name in names if name in _EXAMPLES]
            raise ConfigError([Fault("", line) for line in lines]) from error
