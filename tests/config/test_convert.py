import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from mtl_cli.config.convert import Builder, Node, bind, convert, convert_or_raise
from mtl_cli.errors import ConfigError, Fault

YAML_WORDS = "YAML does not read yes, no, on, off, true, false and null as text: put the word in quotes, such as 'no'"


@dataclass(frozen=True, kw_only=True)
class Inner:
    lr: float
    betas: tuple[float, float]
    when: int | Literal["epoch", "end"] = "end"

    def faults(self):
        if self.lr <= 0:
            yield Fault("lr", "must be more than 0")
        if self.lr > 10:
            yield Fault("", "is too much")


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner
    many: dict[str, Inner] = field(default_factory=dict)
    maybe: Inner | None = None


def good(cls, value):
    faults = []
    result = convert(cls, value, faults)
    assert faults == []
    return result


def bad(cls, value, key="k"):
    faults = []
    convert(cls, value, faults, key)
    return [str(fault) for fault in faults]


INNER = {"lr": 0.1, "betas": [0.9, 0.99]}


@pytest.mark.parametrize(
    ("cls", "value", "expected"),
    [
        (int, 3, 3),
        (int, 3.0, 3),
        (float, 3, 3.0),
        (float, math.inf, math.inf),
        (bool, False, False),
        (str, "a", "a"),
        (str, 3, "3"),
        (Path, "a/b", Path("a/b")),
        (type(None), None, None),
        (Any, [1, "a"], [1, "a"]),
        (int | None, None, None),
        (int | None, 3, 3),
        (int | str, 3, 3),
        (int | str, "3", "3"),
        (str | int, 3, 3),
        (str | list[str], "a", "a"),
        (str | list[str], ["a"], ["a"]),
        (Literal["a", 1], 1, 1),
        (int | Literal["end"], "end", "end"),
        (list[int], [], []),
        (list[float], [1, 2.5], [1.0, 2.5]),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (dict[str, int], {2020: 1}, {"2020": 1}),
        (Mapping[str, int], {"a": 1}, {"a": 1}),
    ],
)
def test_a_fitting_value_becomes_exactly_the_type_asked(cls, value, expected):
    result = good(cls, value)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("cls", "value", "problem"),
    [
        (int, "x", "k: must be a whole number; found 'x'"),
        (int, 3.5, "k: must be a whole number; found 3.5"),
        (int, math.inf, "k: must be a whole number; found inf"),
        (int, True, "k: must be a whole number; found True"),
        (int, None, "k: must be a whole number; found None"),
        (float, "1e-", "k: must be a number; found '1e-'"),
        (float, True, "k: must be a number; found True"),
        (float, math.nan, "k: must be a number; found nan"),
        (bool, 1, "k: must be true or false; found 1"),
        (str, False, f"k: must be a text; found False. {YAML_WORDS}"),
        (str, ["a"], "k: must be a text; found list"),
        (Path, 3, "k: must be a path; found 3"),
        (int | None, "x", "k: must be a whole number; found 'x'"),
        (int | str, True, f"k: must be a whole number or must be a text; found True. {YAML_WORDS}"),
        (Literal["cls", "mean"], "meen", "k: 'meen' is not one of 'cls', 'mean'. Did you mean 'mean'?"),
        (Literal["cls", "mean"], "x", "k: 'x' is not one of 'cls', 'mean'."),
        (Literal[1, "x"], True, "k: True is not one of 1, 'x'."),
        (list[int], "12", "k: must be a list, such as [a,b]; found '12'"),
        (list[int], {}, "k: must be a list, such as [a,b]; found dict"),
        (tuple[float, float], [1], "k: must have 2 entries; found 1"),
        (dict[str, float], [1], "k: must be a mapping, such as {a: 1}; found list"),
        (Node, 3, "k: must be a mapping with a 'name'; found 3"),
        (Node, {}, "k.name: missing"),
        (Node, {"name": 5}, "k.name: must be a text; found 5"),
        (Inner, 3, "k: must be a mapping with lr, betas, when; found 3"),
        (Inner | None, "x", "k: must be a mapping with lr, betas, when; found 'x'"),
    ],
)
def test_a_wrong_value_is_told_by_key_with_what_must_stand_there_and_what_does(cls, value, problem):
    assert bad(cls, value) == [problem]


@pytest.mark.parametrize(("cls", "wanted"), [(int, "a whole number"), (float, "a number"), (str, "a text")])
@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["high", "low"])
def test_a_whole_number_beyond_every_float_is_refused_and_not_written_out(cls, wanted, value):
    faults = []
    convert(cls, value, faults, "optim.lr")
    assert str(faults[0]).startswith(f"optim.lr: must be {wanted}; found {str(value)[:20]}")
    assert len(str(faults[0])) < 300


def test_a_wrong_choice_or_number_names_both_possibilities():
    (problem,) = bad(int | Literal["epoch", "end"], "ent")
    assert "whole number" in problem
    assert "'epoch', 'end'" in problem
    assert "Did you mean 'end'?" in problem


def test_each_wrong_entry_of_a_list_is_told_by_its_place():
    assert bad(list[int], [1, "a", 3, "b"]) == [
        "k[1]: must be a whole number; found 'a'",
        "k[3]: must be a whole number; found 'b'",
    ]


def test_entries_of_a_tuple_are_checked_each_by_its_own_type():
    assert bad(tuple[int, str], ["a", False]) == [
        "k[0]: must be a whole number; found 'a'",
        f"k[1]: must be a text; found False. {YAML_WORDS}",
    ]


def test_the_fault_inside_a_list_is_told_where_a_text_would_do_as_well():
    assert bad(str | list[str], ["a", {}]) == ["k[1]: must be a text; found dict"]


def test_wrong_members_of_a_mapping_are_told_by_name():
    assert bad(dict[str, float], {"a": "x", "b": 1, "c": None}) == [
        "k.a: must be a number; found 'x'",
        "k.c: must be a number; found None",
    ]


def test_nested_dataclasses_are_built_whole():
    result = good(Outer, {"name": "n", "inner": INNER, "many": {"a": INNER}, "maybe": None})
    inner = Inner(lr=0.1, betas=(0.9, 0.99), when="end")
    assert result == Outer(name="n", inner=inner, many={"a": inner}, maybe=None)


def test_every_fault_of_a_nested_value_is_told_at_once_by_dotted_key():
    value = {"nmae": "n", "inner": {"lr": "x", "betas": [1]}, "many": {"a": {**INNER, "when": []}}, "maybe": {"lr": 1}}
    faults = []
    convert(Outer, value, faults)
    assert {fault.key for fault in faults} == {
        "nmae", "name", "inner.lr", "inner.betas", "many.a.when", "maybe.betas",
    }  # fmt: skip


def test_an_unknown_key_names_the_closest():
    assert bad(Inner, {**INNER, "beta": 1}) == ["k.beta: unknown key. Did you mean 'betas'?"]


def test_an_unknown_key_far_from_all_lists_what_there_is():
    assert bad(Inner, {**INNER, "zzz": 1}) == ["k.zzz: unknown key. Available: betas, lr, when."]


def test_a_missing_key_is_told_and_one_with_a_default_is_not():
    assert bad(Inner, {"lr": 1.0}) == ["k.betas: missing"]


def test_a_class_s_own_rules_are_told_below_its_key():
    assert bad(Outer, {"name": "n", "inner": {**INNER, "lr": -1}}, "") == ["inner.lr: must be more than 0"]


def test_a_rule_about_the_whole_is_told_by_the_key_of_the_whole():
    assert bad(Outer, {"name": "n", "inner": {**INNER, "lr": 11}}, "") == ["inner: is too much"]


def test_convert_or_raise_returns_what_fits():
    assert convert_or_raise(dict[str, int], {"a": 1}) == {"a": 1}


def test_convert_or_raise_tells_all_faults():
    with pytest.raises(ConfigError, match=r"lr: must be a number; found 'x'\nbetas: must have 2 entries; found 0"):
        convert_or_raise(Inner, {"lr": "x", "betas": []})


def test_a_node_may_be_its_name_alone():
    assert good(Node, "uniform") == Node("uniform", {})


def test_a_node_keeps_its_options_and_not_its_name():
    assert good(Node, {"name": "cosine", "warmup": 0.1}) == Node("cosine", {"warmup": 0.1})


def test_a_target_goes_before_a_name():
    assert good(Node, {"name": "cosine", "_target_": "mine.Schedule", "x": 1}) == Node("mine.Schedule", {"x": 1})


# Open families


def bound(name, family="schedule", **options):
    faults = []
    found = bind(family, Node(name, options), faults, "schedule")
    return found, [str(fault) for fault in faults]


def test_a_known_name_with_all_options_is_bound_to_its_builder():
    found, faults = bound("cosine", warmup=2, floor=0)
    assert faults == []
    assert (found.key, found.name, found.options) == ("schedule", "cosine", {"warmup": 2.0, "floor": 0.0})
    schedule = found.build(10)
    assert (type(schedule).__name__, schedule.total, schedule.warmup) == ("Cosine", 10, 2)


def test_an_unknown_member_of_a_family_names_the_closest():
    assert bound("cosin") == (None, ["schedule.name: unknown schedule 'cosin'. Did you mean 'cosine'?"])


def test_an_unknown_member_far_from_all_lists_the_family():
    _, (fault,) = bound("xxx")
    assert fault.endswith("Available: constant, cosine, inverse_sqrt, linear, polynomial.")


def test_an_unknown_option_names_the_closest_and_lists_what_the_builder_takes():
    found, faults = bound("cosine", warmup=1, floor=0, flor=1)
    assert found is None
    assert faults == [
        "schedule.flor: unknown key. Did you mean 'floor'? schedule 'cosine' takes: warmup, floor.",
    ]


def test_an_unknown_option_far_from_all_lists_what_the_builder_takes_once():
    _, faults = bound("linear", warmup=1, zzz=1)
    assert faults == ["schedule.zzz: unknown key. schedule 'linear' takes: warmup."]


def test_an_option_for_a_builder_without_any_is_told_so():
    _, faults = bound("all_tasks", "sampler", per_step="mixed")
    assert faults == ["schedule.per_step: unknown key. sampler 'all_tasks' takes: no options."]


def test_a_missing_option_is_told():
    assert bound("cosine", warmup=1) == (None, ["schedule.floor: missing"])


def test_an_option_of_the_wrong_type_is_told():
    assert bound("linear", warmup="x") == (None, ["schedule.warmup: must be a number; found 'x'"])


def test_all_faults_of_a_node_are_told_at_once():
    _, faults = bound("cosine", warmup="x", zzz=1)
    assert [fault.partition(":")[0] for fault in faults] == ["schedule.zzz", "schedule.floor", "schedule.warmup"]


def test_an_option_that_is_one_of_few_words_is_checked():
    _, faults = bound("uniform", "sampler", per_step="mixd")
    assert faults == ["schedule.per_step: 'mixd' is not one of 'mixed', 'one_task'. Did you mean 'mixed'?"]


def test_an_option_that_is_a_mapping_is_checked_member_by_member():
    _, faults = bound("explicit", "sampler", per_step="mixed", chances={"rte": "x"})
    assert faults == ["schedule.chances.rte: must be a number; found 'x'"]


def test_a_builder_that_refuses_a_value_is_told_by_the_node_s_key():
    found, _ = bound("cosine", warmup=0, floor=2)
    with pytest.raises(ConfigError, match=r"^schedule: floor must lie in \[0, 1\]; found 2.0$"):
        found.build(10)


def test_binding_does_not_call_the_builder():
    found, faults = bound("cosine", warmup=-1, floor=7)
    assert isinstance(found, Builder)
    assert faults == []


# The user's own builders

OWN = """
from dataclasses import dataclass

class Halving:
    def __init__(self, total: int, *, every: int, note: str = "none"):
        if every < 1:
            raise ValueError("every must be at least 1")
        self.total, self.every, self.note = total, every, note

def halving(total, *, every):
    return total, every

@dataclass(kw_only=True)
class Plain:
    every: int

class Empty:
    pass

number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_schedules_of_a_user.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "own_schedules_of_a_user"


def test_a_user_s_class_is_bound_by_its_dotted_name(own):
    found, faults = bound(f"{own}.Halving", every=5.0)
    assert faults == []
    built = found.build(100)
    assert (built.total, built.every, built.note) == (100, 5, "none")


def test_options_of_a_user_s_class_are_checked_as_ours_are(own):
    _, faults = bound(f"{own}.Halving", evry="x", note=False)
    assert faults == [
        f"schedule.evry: unknown key. Did you mean 'every'? schedule '{own}.Halving' takes: every, note.",
        "schedule.every: missing",
        f"schedule.note: must be a text; found False. {YAML_WORDS}",
    ]


def test_a_user_s_class_that_refuses_a_value_is_told_in_its_own_words(own):
    found, _ = bound(f"{own}.Halving", every=0)
    with pytest.raises(ConfigError, match=r"^schedule: every must be at least 1$"):
        found.build(100)


def test_a_user_s_function_without_annotations_takes_any_value(own):
    found, faults = bound(f"{own}.halving", every="often")
    assert faults == []
    assert found.build(7) == (7, "often")


def test_a_user_s_dataclass_and_class_without_init_are_bound(own):
    assert bound(f"{own}.Plain", every=2)[0].build().every == 2
    assert type(bound(f"{own}.Empty")[0].build()).__name__ == "Empty"


def test_a_target_whose_module_is_not_there_is_told():
    _, (fault,) = bound("no_such_module_anywhere.Thing")
    assert fault.startswith("schedule._target_: cannot import 'no_such_module_anywhere.Thing': No module named")


def test_a_target_that_its_module_does_not_have_is_told(own):
    _, (fault,) = bound(f"{own}.Doubling")
    assert f"cannot import '{own}.Doubling'" in fault


def test_a_target_that_cannot_be_called_is_told(own):
    assert bound(f"{own}.number") == (None, [f"schedule._target_: '{own}.number' cannot be called"])


@pytest.mark.parametrize("name", ["builtins.dict", "functools.partial", "collections.OrderedDict"])
def test_a_target_that_does_not_say_its_arguments_is_told(name):
    faults = []
    assert bind("kind", Node(name, {}), faults, "tasks.a.kind") is None
    says = f"'{name}' does not say which arguments it takes. Name a function or class written in Python."
    assert faults == [Fault("tasks.a.kind._target_", says)]


def test_a_target_that_takes_other_arguments_is_told_and_not_called():
    bound = bind("kind", Node("os.system", {}), [], "tasks.a.kind")
    with pytest.raises(
        ConfigError, match=r"tasks\.a\.kind: 'os\.system' cannot be called with 0 positional .*'command'"
    ):
        bound.build()


@pytest.mark.parametrize("target", [".Thing", "..own.Thing"])
def test_a_relative_target_is_told(target):
    _, (fault,) = bound(target)
    assert fault.startswith(f"schedule._target_: cannot import '{target}'")


def test_a_wrong_choice_beside_a_number_reads_as_one_sentence():
    assert bad(int | Literal["epoch", "end"], "EPOCH") == [
        "k: must be a whole number or one of 'epoch', 'end'; found 'EPOCH'. Did you mean 'epoch'?"
    ]


@pytest.mark.parametrize("name", [False, True, None])
def test_a_name_that_yaml_read_as_no_text_is_refused_and_not_renamed(name):
    assert bad(dict[str, int], {name: 1, "b": 2}) == [f"k: a name in it is {name}. {YAML_WORDS}"]


def test_a_long_value_is_cut_in_its_middle_and_stands_once():
    (problem,) = bad(int, "x" * 5000)
    assert len(problem) < 300
    assert "more characters" in problem


def test_ten_thousand_unknown_names_are_told_in_a_bounded_time_and_message():
    import time

    began = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        convert_or_raise(Inner, {**INNER, **{f"unknown_{i}": i for i in range(10_000)}})
    assert time.perf_counter() - began < 5
    assert len(str(caught.value)) < 5000
    assert str(caught.value).endswith("... and 9,980 more")
