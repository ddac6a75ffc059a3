"""Configs of runs that earlier versions wrote, as today's version reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """A stored config with the keys of today; what cannot be one is left as it is, for the converter to refuse."""
    tasks = values.get("tasks")
    if not isinstance(tasks, Mapping):
        return dict(values)
    return {**values, "tasks": {name: _task(task) for name, task in tasks.items()}}


def _task(task: Any) -> Any:
    """`layout: joint | packed` has become `input: text | packed`."""
    if not isinstance(task, Mapping) or "layout" not in task:
        return task
    rest = {key: value for key, value in task.items() if key != "layout"}
    return rest if task["layout"] == "joint" else {**rest, "input": task["layout"]}
