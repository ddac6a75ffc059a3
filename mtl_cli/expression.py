"""Expressions of the training step, such as `min(1, step/500)`: safe to take from a file, since only arithmetic is read."""

from __future__ import annotations

import ast
import functools
import math
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtl_cli.errors import did_you_mean

NAMES = ("step", "steps", "epoch")
"""What an expression may look at: the step from 0, the run's steps, and the passes over the data so far (0.5: half a pass)."""
CONSTANTS = {"pi": math.pi}
LONGEST = 500
"""Characters of an expression."""
_LEAST_OF: Mapping[str, Callable[..., float]] = {"min": min, "max": max}
_OF_ONE: Mapping[str, Callable[[float], float]] = {
    "abs": abs,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
}
FUNCTIONS = (*_LEAST_OF, *_OF_ONE)
# math.pow and floats throughout: 9**9**9 is too large at once, where whole numbers would be worked out to the last digit.
_BINARY: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
MAY_HOLD = (
    f"An expression may hold numbers, {', '.join((*NAMES, *CONSTANTS))}, + - * / // % **, comparisons, `a if b else c`, and "
    f"{', '.join(FUNCTIONS)} of them."
)

_At = Callable[[Mapping[str, float]], float]
"""Values of the names -> value of the expression."""


@dataclass(frozen=True)
class Expression:
    """An arithmetic expression of `step` (from 0), `steps` (of the run) and `epoch` (passes over the data so far, with fractions).

    Args:
        text: numbers, these names, `pi`, + - * / // % **, comparisons (1 if true, else 0), `a if b else c`, and the
            functions min, max, abs, sqrt, exp, log, sin, cos, floor, ceil. All numbers are floats.

    Raises:
        ValueError: the text holds anything else, or has no value whatever the step; the message says what it may hold.
    """

    text: str

    def __post_init__(self) -> None:
        if not self.names:
            self.value(0, 1, 0.0)

    def __str__(self) -> str:
        return self.text

    @property
    def names(self) -> frozenset[str]:
        """Which of `step`, `steps` and `epoch` it looks at."""
        return _parsed(self.text).names

    def value(self, step: int, steps: int, epoch: float) -> float:
        """The value at a step. Raises `ValueError` where there is no finite one, such as log(step) at step 0."""
        try:
            value = _parsed(self.text).at({"step": float(step), "steps": float(steps), "epoch": float(epoch)})
        except ZeroDivisionError:
            problem = "it divides by 0"
        except OverflowError:
            problem = "a number in it is too large"
        except ValueError:
            problem = "a function in it has no value there"
        else:
            if math.isfinite(value):
                return value
            problem = f"it is {value}"
        raise ValueError(f"'{self.text}' has no finite value{f' at step {step}' * bool(self.names)}: {problem}")


@dataclass(frozen=True)
class _Parsed:
    names: frozenset[str]
    at: _At


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> _Parsed:
    """Read an expression. Raises `ValueError`."""
    if len(text) > LONGEST:
        raise ValueError(f"the expression is {len(text)} characters long; at most {LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own remarks on the likes of `1if`
            tree = ast.parse(text.strip(), mode="eval").body
        at = _built(tree)
    except _Refused as refused:
        raise ValueError(f"'{text}': {refused}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        raise ValueError(f"'{text}' is not an expression. {MAY_HOLD}") from None
    return _Parsed(frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in NAMES), at)


class _Refused(Exception):  # noqa: N818
    """Says what an expression holds that it may not."""


def _built(node: ast.AST) -> _At:
    """A syntax tree as a function; only the node types of `_BUILDERS` are read at all."""
    build = _BUILDERS.get(type(node))
    if build is None:
        raise _not_allowed(node)
    return build(node)


def _not_allowed(node: ast.AST) -> _Refused:
    return _Refused(f"'{ast.unparse(node)}' is not allowed. {MAY_HOLD}")


def _constant(node: ast.Constant) -> _At:
    if type(node.value) not in (int, float):
        raise _not_allowed(node)
    value = float(node.value)  # type: ignore[arg-type]
    return lambda _: value


def _name(node: ast.Name) -> _At:
    if node.id in CONSTANTS:
        value = CONSTANTS[node.id]
        return lambda _: value
    if node.id not in NAMES:
        raise _Refused(f"unknown name '{node.id}'. {did_you_mean(node.id, (*NAMES, *CONSTANTS, *FUNCTIONS))}")
    name = node.id
    return lambda names: names[name]


def _unary(node: ast.UnaryOp) -> _At:
    if not isinstance(node.op, ast.UAdd | ast.USub):
        raise _not_allowed(node)
    sign, inner = (-1.0 if isinstance(node.op, ast.USub) else 1.0), _built(node.operand)
    return lambda names: sign * inner(names)


def _binary(node: ast.BinOp) -> _At:
    apply = _BINARY.get(type(node.op))
    if apply is None:
        raise _not_allowed(node)
    left, right = _built(node.left), _built(node.right)
    return lambda names: apply(left(names), right(names))


def _compare(node: ast.Compare) -> _At:
    if any(type(op) not in _COMPARED for op in node.ops):
        raise _not_allowed(node)
    compared = [_COMPARED[type(op)] for op in node.ops]
    sides = [_built(side) for side in (node.left, *node.comparators)]

    def at(names: Mapping[str, float]) -> float:
        values = [side(names) for side in sides]
        return float(all(true(a, b) for true, a, b in zip(compared, values[:-1], values[1:], strict=True)))

    return at


def _conditional(node: ast.IfExp) -> _At:
    test, yes, no = _built(node.test), _built(node.body), _built(node.orelse)
    return lambda names: yes(names) if test(names) else no(names)


def _call(node: ast.Call) -> _At:
    if not isinstance(node.func, ast.Name) or node.keywords:
        raise _not_allowed(node)
    name = node.func.id
    if name not in FUNCTIONS:
        raise _Refused(f"unknown function '{name}'. {did_you_mean(name, FUNCTIONS)}")
    arguments: Sequence[_At] = [_built(argument) for argument in node.args]
    if name in _LEAST_OF:
        if len(arguments) < 2:
            raise _Refused(f"{name} takes two numbers or more; found '{ast.unparse(node)}'")
        least = _LEAST_OF[name]
        return lambda names: least(argument(names) for argument in arguments)
    if len(arguments) != 1:
        raise _Refused(f"{name} takes one number; found '{ast.unparse(node)}'")
    apply, argument = _OF_ONE[name], arguments[0]
    return lambda names: apply(argument(names))


_BUILDERS: Mapping[type[ast.AST], Callable[..., _At]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Call: _call,
}


def value_at(number: float | Expression, step: int, steps: int, epoch: float) -> float:
    """A number, whatever the step, or an expression's value. Raises `ValueError` where that is not finite or below 0."""
    if not isinstance(number, Expression):
        if not 0 <= number < math.inf:
            raise ValueError(f"must be {'finite' if number > 0 else '0 or more'}; found {number}")
        return number
    value = number.value(step, steps, epoch)
    if value < 0:
        raise ValueError(f"must be 0 or more; '{number}' is {value:g} at step {step}")
    return value


def tried(steps: int) -> list[int]:
    """Steps of a run at which an expression is tried before it: each of a short one, else a thousand from first to last."""
    return sorted({round(i * (steps - 1) / 999) for i in range(1000)})
