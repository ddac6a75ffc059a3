"""A text as it is compared."""

from __future__ import annotations

import unicodedata


def clean(text: str) -> str:
    """A text as it is compared: NFC, white space of all kinds collapsed, marks without width gone."""
    if text.isascii():
        return " ".join(text.split())
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")
    return unicodedata.normalize("NFC", " ".join(visible.split()))
