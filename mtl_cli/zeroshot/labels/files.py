"""Labels in a file: YAML with what is said of each, or a text file with one a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mtl_cli.errors import ConfigError, DataError
from mtl_cli.tasks.files import check_file, expanded
from mtl_cli.yaml_text import check_size, problem_of

SUFFIXES = (".yaml", ".yml", ".txt")
_MOST = 1 << 24
"""Bytes of a file of labels."""
_TEXT = "tag:yaml.org,2002:str"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def read_labels(path: Path) -> dict[str, Any]:
    """Label -> what is said of it, None where nothing is.

    Names are taken as they are written: 010 is no 8.

    Raises:
        ConfigError: a label is empty or stands twice.
        DataError: the file is not there or not as it must be.
    """
    try:
        check_file(path)
    except DataError as error:
        raise DataError(
            f"--labels: {error}; give a file of labels ({', '.join(SUFFIXES)}), or labels: pos,neg"
        ) from error
    if path.suffix.lower() not in SUFFIXES:
        known = f"a file of labels ends in {', '.join(SUFFIXES)}"
        raise DataError(f"--labels: {path} is a file, and {known}. If it is a label: --labels '{path}={path}'")
    try:
        if path.stat().st_size > _MOST:
            raise DataError(
                f"--labels: {path} has more than {_MOST >> 20} MiB: is it a file of labels? Texts go to --file"
            )
        text = path.read_text(encoding="utf-8-sig")
        return _of_lines(text) if path.suffix.lower() == ".txt" else _of_yaml(path, text)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}); convert it to UTF-8 first") from error
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not readable as YAML: {problem_of(error)}") from error
    except OSError as error:
        raise DataError(f"{path}: not readable: {error.strerror}") from error


def names_a_file(text: str) -> bool:
    """Whether a text is a file of labels rather than a label: by its end, or since there is such a file."""
    if text.lower().endswith(SUFFIXES):
        return True
    try:
        return expanded(text).exists()
    except OSError:  # longer than a name can be
        return False


def check_names(names: Sequence[str]) -> None:
    """Raise `ConfigError` for no label, an empty one, or one that stands twice."""
    if not names or "" in names:
        raise ConfigError("--labels: there is an empty label; write --labels pos,neg")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"--labels: {', '.join(twice)} stands more than once")


def _of_lines(text: str) -> dict[str, Any]:
    # Not `splitlines`, which ends a line at U+2028 and the like too.
    names = [line.strip() for line in text.split("\n") if line.strip()]
    check_names(names)
    return dict.fromkeys(names)


def _of_yaml(path: Path, text: str) -> dict[str, Any]:
    try:
        check_size(text)
    except (
        ValueError
    ) as error:  # deeper or larger than a set of labels is: no list of labels, but an attack or a mistake
        raise DataError(f"{path}: {error}") from error
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    if isinstance(tree, yaml.MappingNode):
        names = [_name(path, key) for key, _ in tree.value]
        entries = [_value(path, node) for _, node in tree.value]
    elif isinstance(tree, yaml.SequenceNode):
        names = [_name(path, node) for node in tree.value]
        entries = [None] * len(names)
    else:
        raise DataError(f"{path}: must hold a list of labels, or a mapping of label to text")
    check_names(names)
    return dict(zip(names, entries, strict=True))


def _name(path: Path, node: yaml.Node) -> str:
    """A label as it is written. YAML reads yes, null and dates as other things than texts."""
    if not isinstance(node, yaml.ScalarNode) or node.tag not in (_TEXT, *_NUMBERS):
        shown = node.value if isinstance(node, yaml.ScalarNode) else "a list or mapping"
        raise DataError(
            f"{path}:{node.start_mark.line + 1}: label {shown[:60]!r} is not text to YAML: put it in quotes"
        )
    return str(node.value)


def _value(path: Path, node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except ValueError as error:  # such as a date that there is not
        raise DataError(f"{path}:{node.start_mark.line + 1}: {error}: put it in quotes") from error
    finally:
        loader.dispose()
