"""Values of environment variables and keys: used where they are needed, never written down."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_LEAST = 6
"""Characters from which on a value is looked for in messages: a shorter one, such as 1, stands in every text."""
_SECRET_KEY = re.compile(r"(?:^|[._-])(?:api_?key|key_env|secret|password|passwd|token|authorization)\b", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"\b(?:sk|pk|rk|hf|ghp|gho|github_pat|glpat|xox[abp]|AKIA|AIza)[-_]?[A-Za-z0-9][\w-]{14,}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[a-z])[A-Za-z0-9]{16,}")
"""What a key looks like that has no known beginning: long, letters and digits mixed, without the _ of variables' names."""
_written_as: dict[str, str] = {}


class EnvText(str):
    """A text that an interpolation read from the environment."""

    written: str

    def __new__(cls, value: str, written: str) -> EnvText:
        """A text and the interpolation that gave it."""
        made = super().__new__(cls, value)
        made.written = written
        return made

    def __reduce__(self) -> tuple[type[EnvText], tuple[str, str]]:
        return EnvText, (str(self), self.written)

    def __deepcopy__(self, memo: Mapping[int, Any]) -> EnvText:
        return self


class EnvInt(int):
    """A whole number from the environment."""

    written: str

    def __new__(cls, value: int, written: str) -> EnvInt:
        """A number and the interpolation that gave it."""
        made = super().__new__(cls, value)
        made.written = written
        return made

    def __reduce__(self) -> tuple[type[EnvInt], tuple[int, str]]:
        return EnvInt, (int(self), self.written)

    def __deepcopy__(self, memo: Mapping[int, Any]) -> EnvInt:
        return self


class EnvFloat(float):
    """A number from the environment."""

    written: str

    def __new__(cls, value: float, written: str) -> EnvFloat:
        """A number and the interpolation that gave it."""
        made = super().__new__(cls, value)
        made.written = written
        return made

    def __reduce__(self) -> tuple[type[EnvFloat], tuple[float, str]]:
        return EnvFloat, (float(self), self.written)

    def __deepcopy__(self, memo: Mapping[int, Any]) -> EnvFloat:
        return self


def from_environment(value: object, written: str) -> EnvText | EnvInt | EnvFloat:
    """Mark a value as read from the environment; from now on `redact` hides it.

    Raises:
        TypeError: it is neither a text nor a number.
    """
    if isinstance(value, str):
        hide(value, written)
        return EnvText(value, written)
    if isinstance(value, int) and not isinstance(value, bool):
        return EnvInt(value, written)
    if isinstance(value, float):
        return EnvFloat(value, written)
    raise TypeError(f"an environment variable gives a text or a number here, not {type(value).__name__}")


def as_written(value: Any) -> Any:
    """Plain values for a file: what came from the environment is the interpolation again."""
    if isinstance(value, EnvText | EnvInt | EnvFloat):
        return value.written
    if isinstance(value, Mapping):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_written(item) for item in value]
    return value


def hide(value: str, written: str) -> None:
    """Let `redact` put something else in the place of a value."""
    if len(value) >= _LEAST:
        _written_as[value] = written


def forget() -> None:
    """Hide nothing any more: a new command begins."""
    _written_as.clear()


def redact(text: str) -> str:
    """A message without values of the environment and without what looks like a key."""
    for value in sorted(_written_as, key=len, reverse=True):
        text = text.replace(value, _written_as[value])
    return _SECRET_TEXT.sub(lambda found: shortened_secret(found[0]), text)


def shortened_secret(text: str) -> str:
    """The first letters of what may be a key: enough to find it, too few to use it."""
    return f"{text[:3]}... ({len(text)} characters, not shown)"


def is_variable(text: str) -> bool:
    """Whether a text can be the name of an environment variable and does not look like a key itself."""
    looks_secret = _SECRET_TEXT.search(text) or _TOKEN.fullmatch(text)
    return _VARIABLE.fullmatch(text) is not None and not looks_secret


def redacted_words(words: Sequence[str]) -> list[str]:
    """A command line without secrets: the value of a key that is named like one is left out, unless it names a variable."""
    return [redact(_redacted_word(word)) for word in words]


def _redacted_word(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or not value or not _SECRET_KEY.search(key) or "${" in value:
        return word
    if key.rstrip("'\"").endswith("key_env") and is_variable(value):
        return word
    return f"{key}={shortened_secret(value)}"
