import pytest

from mtl_cli.yaml_text import load_yaml

BOMB = "a0: &a0 [1,2]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "it holds more than 100,000 values"),
        ("a: &x [*x]", "it holds more than 100,000 values"),
        ("[" * 65 + "]" * 65, "it is nested deeper than 64 levels"),
        ("[" * 100_000, "exceeded maximum nesting depth"),
        ("- " * 70 + "a", "it is nested deeper than 64 levels"),
        ("a: [1", "did not find expected"),
        ("!!python/object/apply:os.abort []", "could not determine a constructor"),
    ],
)
def test_what_is_no_yaml_or_would_grow_without_bound_is_refused_in_a_line(text, says):
    with pytest.raises(ValueError, match=says) as caught:
        load_yaml(text)
    assert len(str(caught.value).splitlines()) == 1


def test_anchors_and_depth_within_reason_are_read():
    assert load_yaml("a: &x {b: 1}\nc: [*x, *x]\nd: {<<: *x, e: 2}") == {
        "a": {"b": 1}, "c": [{"b": 1}, {"b": 1}], "d": {"b": 1, "e": 2},
    }  # fmt: skip
    assert load_yaml("[" * 60 + "]" * 60) is not None
