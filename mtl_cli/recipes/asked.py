"""What a training run is asked to be; imports nothing heavy, so that a sweep can be checked before it starts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_cli.config.compose import quoted
from mtl_cli.config.schema import TrainConfig


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
        words += [f"run.name={quoted(name)}", "run.if_exists=resume"]
        return f"mtl {self.command} {shlex.join(words)}"
