import copy
import pickle

import pytest

from mtl_cli.redact import as_written, forget, from_environment, hide, is_variable, redact, redacted_words


@pytest.fixture(autouse=True)
def _nothing_hidden():
    forget()
    yield
    forget()


@pytest.mark.parametrize("value", ["a long secret", 12, 0.5])
def test_a_value_of_the_environment_knows_how_it_was_written_wherever_it_is_carried(value):
    made = from_environment(value, "${oc.env:X}")
    assert made == value
    for carried in (made, copy.deepcopy({"a": [made]})["a"][0], pickle.loads(pickle.dumps(made))):  # noqa: S301
        assert as_written({"a": [carried]}) == {"a": ["${oc.env:X}"]}


def test_truths_and_lists_from_the_environment_are_refused():
    with pytest.raises(TypeError, match="not bool"):
        from_environment(True, "${oc.env:X}")


def test_a_message_holds_neither_values_of_the_environment_nor_keys():
    hide("/very/secret", "${oc.env:X}")
    hide("x", "${oc.env:SHORT}")
    assert redact("there is no /very/secret/x") == "there is no ${oc.env:X}/x"
    assert redact("found sk-abcdefghijklmnopqrstuvwx.") == "found sk-... (27 characters, not shown)."


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("method.key_env=OPENAI_API_KEY", "method.key_env=OPENAI_API_KEY"),
        ("method.key_env=sk-abcdefghijklmnopqrstuvwx", "method.key_env=sk-... (27 characters, not shown)"),
        ("method.key_env=a8f5f167f44f4964e6c998dee827110c", "method.key_env=a8f... (32 characters, not shown)"),
        ("+method.body.api_key=abc123abc", "+method.body.api_key=abc... (9 characters, not shown)"),
        ("password=${oc.env:P}", "password=${oc.env:P}"),
        ("seed=3", "seed=3"),
        ("batch.micro_tokens=512", "batch.micro_tokens=512"),
        ("--text", "--text"),
    ],
)
def test_a_command_line_is_kept_without_what_looks_like_a_secret(word, shown):
    assert redacted_words([word]) == [shown]


@pytest.mark.parametrize(
    ("text", "holds"), [("OPENAI_API_KEY", True), ("my_key", True), ("MYKEY2", True), ("a b", False), ("", False)]
)
def test_names_of_variables(text, holds):
    assert is_variable(text) is holds
