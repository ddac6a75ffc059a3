"""Shell completion of groups, options and keys."""

from __future__ import annotations

import typer


def complete(ctx: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001
    """Stub."""
    return []
