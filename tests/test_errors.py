import pickle

import pytest

from mtl_cli.errors import ConfigError, DataError, Fault, Interrupted, MtlError, RunError, Suggestion, did_you_mean


def test_a_close_name_is_offered_alone():
    assert did_you_mean("rtee", ["sst2", "rte", "mrpc"]) == "Did you mean 'rte'?"


def test_the_closest_of_several_close_names_is_offered():
    assert did_you_mean("glue_mxi", ["glue", "glue_mix"]) == "Did you mean 'glue_mix'?"


def test_all_names_are_listed_in_order_when_none_is_close():
    assert did_you_mean("xxxx", ["sst2", "mrpc", "rte"]) == "Available: mrpc, rte, sst2."


def test_nothing_is_said_when_there_are_no_names():
    assert did_you_mean("rte", []) == ""


def test_names_may_come_from_any_iterable():
    assert did_you_mean("cola", {"cola": 1}.keys()) == "Did you mean 'cola'?"


def test_a_fault_is_shown_with_its_key():
    assert str(Fault("optim.lr", "must be a number")) == "optim.lr: must be a number"


def test_a_fault_without_a_key_is_shown_by_its_problem_alone():
    assert str(Fault("", "there is no folder x")) == "there is no folder x"


def test_a_config_error_shows_each_fault_on_its_own_line():
    error = ConfigError(Fault(key, "missing") for key in ("a", "b.c"))
    assert str(error) == "a: missing\nb.c: missing"
    assert [fault.key for fault in error.faults] == ["a", "b.c"]


def test_a_config_error_made_of_prose_holds_it_as_one_fault():
    error = ConfigError("there is no folder x")
    assert error.faults == [Fault("", "there is no folder x")]
    assert str(error) == "there is no folder x"


@pytest.mark.parametrize(("error", "code"), [(RunError("x"), 1), (DataError("x"), 2), (ConfigError("x"), 2)])
def test_what_was_asked_wrong_exits_with_2_and_what_failed_with_1(error, code):
    assert isinstance(error, MtlError)
    assert error.exit_code == code


@pytest.mark.parametrize(("signal_number", "code"), [(2, 130), (15, 143)])
def test_an_interrupted_run_exits_as_shells_have_it(signal_number, code):
    error = Interrupted("saved", signal_number)
    assert (str(error), error.exit_code) == ("saved", code)
    assert MtlError.exit_code == 1


def test_an_interruption_says_what_is_left_and_how_to_go_on_at_its_end():
    error = Interrupted("stopped at step 3, state saved", 2, "1 more run is left", "mtl train run.name=x")
    assert str(error) == "stopped at step 3, state saved. 1 more run is left. To go on: mtl train run.name=x"
    assert (error.what, error.resume_command) == ("stopped at step 3, state saved", "mtl train run.name=x")


@pytest.mark.parametrize(
    "error",
    [Interrupted("saved", 15, "2 runs are left", "mtl x"), DataError("no rows", "rte"), ConfigError([Fault("a", "b")])],
)
def test_an_error_crosses_processes_whole(error):
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_a_fault_of_data_names_its_task_once():
    error = DataError("x.csv: the file has no rows").of_task("rte")
    assert str(error) == "task 'rte': x.csv: the file has no rows"
    assert str(Fault(f"tasks.{error.task}", error.problem)) == "tasks.rte: x.csv: the file has no rows"


def test_a_fault_moves_to_another_section():
    fault = Fault("diagnostics.every", "must be more than 0")
    assert fault.with_prefix("measure", instead_of="diagnostics").key == "measure.every"
    assert fault.with_prefix("measure", instead_of="diag") == fault
    assert fault.with_prefix("", instead_of="diagnostics").key == "every"
    assert fault.with_prefix("run").key == "run.diagnostics.every"
    assert Fault("", "is empty").with_prefix("run").key == "run"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("rtee", "Did you mean 'rte'?"), ("r\u200bte", "Did you mean 'rte'? It looks the same: found U+200B"), ("x", "")],
)
def test_a_suggestion_says_only_what_is_close_if_asked(name, sentence):
    assert Suggestion.of(name, ["sst2", "rte"]).if_close.startswith(sentence)
    assert bool(Suggestion.of(name, ["sst2", "rte"]).if_close) == bool(sentence)
