import itertools

import pytest

from mtl_cli.config.compose import compose
from mtl_cli.config.sweep import Axis, axes, points, varied
from mtl_cli.errors import ConfigError


def test_points_are_the_product_of_all_values_with_the_last_one_fastest():
    assert points(["a=1,2", "b=x,y,z"]) == [[f"a={a}", f"b={b}"] for a, b in itertools.product("12", "xyz")]


def test_overrides_with_one_value_stand_in_every_point_at_their_place():
    assert points(["a=1", "b=2,3", "~c"]) == [["a=1", "b=2", "~c"], ["a=1", "b=3", "~c"]]


def test_without_several_values_there_is_one_point():
    assert points(["a=1", "b=[1,2]", "c={x:1,y:2}", "d='1,2'"]) == [["a=1", "b=[1,2]", "c={x:1,y:2}", "d='1,2'"]]
    assert points([]) == [[]]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=choice(x,y)", ["x", "y"]),
        ("a=range(3)", ["0", "1", "2"]),
        ("a=range(1,8,3)", ["1", "4", "7"]),
        ("a=range(0,1,0.25)", ["0.0", "0.25", "0.5", "0.75"]),
        ("a='x,y',z", ["'x,y'", "z"]),
        ('a="p q",r', ['"p q"', "r"]),
        ("a=[1,2],[3]", ["[1,2]", "[3]"]),
        ("a={x:1},{x:2}", ["{x:1}", "{x:2}"]),
        ("a=sort(3,1,2)", ["1", "2", "3"]),
        ("a=null,1", ["null", "1"]),
    ],
)
def test_several_values_become_one_override_each(text, values):
    assert points([text]) == [[f"a={value}"] for value in values]


@pytest.mark.parametrize("prefix", ["", "+", "++"])
def test_the_way_of_adding_is_kept(prefix):
    assert points([f"{prefix}a.b=1,2"]) == [[f"{prefix}a.b=1"], [f"{prefix}a.b=2"]]


def test_each_point_composes_to_its_own_values():
    found = [compose("train", point).values for point in points(["task=rte,[rte,mrpc]", "optim.lr=1e-5,5e-5"])]
    assert [(list(values["tasks"]), values["optim"]["lr"]) for values in found] == [
        (["rte"], 1e-5),
        (["rte"], 5e-5),
        (["rte", "mrpc"], 1e-5),
        (["rte", "mrpc"], 5e-5),
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("run='a,b','c d'", ["a,b", "c d"]),
        ('run="it\'s",x', ["it's", "x"]),
        (r"run=a\,b,c", ["a,b", "c"]),
    ],
)
def test_quoted_and_escaped_values_come_through_as_written(text, written):
    assert [compose("eval", point).values["run"] for point in points([text])] == written


def test_an_interpolation_among_the_values_is_still_one():
    found = [compose("zeroshot", point).values["seed"] for point in points(["seed=${max_length},2"])]
    assert found == [256, 2]


@pytest.mark.parametrize("text", ["optim.lr=interval(0,1)", "task=glob(*)"])
def test_what_lists_no_points_is_told(text):
    with pytest.raises(ConfigError, match=r"list no points; give values, range\(\) or choice\(\)"):
        points(["seed=1,2", text])


def test_a_range_without_values_is_told():
    with pytest.raises(ConfigError, match=r"^'seed=range\(0\)' holds no value\. Give values, such as KEY=1,2$"):
        points(["seed=range(0)"])


def test_what_is_no_override_is_told():
    with pytest.raises(ConfigError, match=r"^'foo bar' is not KEY=VALUE. Write key and value without spaces"):
        points(["seed=1,2", "foo bar"])


def test_only_what_varies_names_a_point():
    overrides = ["task=rte", "optim.lr=1,2", "seed=range(3)", "run.name='a,b'", "~weights.rte"]
    assert varied(overrides) == ["optim.lr=1,2", "seed=range(3)"]


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("weights.rte=interval(0.1,10)", Axis("weights.rte", 0.1, 10, True, False)),
        ("a=tag(linear,interval(0,1))", Axis("a", 0, 1, False, False)),
        ("a=int(interval(8,64))", Axis("a", 8, 64, True, True)),
        ("+a=x,y", Axis("+a", 0, 0, False, False, ("x", "y"))),
    ],
)
def test_an_axis_of_a_search(text, axis):
    assert axes(["b=1", text], "log") == [axis]


def test_a_value_of_an_axis_is_an_override_that_composes_to_it():
    value = 0.1 + 0.2
    (axis,) = axes(["optim.lr=interval(0.1,10)"], "log")
    assert compose("train", [axis.written(value)]).values["optim"]["lr"] == value
    (whole,) = axes(["batch.size=int(interval(8,64))"], "linear")
    assert whole.written(12.0) == "batch.size=12"
    assert [whole.probe(0), whole.probe(1)] == ["batch.size=8", "batch.size=64"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=interval(0,1)", r"a log scale begins above 0. For this one: tag\(linear,interval\(0.0,1.0\)\)"),
        ("a=interval(2,1)", "goes from less to more; found 2.0 and 1.0"),
        ("a=tag(lgo,interval(1,2))", "the tag of an interval is log or linear; found lgo"),
        ("a=1", "no override has a range"),
    ],
)
def test_an_axis_that_cannot_be_searched_is_told(text, message):
    with pytest.raises(ConfigError, match=message):
        axes([text], "log")
