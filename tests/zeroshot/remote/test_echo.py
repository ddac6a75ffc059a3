import pytest

from mtl_cli.zeroshot.remote.echo import Echo, NoEchoError, Prompt, read_echo

PROMPT = Prompt("Shares fell.\nTopic:", " big business.")
TOKENS = ["Shares", " fell", ".", "\n", "Topic", ":", " big", " business", "."]
VALUES = [None, -1.0, -2.0, -3.0, -4.0, -5.0, -0.5, -0.25, -0.125]
OFFSETS = [0, 6, 11, 12, 13, 18, 19, 23, 32]


def choice(tokens=TOKENS, values=VALUES, **more):
    return {"logprobs": {"tokens": list(tokens), "token_logprobs": list(values), **more}}


def test_the_tokens_of_the_scored_end_are_summed():
    assert read_echo(choice(), PROMPT) == Echo(-0.875, 3, "")


@pytest.mark.parametrize("generated", [" and", "", ".", " big business."])
def test_a_token_that_was_generated_does_not_count(generated):
    assert read_echo(choice([*TOKENS, generated], [*VALUES, -9.0]), PROMPT) == Echo(-0.875, 3, "")


def test_a_token_at_the_begin_of_the_text_and_broken_characters_move_nothing():
    tokens = ["<s>", "�", "�", *TOKENS, " and"]
    prompt = Prompt(f"é{PROMPT.context}", PROMPT.scored)
    offsets = [0, 3, 4, *(o + 5 for o in OFFSETS), 38]
    assert read_echo(choice(tokens, [None, -1, -1, -1, *VALUES[1:], -9.0], text_offset=offsets), prompt) == Echo(
        -0.875, 3, ""
    )


@pytest.mark.parametrize("more", [[], ["Ġand"]])
def test_where_tokens_are_not_spelt_as_text_their_offsets_tell(more):
    tokens = [token.replace(" ", "Ġ").replace("\n", "Ċ") for token in TOKENS] + more
    offsets = OFFSETS + [33] * len(more)
    assert read_echo(choice(tokens, VALUES + [-9.0] * len(more), text_offset=offsets), PROMPT) == Echo(-0.875, 3, "")
    with pytest.raises(NoEchoError, match="are not those of the prompt"):
        read_echo(choice(tokens, VALUES + [-9.0] * len(more)), PROMPT)


def test_a_token_across_the_boundary_counts_whole_and_is_told():
    tokens, values = [*TOKENS[:4], "Topic", ": big", " business", "."], [*VALUES[:5], -7.0, -0.25, -0.125]
    assert read_echo(choice(tokens, values), PROMPT) == Echo(-7.375, 3, ":")


@pytest.mark.parametrize(
    "given",
    [
        {}, {"logprobs": None}, choice([], []), choice([" and"], [-1.0], text_offset=[33]), choice([" and"], [-1.0], text_offset=[0]),
        choice([" big"], [-1.0], text_offset=[0]), choice(TOKENS, [None] * 9), choice(TOKENS, [*VALUES[:7], None, -1.0]),
    ],
)  # fmt: skip
def test_an_echo_that_is_not_there_is_noticed(given):
    with pytest.raises(NoEchoError):
        read_echo(given, PROMPT)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (choice(TOKENS, VALUES[:-1]), "9 tokens have 8 log-probabilities"),
        (choice(TOKENS, [*VALUES[:-1], float("nan")]), "nan.* are not numbers"),
        (choice(TOKENS, [*VALUES[:-1], "x"]), "'x'.* are not numbers"),
        (choice(TOKENS, [*VALUES[:-1], 0.5]), "0.5.* are above 0"),
        (choice([*TOKENS[:-1], 3]), "are not lists of texts and numbers"),
    ],
)
def test_an_echo_that_is_wrong_is_an_error(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_echo(given, PROMPT)
    assert not isinstance(caught.value, NoEchoError)
