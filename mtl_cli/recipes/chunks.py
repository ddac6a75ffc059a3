"""How many texts are scored at once."""

from __future__ import annotations

from mtl_cli.config.schema_zeroshot import ZeroshotConfig

CHUNK = 1024
"""Texts scored at once: sorted by length inside, written in order."""
RUN_CHUNK = 256
"""The same in a run folder: what a kill loses at most."""


def keeps_folder(config: ZeroshotConfig) -> bool:
    """Whether the answers go into a run folder."""
    out = config.out
    can_be_read_again = bool(config.tasks) or config.input.file not in (None, "-")
    return out.name is not None or out.folder == "always" or (out.folder == "auto" and can_be_read_again)


def chunk_of(config: ZeroshotConfig) -> int:
    """Texts that a question's engine gets at once."""
    return RUN_CHUNK if keeps_folder(config) else CHUNK
