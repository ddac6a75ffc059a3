"""Shell completion of groups, options and keys, by Hydra's own engine."""

from __future__ import annotations

import os
from collections.abc import Sequence

import typer


def complete(ctx: typer.Context, incomplete: str) -> list[str]:
    """Answers for the word under the cursor.

    Bash breaks words at `=`: for `task=s` it asks with `task`, `=`, `s` as three words, and puts an answer in the place
    of the last one alone. The word is joined again here, and what stands before the cursor's piece is cut off the answers.
    """
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from mtl_cli.config.compose import loaded
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.errors import MtlError

    words = [str(w) for w in ctx.params.get("overrides") or []]
    head, word = _joined(words, incomplete)
    primary = primary_of(str(ctx.info_name), words)
    try:
        with loaded(user_config_dirs(ctx.params.get("config_dir"))):
            answers = _query(GlobalHydra.instance().config_loader(), primary, word)
    except (HydraException, OmegaConfBaseException, MtlError, AssertionError):  # asserted by Hydra of optim.lr.x
        return []
    return sorted(
        a.removeprefix(head) for a in answers if a.startswith(word) and not a.lstrip("+~").startswith("hydra")
    )


def primary_of(command: str, words: Sequence[str]) -> str:
    """Name of the YAML file with the keys that a command takes."""
    if command == "affinity" and any(word.lstrip("+").startswith("run=") for word in words):
        return "affinity_run"
    return command if command in ("affinity", "check", "doctor", "eval", "transfer", "zeroshot") else "train"


def _joined(words: list[str], incomplete: str) -> tuple[str, str]:
    """(what the shell already holds before the piece it asks for, the whole word)."""
    if words and not incomplete and _behind_equals():
        return f"{words[-1]}=", f"{words[-1]}="
    if len(words) >= 2 and words[-1] == "=":
        return f"{words[-2]}=", f"{words[-2]}={incomplete}"
    if words and words[-1].endswith("="):
        return words[-1], words[-1] + incomplete
    return "", incomplete


def _behind_equals() -> bool:
    """Whether bash asks right behind an `=`: the library takes that word for nothing and hands on an empty one."""
    words, place = os.environ.get("COMP_WORDS", "").split(), os.environ.get("COMP_CWORD", "")
    return place.isdecimal() and words[int(place) : int(place) + 1] == ["="]


def _query(loader: object, primary: str, word: str) -> list[str]:
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra.core.config_loader import ConfigLoader

    class Plugin(BashCompletion):
        """Only its query is used: it is the same for all shells."""

    assert isinstance(loader, ConfigLoader)
    return Plugin(loader)._query(config_name=primary, line=word)
