"""A task's data set as the texts of a question."""

import json

import pytest

TINY = ("backbone=tiny", "bootstrap=20")


def rows(folder, task, content):
    (folder / "data" / task).mkdir(parents=True, exist_ok=True)
    path = folder / "data" / task / "validation.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")


def answers(result):
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def test_texts_labels_and_gold_come_from_the_task_and_the_sample_says_what_it_is(mtl):
    result = mtl("zeroshot", *TINY, "task=sst2", "data.source=bundled")
    found = answers(result)
    assert len(found) == 60
    assert list(found[0]["scores"]) == ["negative", "positive"]
    assert {row["gold"] for row in found} == {"negative", "positive"}
    accuracy = next(line for line in result.err.splitlines() if " accuracy " in line)
    assert accuracy.endswith("60  bundled sample, not GLUE")


def test_label_matching_gives_its_phrases_as_words_and_rows_without_one_are_left_out(mtl, tmp_path):
    rows(
        tmp_path,
        "clinc_oos",
        [{"text": "what is my balance", "intent": "balance"}, {"text": "who am i", "intent": "oos"}] * 2,
    )
    result = mtl("zeroshot", *TINY, "task=match_clinc_oos", "data.root=data", "explain=true")
    found = answers(result)
    assert [row["gold"] for row in found] == ["balance"] * 2
    assert "rows of oos are left out: the task has no phrase for them" in result.err
    assert len(found[0]["scores"]) == 150
    assert "oos" not in found[0]["scores"]


def test_ids_are_read_by_the_tasks_own_order(mtl, tmp_path):
    rows(tmp_path, "ag_news", [{"text": "a", "label": 3}, {"text": "b", "label": 0}])
    found = answers(mtl("zeroshot", *TINY, "task=ag_news", "data.root=data"))
    assert [row["gold"] for row in found] == ["Sci/Tech", "World"]


def test_a_limit_takes_the_same_rows_whatever_the_seed_in_their_order(mtl):
    def texts(*words):
        return [row["text"] for row in answers(mtl("zeroshot", *TINY, "task=sst2", "data.source=bundled", *words))]

    every, some = texts(), texts("limit=7")
    assert len(some) == 7
    assert some == [text for text in every if text in some]
    assert texts("limit=7") == some == texts("limit=7", "seed=2")
    assert texts("limit=1000") == every


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("task=rte",), "'rte' reads pairs of texts, and a label belongs to one text"),
        (("task=stsb",), "'stsb' reads pairs of texts"),
        (("task=[sst2,cola]",), "one data set is asked at a time; found sst2, cola"),
        (("task=sst2", "--text", "x"), "names a data set, and there are texts too"),
        (("task=trec", "data.source=bundled"), "no validation rows found"),
    ],
)
def test_tasks_that_cannot_be_asked_are_told(mtl, words, message):
    result = mtl("zeroshot", *TINY, "data.source=bundled", *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
