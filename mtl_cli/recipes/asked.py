"""What a training run is asked to be; imports nothing heavy, so that a sweep can be checked before it starts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_cli.config.schema import TrainConfig

_NO_TEXT = ("true", "false", "null", "inf", "nan")


@dataclass(frozen=True)
class Asked:
    """A training run as the user asked for it."""

    config: TrainConfig
    values: Mapping[str, Any]
    """The composed config in plain values, for the run folder."""
    overrides: Sequence[str]
    choice: str | None
    """What was picked as task, if it is one name."""
    config_dirs: Sequence[str] = ()
    """The user's own folders of YAML files."""
    command: str = "train"
    """The subcommand that was given."""

    @property
    def what(self) -> str:
        """What is trained, for the default name."""
        return self.choice or "+".join(self.config.tasks)[:60]

    def resume_command(self, name: str) -> str:
        """The command line that goes on with this run."""
        words = [text for text in self.overrides if not text.startswith(("run.name=", "run.if_exists="))]
        words += [word for folder in self.config_dirs for word in ("--config-dir", folder)]
        words += [f"run.name={_quoted(name)}", "run.if_exists=resume"]
        return f"mtl {self.command} {shlex.join(words)}"


def _quoted(text: str) -> str:
    """A text as a value in Hydra's grammar, which outside quotes reads `=` and commas as its own, and some words as no text."""
    if re.fullmatch(r"[a-z_][\w./+-]*", text, re.ASCII | re.IGNORECASE) and text.lower() not in _NO_TEXT:
        return text
    # Backslashes are plain but before a quote, where each needs another.
    escaped = re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + found[2].replace('"', '\\"'), text)
    return f'"{escaped}"'
