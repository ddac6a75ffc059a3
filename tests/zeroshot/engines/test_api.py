import functools
import json
import logging
import math

import numpy as np
import pytest

from mtl_cli.errors import ConfigError, RunError
from mtl_cli.zeroshot.engines.api import api
from mtl_cli.zeroshot.scoring.cache import Cache
from tests.zeroshot.fakes import Asked, label, named
from tests.zeroshot.remote.server import likelihood, raw, serving, status

TEMPLATE = "Topic: {}."
TEXTS = ["Shares fell", "", "no", "a text of some length " * 30, "été ☕", "no"]
OPTIONS = {
    "model": "tiny", "key_env": "MTL_TEST_KEY", "answers": "auto", "rule": "sum", "lead": "", "join": "\n",
    "samples": 1, "batch": 8, "parallel": 4,
    "per_minute": None, "retries": 0, "timeout": 5.0, "text_chars": 8000, "body": {},
}  # fmt: skip

labels = functools.partial(named, template=TEMPLATE)


def engine(server, cache=None, several=False, **options):
    return api(Asked(cache=cache, several=several), **{**OPTIONS, "url": server and server.url, **options})


def expected(texts, words, rule=sum):
    return np.array([[rule(likelihood(f"{text}\nTopic:", f" {word}.")) for word in words] for text in texts])


# Log-probabilities


@pytest.mark.parametrize("options", [{"batch": 1}, {"batch": 3}, {"parallel": 1}, {"rule": "mean"}])
def test_scores_are_the_models_own_log_likelihoods(options):
    rule = np.mean if options.get("rule") == "mean" else sum
    with serving() as server:
        found = engine(server, **options).score(TEXTS, labels("sports", "big business", "été"))
    assert found.logits_NL == pytest.approx(expected(TEXTS, ("sports", "big business", "été"), rule), rel=1e-12)
    assert found.logits_NL.std(axis=0).min() > 0.1  # not the same for every text
    assert found.driver(0, 1) == ("Topic: big business.", found.logits_NL[0, 1])


@pytest.mark.parametrize(
    "options", [{"bos": "<s>"}, {"offsets": False}, {"spell": lambda token: token.replace(" ", "Ġ").replace("\n", "Ċ")}]
)
def test_servers_tell_tokens_in_their_ways(options):
    with serving(**options) as server:
        found = engine(server, answers="logprobs").score(["Shares fell"], labels("sports", "art")).logits_NL
    assert found == pytest.approx(expected(["Shares fell"], ("sports", "art")), rel=1e-12)


def test_any_word_of_a_label_counts_and_the_mean_of_its_templates():
    asked = [label("a", "yes", "no way", templates=("It: {}", "So: {}?")), label("b", "z", templates=("It: {}",))]
    with serving() as server:
        found = engine(server).score(["x"], asked).logits_NL
    own = [
        np.logaddexp(sum(likelihood(f"x\n{before}:", f" yes{after}")), sum(likelihood(f"x\n{before}:", f" no way{after}")))
        for before, after in (("It", ""), ("So", "?"))
    ]  # fmt: skip
    assert found[0, 0] == pytest.approx(np.mean(own), rel=1e-12)


def test_a_text_scores_the_same_alone_and_in_any_batch_and_order_of_texts_and_labels():
    names = [f"l{i}" for i in range(200)]
    with serving() as server:
        found = engine(server, batch=64).score(TEXTS[:3], labels(*names)).logits_NL
        back = engine(server, batch=7).score(TEXTS[2::-1], labels(*names[::-1])).logits_NL
        alone = engine(server).score(["no"], labels("l7")).logits_NL
    assert found.shape == (3, 200)
    assert (back[::-1, ::-1] == found).all()
    assert alone == found[2:, 7:8]


def test_a_request_holds_a_batch_of_prompts_and_no_prompt_is_asked_twice():
    with serving() as server:
        method = engine(server, batch=4)
        plan = method.plan(TEXTS, labels("sports", "art"))
        method.score(TEXTS, labels("sports", "art"))
        probe, *bodies = server.bodies()
    assert isinstance(probe["prompt"], str)
    assert [len(body["prompt"]) for body in sorted(bodies, key=lambda b: len(b["prompt"]))] == [2, 4, 4]
    assert len({prompt for body in bodies for prompt in body["prompt"]}) == 10
    assert plan.passes == 3
    assert plan.tokens == sum(math.ceil(len(p) / 4) for body in bodies for p in body["prompt"])
    assert {k: bodies[0][k] for k in ("model", "echo", "logprobs", "max_tokens", "temperature")} == {
        "model": "tiny", "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0,
    }  # fmt: skip


def test_the_body_may_be_added_to():
    with serving() as server:
        engine(server, body={"temperature": None, "logprobs": 5, "user": "me"}).score(["x"], labels("a", "b"))
    body = server.bodies()[0]
    assert (body["logprobs"], body["user"], "temperature" in body) == (5, "me", False)


def test_long_texts_are_cut_never_the_labels():
    with serving() as server:
        method = engine(server, text_chars=40)
        found = method.score(["word " * 100, "word " * 8], labels("sports", "art")).logits_NL
    assert found == pytest.approx(expected(["word " * 8] * 2, ("sports", "art")))
    assert method.truncated == 1


def test_the_cache_saves_requests(tmp_path):
    with serving() as server:
        first = engine(server, Cache(tmp_path)).score(TEXTS, labels("sports", "art")).logits_NL
        count = len(server.seen)
        again = engine(server, Cache(tmp_path)).score(TEXTS, labels("art", "sports")).logits_NL
        assert len(server.seen) == count + 1, "the first request finds out what the endpoint can do"
        engine(server, Cache(tmp_path), rule="mean").score(TEXTS[:1], labels("art"))
        assert len(server.seen) == count + 3
    assert (again[:, ::-1] == first).all()


def test_what_was_answered_before_a_failure_is_kept(tmp_path):
    texts = [f"text {i}" for i in range(40)]
    with serving() as server:
        method = engine(server, Cache(tmp_path), batch=64, answers="logprobs", parallel=1)
        method.score(texts[:1], labels("a", "b"))
        server.delay = functools.partial(_break_after, server, "text 31")
        with pytest.raises(RunError, match="HTTP 400"):
            method.score(texts, labels("a", "b"))
        server.delay, server.seen = (lambda body: 0.0), []
        assert method.score(texts, labels("a", "b")).logits_NL == pytest.approx(expected(texts, ("a", "b")))
        asked = {prompt for body in server.bodies() for prompt in body["prompt"]}
    assert {prompt.split("\n")[0] for prompt in asked} == set(texts[32:])


def _break_after(server, mark, body):
    """Refuse what comes after a request that holds the mark."""
    if mark in str(body["prompt"]):
        server.script.append(status(400))
    return 0.0


def test_a_label_without_words_is_refused_before_anything_is_asked():
    with serving() as server:
        with pytest.raises(ConfigError, match=r"labels\.none: has no words that could be likely: none=words"):
            engine(server).score(["x"], [label("none", " "), label("b", "b")])
        assert server.seen == []


def test_a_token_across_the_boundary_is_told_once(caplog):
    with serving() as server:
        engine(server).score(["x", "y"], named("sports", "art", template="Topic_{}"))
    assert caplog.text.count("the model's token at the beginning of 'sports' also holds 'Topic_' from before it") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"object": "list"}, "it has no choices"),
        ({"choices": []}, "it has no choices"),
        ({"choices": ["x"]}, "it has no choices"),
        ({"error": "overloaded"}, 'it has no choices. It begins: {"error": "overloaded"}'),
        ({"choices": [{"index": 0}, {"index": 1}]}, "1 prompts got 2 choices"),
        (b'{"choices": [{"logprobs": {"tokens": ["x", "y"], "token_logprobs": [-1]}}]}', "2 tokens have 1 log-prob"),
        (
            b'{"choices": [{"logprobs": {"tokens": ["x\\nTopic:", " a", "."], "token_logprobs": [null, NaN, -1]}}]}', "nan"
        ),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_used_is_shown(content, message):
    with (
        serving(script=[raw(content)]) as server,
        pytest.raises(RunError, match="gave an answer that cannot be used") as caught,
    ):
        engine(server).score(["x"], labels("a", "b"))
    assert message in str(caught.value)
    assert server.url in str(caught.value)


def test_a_server_that_takes_one_prompt_a_request_is_noticed():
    with serving() as server:
        method = engine(server)
        method.score(["x"], labels("a", "b"))
        one = json.dumps(server.reply("completions", {"prompt": "x", "echo": True})[1]).encode()
        server.script = [raw(one)]
        with pytest.raises(RunError, match=r"2 prompts got 1 choices\. If it takes one .*batch=1"):
            method.score(["z"], labels("a", "b"))


# Labels as answers


def shares(counts, samples):
    return np.log((np.array(counts) + 1 / len(counts)) / (samples + 1))


@pytest.mark.parametrize("echo", ["refused", "ignored", "none", "null"])
def test_an_endpoint_without_log_probabilities_is_asked_for_labels_and_says_so(echo, caplog):
    with serving(echo=echo, answer=lambda question, _: '{"label": "art"}') as server:
        found = engine(server).score(["x", "y"], labels("sports", "art", "food"))
        assert len(server.bodies("completions")) == 1
        # The first question finds the way.
        assert len(server.bodies("chat/completions")) == 3
    assert found.logits_NL == pytest.approx(np.array([shares([0, 1, 0], 1)] * 2))
    assert "no log-probabilities of a prompt can be had" in caplog.text
    assert "Scores now say how often it named each label" in caplog.text
    assert found.driver(0, 1) == ("art", found.logits_NL[0, 1])


def test_several_answers_a_text_are_counted():
    answers = ["sports", "art", "art", "none of these"]
    with serving(answer=lambda question, sample: answers[sample]) as server:
        found = engine(server, answers="labels", samples=4).score(["x"], labels("sports", "art")).logits_NL
        bodies = server.bodies("chat/completions")
    assert found == pytest.approx(shares([1, 2], 4)[None])
    assert {body["temperature"] for body in bodies} == {1}
    assert sorted(body["seed"] for body in bodies) == [0, 0, 1, 2, 3]


def test_the_question_holds_text_words_and_descriptions_and_the_answer_is_held_to_the_words():
    asked = [label("pos", "positive"), label("neg", "negative", description="a bad word")]
    with serving(
        answer=lambda question, _: "Negative." if "awful" in question.partition("Text:")[2] else '"positive"'
    ) as server:
        found = engine(server, answers="labels").score(["awful", "good"], asked).logits_NL
        body = server.bodies("chat/completions")[0]
    assert found.argmax(axis=1).tolist() == [1, 0]
    assert "- positive\n- negative: a bad word\n\nText:\nawful\n" in body["messages"][0]["content"]
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == ["positive", "negative"]
    assert body["temperature"] == 0


@pytest.mark.parametrize(
    ("refuses", "paths", "way", "entry"),
    [
        ((), ("chat/completions",), "a JSON schema", "response_format"),
        (("response_format",), ("chat/completions",), "structured_outputs.choice", "structured_outputs"),
        (("response_format", "structured_outputs"), ("chat/completions",), "guided_choice", "guided_choice"),
        (
            ("response_format", "structured_outputs", "guided_choice"),
            ("chat/completions",),
            "an instruction alone",
            "messages",
        ),
        (("echo",), ("completions",), "an instruction alone, as a completion", "prompt"),
    ],
)
def test_the_first_way_that_is_not_refused_is_taken(refuses, paths, way, entry, caplog):
    caplog.set_level(logging.INFO)
    with serving(refuses=refuses, paths=paths) as server:
        found = engine(server, answers="labels").score(["x", "y"], labels("sports", "art")).logits_NL
        last = server.seen[-1][1]
    assert found.argmax(axis=1).tolist() == [0, 0]
    assert f"labels are asked for with {way}\n" in caplog.text
    assert entry in last
    assert not {"response_format", "structured_outputs", "guided_choice"} & last.keys() - {entry}


def test_an_endpoint_that_refuses_everything_says_what_it_was_asked():
    with (
        serving(paths=()) as server,
        pytest.raises(RunError, match=r"v1/completions \(model tiny\) refuses .*HTTP 404: .*no route"),
    ):
        engine(server).score(["x"], labels("a", "b"))


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("art", 1), (" Art.\n", 1), ('"ART"', 1), ('{"label": "art"}', 1), ('```json\n{"label": "art"}\n```', 1), ("`big business`", 2),
        ("It is art", None), ("arts", None), ("", None), (None, None), ("art, sports", None), ('{"other": "art"}', None), ("3", None),
    ],
)  # fmt: skip
def test_an_answer_is_read_exactly(said, read):
    with serving(answer=lambda *_: said) as server:
        (found,) = engine(server, answers="labels").score(["x"], labels("sports", "art", "big business")).logits_NL
    counts = [int(i == read) for i in range(3)]
    assert found == pytest.approx(shares(counts, 1))


def test_answers_that_are_no_label_are_told_now_and_then(caplog):
    with serving(answer=lambda *_: "who knows?") as server:
        engine(server, answers="labels").score([str(i) for i in range(12)], labels("a", "b"))
    assert "counts for none (1 of 1 answers so far); it begins 'who knows?'" in caplog.text
    assert "(10 of 10 answers so far)" in caplog.text
    assert caplog.text.count("is no label") == 2


def test_answers_are_cached_for_all_labels_together(tmp_path):
    with serving() as server:
        first = (
            engine(server, Cache(tmp_path), answers="labels").score(["x", "y", "x"], labels("sports", "art")).logits_NL
        )
        count = len(server.seen)
        again = (
            engine(server, Cache(tmp_path), answers="labels").score(["y", "x", "x"], labels("sports", "art")).logits_NL
        )
        assert len(server.seen) == count
        engine(server, Cache(tmp_path), answers="labels").score(["y"], labels("sports", "art", "food"))
        assert len(server.seen) == count + 2
    assert (again == first).all()


def test_labels_that_answers_cannot_tell_apart_are_refused():
    with (
        serving() as server,
        pytest.raises(ConfigError, match=r"labels\.a: is called 'Yes', which an answer cannot tell"),
    ):
        engine(server, answers="labels").score(["x"], [label("a", "Yes"), label("b", "yes."), label("c")])


# What is asked wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": None, "model": None}, r"method\.url: is missing: .*\nmethod\.model: is missing"),
        ({"batch": 0, "samples": 0}, r"method\.samples: must be at least 1; found 0\nmethod\.batch"),
        ({"retries": -1}, r"method\.retries: must be at least 0; found -1"),
        ({"per_minute": 0.0}, r"method\.per_minute: must be above 0; found 0"),
        ({"timeout": 0.0}, r"method\.timeout: must be above 0"),
        ({"answers": "labels", "several": True}, r"method\.answers: labels: one .*; decide\.multi_label=true needs logprobs"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        engine(None, **{"url": "http://localhost:1/v1", **options})


@pytest.mark.parametrize("options", [{"answers": "logprobs"}, {"several": True}])
def test_answers_do_not_replace_log_probabilities_where_they_are_not_wanted(options):
    with serving(echo="refused") as server:
        with pytest.raises(
            ConfigError,
            match=r"method\.answers: logprobs cannot be had, and answers do not replace them here: .*'echo' is|echo is not",
        ):
            engine(server, **options).score(["x"], labels("a", "b"))
        assert server.bodies("chat/completions") == []


def test_texts_leave_the_machine_and_long_labels_score_lower():
    method = engine(None, url="http://localhost:1/v1")
    assert (method.remote, method.sums_tokens, method.identity) == (True, True, "tiny at http://localhost:1/v1")
    assert not engine(None, url="http://localhost:1/v1", rule="mean").sums_tokens
    assert not engine(None, url="http://localhost:1/v1", answers="labels").sums_tokens
