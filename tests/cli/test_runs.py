"""`mtl runs`: one table over run folders, however they were made and however far they came."""

import csv
import io
import json

import pytest
import yaml

NOTE = "bundled sample, not GLUE"


@pytest.fixture
def outputs(tmp_path):
    """Make run folders: a config, and a summary or checkpoints if the run came so far."""
    folder = tmp_path / "outputs"
    folder.mkdir()

    def make(name, *, rte=None, mae=None, lr=1e-4, steps=0, checkpoint=False, note="", **config):
        run = folder / name
        run.mkdir(parents=True)
        values = {"seed": 1, "optim": {"lr": lr}, "run": {"name": name}, "tasks": {"rte": {"label": name}}, **config}
        (run / "config.yaml").write_text(yaml.safe_dump(values))
        (run / "env.json").write_text("{}")
        if checkpoint:
            (run / "checkpoints/step_000002").mkdir(parents=True)
        if rte is not None:
            tasks = {"rte": task(rte, accuracy=rte)}
            if mae is not None:
                tasks["size"] = task(mae, mae=mae)
            summary = {"status": "done", "mean": rte, "note": note, "tasks": tasks, "steps": steps, "seconds": 1.25}
            (run / "summary.json").write_text(json.dumps(summary))
        return run

    return make


def task(score, **metrics):
    return {
        "score": score,
        "metrics": [{"metric": n, "set_name": "validation", "value": v} for n, v in metrics.items()],
    }


def table(result):
    """Cells of a table; columns stand two spaces apart, and no cell of ours holds two."""
    assert result.code == 0, result.err
    head, rule, *lines = result.out.splitlines()
    starts = [0, *(i + 2 for i in range(len(rule) - 1) if rule[i : i + 2] == "  ")]
    ends = [*(s - 2 for s in starts[1:]), None]
    return [[line[a:b].strip() for a, b in zip(starts, ends, strict=True)] for line in (head, *lines)]


def names(result):
    return [row[0] for row in table(result)[1:]]


def test_scores_are_per_cent_in_the_table_and_what_varies_is_a_column(outputs, mtl):
    outputs("a", rte=0.5, steps=3)
    outputs("b", rte=0.625, lr=0.001, steps=3)
    assert table(mtl("runs", "ls")) == [
        ["run", "status", "optim.lr", "steps", "mean", "rte", "seconds"],
        ["a", "done", "0.0001", "3", "50.0", "50.0", "1.2"],
        ["b", "done", "0.001", "3", "62.5", "62.5", "1.2"],
    ]


def test_what_is_alike_and_what_says_where_is_no_column(outputs, mtl):
    outputs("a", rte=0.5, data={"root": "x", "limit": 5}, fabric={"devices": 1})
    outputs("b", rte=0.5, data={"root": "y", "limit": None}, fabric={"devices": 2})
    assert table(mtl("runs", "ls"))[0] == ["run", "status", "data.limit", "steps", "mean", "rte", "seconds"]


def test_runs_of_zeroshot_and_of_training_are_not_compared_by_the_keys_of_one_alone(outputs, mtl):
    outputs("a", rte=0.5, lr=1e-4)
    outputs("b", rte=0.5, lr=1e-3)
    answered = outputs("z", rte=0.5)
    answered.joinpath("config.yaml").write_text(
        yaml.safe_dump({"decide": {"hold": 100}, "input": {"file": "x.csv"}, "seed": 1})
    )
    outputs("broken").joinpath("config.yaml").write_text("")
    assert table(mtl("runs", "ls"))[0] == ["run", "status", "optim.lr", "steps", "mean", "rte", "seconds"]


def test_a_zeroshot_run_has_no_baselines(outputs, mtl):
    answered = outputs("z", rte=0.5)
    answered.joinpath("config.yaml").write_text(yaml.safe_dump({"decide": {"hold": 100}, "seed": 1}))
    for folder in ("outputs/z", "outputs"):
        result = mtl("runs", "compare", folder)
        assert (result.code, result.out) == (2, "")
        assert "of `mtl zeroshot`" in result.err
        assert "Engines are compared by mtl zeroshot -m" in result.err
        assert "damaged" not in result.err


def test_of_another_member_of_a_family_the_name_alone_is_shown(outputs, mtl):
    outputs("a", rte=0.5, sampler={"name": "uniform"})
    outputs("b", rte=0.5, sampler={"name": "temperature", "temperature": 5})
    assert table(mtl("runs", "ls"))[0][2:4] == ["sampler.name", "steps"]


def test_of_one_member_its_options_are_shown(outputs, mtl):
    outputs("a", rte=0.5, sampler={"name": "temperature", "temperature": 2})
    outputs("b", rte=0.5, sampler={"name": "temperature", "temperature": 5})
    assert table(mtl("runs", "ls"))[0][2:4] == ["sampler.temperature", "steps"]


def test_a_note_on_the_data_stands_beside_the_scores(outputs, mtl):
    outputs("a", rte=0.5, note=NOTE)
    outputs("b", rte=0.5)
    found = table(mtl("runs", "ls"))
    assert [row[-1] for row in found] == ["note", NOTE, ""]


def test_an_error_measure_is_no_per_cent(outputs, mtl):
    outputs("a", rte=0.5, mae=0.5)
    assert table(mtl("runs", "ls", "-c", "size,size/mae,rte/accuracy"))[1] == ["0.500", "0.500", "50.0"]


def test_runs_that_are_not_finished_say_how_far_they_came(outputs, mtl):
    outputs("a", rte=0.5, checkpoint=True)
    outputs("b", checkpoint=True)
    outputs("c")
    found = table(mtl("runs", "ls", "-c", "run,status,mean"))
    assert found[1:] == [["a", "done", "50.0"], ["b", "stopped", "-"], ["c", "started", "-"]]


def test_folders_of_sweeps_are_looked_into_and_evaluations_are_no_runs(outputs, mtl):
    run = outputs("sweep/optim.lr=1", rte=0.5)
    outputs("sweep/deeper/x", rte=0.5)
    outputs("z", rte=0.5)
    (run / "evals/v").mkdir(parents=True)
    for name in ("config.yaml", "env.json"):
        (run / "evals/v" / name).write_text("{}")
    (run.parent / "sweep.json").write_text("[]")
    (run.parent / "not_a_run").mkdir()
    assert names(mtl("runs", "ls")) == ["sweep/deeper/x", "sweep/optim.lr=1", "z"]
    assert names(mtl("runs", "ls", "outputs/sweep")) == ["deeper/x", "optim.lr=1"]


def test_a_run_itself_may_be_listed(outputs, mtl, monkeypatch):
    run = outputs("a", rte=0.5)
    assert names(mtl("runs", "ls", run)) == ["a"]
    monkeypatch.chdir(run)
    assert names(mtl("runs", "ls", ".")) == ["a"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("mean", ["b", "c", "a", "d"]),
        ("-mean", ["a", "c", "b", "d"]),
        ("-run", ["d", "c", "b", "a"]),
        ("steps", ["c", "a", "b", "d"]),
        ("-steps", ["b", "a", "c", "d"]),
        ("optim.lr", ["b", "a", "c", "d"]),
        ("status", ["a", "b", "c", "d"]),
    ],
)
def test_runs_are_sorted_either_way_with_missing_values_last(outputs, mtl, sort, order):
    outputs("d")
    outputs("a", rte=0.9, steps=20, lr=1e-4)
    outputs("b", rte=0.1, steps=100, lr=5e-5)
    outputs("c", rte=0.5, steps=3, lr=1e-4)
    assert names(mtl("runs", "ls", "--sort", sort)) == order


def test_numbers_come_before_texts(outputs, mtl):
    for name, every in (("a", "epoch"), ("b", 10), ("c", 9), ("d", "end")):
        outputs(name, eval={"every": every})
    assert names(mtl("runs", "ls", "-s", "eval.every")) == ["c", "b", "d", "a"]


def test_json_has_fractions_and_null_for_what_is_missing(outputs, mtl):
    outputs("a", rte=0.5, steps=3)
    outputs("b", optim={"betas": [0.9, 0.99]})
    found = json.loads(mtl("runs", "ls", "--json", "-c", "run,mean,steps,optim.betas").out)
    assert found == [
        {"run": "a", "mean": 0.5, "steps": 3, "optim.betas": None},
        {"run": "b", "mean": None, "steps": None, "optim.betas": [0.9, 0.99]},
    ]


def test_csv_holds_the_same(outputs, mtl):
    outputs("a,b", rte=0.625, note=NOTE)
    outputs("c")
    rows = list(csv.reader(io.StringIO(mtl("runs", "ls", "--csv", "-c", "run,rte,note").out)))
    assert rows == [["run", "rte", "note"], ["a,b", "0.625", NOTE], ["c", "", ""]]


def test_spaces_behind_the_commas_of_the_columns_do_no_harm(outputs, mtl):
    outputs("a", rte=0.5)
    assert table(mtl("runs", "ls", "-c", "run, rte")) == [["run", "rte"], ["a", "50.0"]]


@pytest.mark.parametrize("words", [("-c", "run,optim.lrr,stps"), ("-s", "-optim.lrr", "-c", "stps")])
def test_columns_that_no_run_has_get_suggestions_together(outputs, mtl, words):
    outputs("a", rte=0.5)
    result = mtl("runs", "ls", *words)
    assert (result.code, result.out) == (2, "")
    assert "no run has a column 'optim.lrr'. Did you mean 'optim.lr'?" in result.err
    assert "no run has a column 'stps'. Did you mean 'steps'?" in result.err


def test_json_and_csv_exclude_each_other(outputs, mtl):
    assert "give --json or --csv, not both" in mtl("runs", "ls", "--json", "--csv").err


def test_a_folder_without_runs_says_so(outputs, mtl):
    assert mtl("runs", "ls").out == "no runs yet\n"
    assert json.loads(mtl("runs", "ls", "--json", "--sort", "mean").out) == []


def test_a_folder_that_is_not_there_is_told(mtl):
    result = mtl("runs", "ls", "nowhere")
    assert (result.code, result.out) == (2, "")
    assert "there is no folder nowhere" in result.err


def test_the_environment_names_the_folder(outputs, mtl, tmp_path, monkeypatch):
    (outputs("a", rte=0.5).parent).rename(tmp_path / "elsewhere")
    monkeypatch.setenv("MTL_OUTPUTS", str(tmp_path / "elsewhere"))
    assert names(mtl("runs", "ls")) == ["a"]


def test_show_prints_the_summary_as_json(outputs, mtl):
    run = outputs("a", rte=0.5, steps=3)
    result = mtl("runs", "show", run)
    assert result.code == 0
    assert json.loads(result.out) == json.loads((run / "summary.json").read_text())


def test_show_of_a_run_that_is_not_finished_fails_and_of_none_is_refused(outputs, mtl):
    unfinished = mtl("runs", "show", outputs("a"))
    assert (unfinished.code, unfinished.out) == (1, "")
    assert "is not finished: it has no summary.json yet" in unfinished.err
    missing = mtl("runs", "show", "outputs/b")
    assert missing.code == 2
    assert "outputs/b holds no run (no config.yaml). Runs there: a." in missing.err


def test_a_real_run_is_listed_with_its_scores(trained, mtl):
    (row,) = json.loads(mtl("runs", "ls", trained.parent, "--json", "-c", "run,status,mean,steps,weights.rte").out)
    summary = json.loads((trained / "summary.json").read_text())
    assert row == {"run": "one", "status": "done", "mean": summary["mean"], "steps": 4, "weights.rte": 1.0}
    assert json.loads(mtl("runs", "show", trained).out) == summary


def test_links_in_circles_do_no_harm_and_no_run_is_listed_twice(outputs, mtl, tmp_path):
    outputs("sweep/a", rte=0.5)
    outputs("z/b", rte=0.25)
    (tmp_path / "outputs/again").symlink_to(tmp_path / "outputs")
    (tmp_path / "outputs/sweep/up").symlink_to("..")
    (tmp_path / "outputs/sweep/self").symlink_to("self")
    (tmp_path / "outputs/favourite").symlink_to("z/b")
    outputs("elsewhere/c", rte=0.75).rename(tmp_path / "c")
    (tmp_path / "outputs/zz").symlink_to(tmp_path / "c")
    assert names(mtl("runs", "ls", "-c", "run")) == ["sweep/a", "z/b", "zz"]


DAMAGE = {
    "empty": b"",
    "cut": b'{"status": "done", "tasks": {"r',
    "bytes": b"\xff\xfe\x00\x01",
    "list": b"[1, 2]",
    "number": b"3",
    "deep": b"[" * 100_000,
    "tasks are text": b'{"tasks": "rte"}',
    "tasks are numbers": b'{"tasks": {"rte": 3}}',
    "score is text": b'{"tasks": {"rte": {"score": "high", "metrics": []}}}',
    "metric is text": b'{"tasks": {"rte": {"score": 1, "metrics": ["accuracy"]}}}',
    "value is a list": b'{"tasks": {"rte": {"score": 1, "metrics": [{"metric": "f1", "set_name": "a", "value": [1]}]}}}',
    "nan": b'{"mean": NaN, "tasks": {}}',
    "huge": b'{"mean": 1e999, "tasks": {}}',
    "steps": b'{"steps": ' + b"9" * 30 + b"}",
    "more": b'{"unknown": ' + b"9" * 5000 + b"}",
    "status": b'{"status": ["done"]}',
    "folder": None,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_summary_is_a_row_of_the_table_and_a_message_of_show(outputs, mtl, how):
    outputs("whole", rte=0.5)
    summary = outputs("broken", rte=0.5) / "summary.json"
    summary.unlink()
    if DAMAGE[how] is None:
        summary.mkdir()
    else:
        summary.write_bytes(DAMAGE[how])
    rows = dict(row[:2] for row in table(mtl("runs", "ls", "-c", "run,status,mean,rte"))[1:])
    assert rows == {"broken": "unreadable", "whole": "done"}
    shown = mtl("runs", "show", "outputs/broken")
    assert (shown.code, shown.out) == (1, "")
    assert "outputs/broken/summary.json is" in shown.err
    compared = mtl("runs", "compare", "outputs/broken", "--baseline", "outputs/whole")
    assert (compared.code, compared.out) == (2, "")
    assert "outputs/broken/summary.json is" in compared.err


CONFIGS = {
    "empty": b"",
    "bytes": b"\xff\xfe\x00",
    "list": b"- 1",
    "cut": b"seed: {a: [",
    "deep": b"a: " + b"[" * 50_000,
    "code": b"a: !!python/object/apply:os.abort []",
    "number": b"a: " + b"9" * 5000,
    "bomb": b"a: &a [1,2,3,4,5,6,7,8,9,0]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in b"bcdefghi"),
    "itself": b"a: &a [*a]",
    "no": b"a: 2024-99-99",
}


@pytest.mark.parametrize("how", CONFIGS)
def test_a_damaged_config_is_a_row_of_the_table_and_a_message_elsewhere(outputs, mtl, how):
    outputs("whole", rte=0.5)
    (outputs("broken", rte=0.5) / "config.yaml").write_bytes(CONFIGS[how])
    rows = dict(row[:2] for row in table(mtl("runs", "ls", "-c", "run,status,mean"))[1:])
    assert rows == {"broken": "unreadable", "whole": "done"}
    shown = mtl("runs", "show", "outputs/broken")
    assert (shown.code, shown.out) == (2, "")
    assert "outputs/broken/config.yaml" in shown.err
    assert len(shown.err) < 600


def test_values_that_json_has_no_word_for_are_shown(outputs, mtl):
    run = outputs("a", rte=0.5)
    (run / "config.yaml").write_text("when: 2024-01-01\nset: !!set {a, b}\n1: 2\n")
    outputs("b", rte=0.25)
    assert [row["when"] for row in json.loads(mtl("runs", "ls", "-c", "run,when", "--json").out)] == [
        "2024-01-01",
        None,
    ]
    assert mtl("runs", "ls").code == 0


@pytest.mark.parametrize("path", ["x" * 300, "outputs/" + "y" * 5000, "a\0b"])
def test_names_that_the_system_refuses_are_told(outputs, mtl, path):
    for words in (("runs", "ls", path), ("runs", "show", path), ("runs", "compare", path)):
        result = mtl(*words)
        assert (result.code, result.out) == (2, "")
        assert "Traceback" not in result.err


def test_clean_lists_what_goes(outputs, mtl):
    run = outputs("a", rte=0.5)
    (run / ".env.json.0a1b2c3d").write_text("{")
    for words in (["--dry-run"], []):
        result = mtl("runs", "clean", *words)
        assert (result.code, result.out) == (0, "outputs/a/.env.json.0a1b2c3d\n")
    empty = mtl("runs", "clean")
    assert (empty.out, empty.err) == ("", "nothing to remove in outputs\n")
    assert not (run / ".env.json.0a1b2c3d").exists()
