"""Expressions of the step: what they are worth, and what they may not hold."""

import copy
import dataclasses
import math

import pytest

from mtl_cli.expression import Expression, tried, value_at


def value(text, step=30, steps=100, epoch=1.5):
    return Expression(text).value(step, steps, epoch)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2),
        ("1e-3", 0.001),
        ("-step + 31", 1),
        ("step / 60 * 2", 1),
        ("steps // 30 + steps % 30", 13),
        ("2 ** 3 ** 2", 512),
        ("step - 10 - 5", 15),
        ("(step - 10) * 2", 40),
        ("min(1, step/500)", 0.06),
        ("max(step, 50, epoch)", 50),
        ("abs(-3) + sqrt(4)", 5),
        ("0.5 * (1 + cos(pi * step / steps))", 0.5 * (1 + math.cos(math.pi * 0.3))),
        ("exp(log(7)) + sin(0)", 7),
        ("floor(epoch) + ceil(epoch) / 10", 1.2),
        ("2 if epoch >= 1 else 5", 2),
        ("2 if step != 30 else 5 if step == 30 else 6", 5),
        ("10 < step <= 30", 1),
        ("(step > 30) + (step < 40)", 1),
    ],
)
def test_arithmetic_is_that_of_python(text, expected):
    assert value(text) == pytest.approx(expected)


def test_only_the_chosen_branch_is_worked_out():
    assert value("log(step) if step > 0 else 0", step=0) == 0


def test_it_says_what_it_looks_at():
    assert Expression("min(1, step / steps) * pi").names == {"step", "steps"}
    assert Expression("3").names == set()


def test_it_can_be_copied_compared_and_shown_and_not_changed():
    one = Expression("epoch / 2")
    assert copy.deepcopy(one) == one
    assert str(one) == "epoch / 2"
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.text = "1"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')", "(1).real", "step.real", "step[0]", "[1, 2]", "{1: 2}", "'a' * 9", "lambda: 1", "True", "None",
        "1 and 2", "not step", "~3", "1 << 9", "step in 5", "step is 5", "f'{step}'", "min(step, 2, key=abs)", "min(*step)",
        "[x for x in step]", "3j", "step @ step", "...", "(min)(1, 2)(3)",
    ],
)  # fmt: skip
def test_anything_but_arithmetic_is_refused(text):
    with pytest.raises(ValueError, match=r"is not allowed\. An expression may hold numbers, step|unknown function"):
        Expression(text)


@pytest.mark.parametrize("text", ["", "  ", "1 +", "a := 1", "1; 2", "import os", "min(1, 2", "(" * 240 + "1", "1\x00"])
def test_what_cannot_be_read_is_refused_and_told_what_may_stand_there(text):
    with pytest.raises(ValueError, match=r"is not an expression\. An expression may hold numbers, step, steps, epoch"):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stp / 5", "^'stp / 5': unknown name 'stp'. Did you mean 'step'?"),
        ("foo", "unknown name 'foo'. Did you mean 'floor'|unknown name 'foo'. Available: abs"),
        ("nan", "unknown name 'nan'. Available: abs, ceil, .* step, steps"),
        ("sqr(4)", "unknown function 'sqr'. Did you mean 'sqrt'?"),
        ("step(4)", r"unknown function 'step'\. Available: abs"),
        ("max(1)", r"max takes two numbers or more; found 'max\(1\)'"),
        ("sqrt(1, 2)", r"sqrt takes one number; found 'sqrt\(1, 2\)'"),
        ("1" * 501, "is 501 characters long; at most 500"),
    ],
)
def test_what_is_wrong_is_named(text, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        Expression(text)


@pytest.mark.parametrize("text", ["9**9**9", "10**400", "exp(1000)", "9" * 400, "1e200 * 1e200", "1e999"])
def test_huge_numbers_are_refused_at_once(text):
    with pytest.raises(ValueError, match=r"a number in it is too large|it is inf|is not an expression"):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 / step", "it divides by 0"),
        ("step % step", "it divides by 0"),
        ("log(step)", "a function in it has no value there"),
        ("sqrt(step - 1)", "a function in it has no value there"),
        ("(step - 8) ** 0.5", "a function in it has no value there"),
        ("9 ** (steps ** 9)", "a number in it is too large"),
    ],
)
def test_a_step_without_a_finite_value_is_named(text, problem):
    with pytest.raises(ValueError, match="has no finite value at step 0: ") as caught:
        Expression(text).value(0, 100, 0.0)
    assert str(caught.value).endswith(problem)


def test_a_number_or_an_expression_is_taken_and_below_0_refused():
    assert value_at(0.5, 7, 10, 0.0) == 0.5
    assert value_at(Expression("step"), 7, 10, 0.0) == 7
    with pytest.raises(ValueError, match=r"^must be 0 or more; '3 - step' is -4 at step 7$"):
        value_at(Expression("3 - step"), 7, 10, 0.0)


@pytest.mark.parametrize("steps", [1, 2, 7, 999, 1000])
def test_every_step_of_a_short_run_is_tried(steps):
    assert tried(steps) == list(range(steps))


def test_a_long_run_is_tried_from_first_to_last():
    found = tried(123_456)
    assert (found[0], found[-1], len(found)) == (0, 123_455, 1000)
