"""A run writes into one folder and no other: moves, replacements and links."""

import os

import pytest

from mtl_cli.errors import ConfigError, RunError
from mtl_cli.runs.folder import RunFolder, begin, open_run
from mtl_cli.runs.place import Place, refuse_links


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "outputs" / "run"
    (path / "checkpoints/step_000001/encoder").mkdir(parents=True)
    (path / "predictions").mkdir()
    (path / "metrics.jsonl").write_text("")
    begin(path, {"seed": 1}, [])
    return path


def elsewhere(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "precious.txt").write_text("x")
    return folder


@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_a_folder_that_was_moved_removed_or_replaced_is_told(run, how):
    place = Place.of(run)
    place.check()
    run.rename(run.with_name("other"))
    if how == "replaced":
        run.mkdir()
    words = "was replaced by another folder" if how == "replaced" else "has gone: it was removed or moved"
    with pytest.raises(RunError, match=f"run {words} while it was written to. Nothing was written or deleted"):
        place.check()


def test_an_inode_that_is_used_again_is_no_return_of_the_folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run/.lock").unlink()
    (tmp_path / "run").rmdir()
    for _ in range(50):
        (tmp_path / "run").mkdir()
        assert not folder.place.is_there
        (tmp_path / "run").rmdir()
    folder.close()


def test_an_unstarted_folder_goes_with_what_was_written_before_the_start_alone(tmp_path):
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run/env.json").write_text("{}")
    folder.discard_unstarted()
    folder.close()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["thesis.tex", "config.yaml", "metrics.jsonl"])
def test_an_unstarted_folder_with_anything_else_stays_whole(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run/env.json").write_text("{}")
    (tmp_path / "run" / name).write_text("x")
    folder.discard_unstarted()
    folder.close()
    assert {p.name for p in (tmp_path / "run").iterdir()} == {".lock", "env.json", name}


def test_a_started_folder_that_was_emptied_is_not_deleted(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.begin({"seed": 1}, [])
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    folder.discard_unstarted()
    folder.close()
    assert (tmp_path / "run").is_dir()


def test_a_folder_that_took_the_place_of_an_unstarted_one_stays(tmp_path):
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")
    with_lock = RunFolder(tmp_path / "run")
    folder.discard_unstarted()
    assert (tmp_path / "run/.lock").exists()
    folder.close()
    with_lock.close()


@pytest.mark.parametrize(
    "name",
    ["log.txt", "metrics.jsonl", "predictions", "predictions/a.validation.jsonl", "checkpoints", "evals", "evals/x",
     "checkpoints/step_000001", "checkpoints/step_000001/encoder", "checkpoints/step_000001/state.json", "summary.json"],
)  # fmt: skip
def test_a_link_in_a_run_folder_is_refused_by_its_name(run, tmp_path, name):
    target = elsewhere(tmp_path)
    link = run / name
    if link.is_dir():
        link.rename(tmp_path / "aside")
    link.unlink(missing_ok=True)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)
    with pytest.raises(
        ConfigError, match=f"{name} is a link to .*elsewhere: what is written in a run folder stays there"
    ):
        open_run(run, "resume")
    assert (target / "precious.txt").read_text() == "x"


@pytest.mark.parametrize("target", ["step_000001/../..", "../../elsewhere", "/tmp", "."])
def test_best_and_last_name_a_step_next_to_them_and_nothing_else(run, target):
    (run / "checkpoints/best").symlink_to("step_000001")
    refuse_links(run)
    (run / "checkpoints/last").symlink_to(target)
    with pytest.raises(ConfigError, match="checkpoints/last is a link to"):
        refuse_links(run)


@pytest.mark.parametrize("name", ["metrics.jsonl", "log.txt", "predictions/input.jsonl"])
def test_a_second_name_of_a_file_that_is_written_in_place_is_refused(run, tmp_path, name):
    (tmp_path / "mine.txt").write_text("x")
    (run / name).unlink(missing_ok=True)
    os.link(tmp_path / "mine.txt", run / name)
    with pytest.raises(ConfigError, match=rf"{name} has a second name \(a hard link\)"):
        open_run(run, "resume")
    assert (tmp_path / "mine.txt").read_text() == "x"


@pytest.mark.parametrize("how", ["link", "hard link", "file", "pipe"])
def test_what_is_no_lock_of_mtl_is_left_as_it_is(tmp_path, how):
    mine = tmp_path / "mine"
    mine.write_text("alias ls='ls -l'\n")
    lock = tmp_path / "run/.lock"
    lock.parent.mkdir()
    if how == "link":
        lock.symlink_to(mine)
    elif how == "hard link":
        os.link(mine, lock)
    elif how == "pipe":
        os.mkfifo(lock)
    else:
        lock.write_text("my own")
    with pytest.raises(ConfigError, match=r"\.lock is (a link, )?not a lock file of mtl"):
        RunFolder(tmp_path / "run")
    assert mine.read_text() == "alias ls='ls -l'\n"
    assert how != "file" or lock.read_text() == "my own"


def test_a_folder_of_runs_may_be_a_link_and_one_of_its_runs_may_not(tmp_path, run):
    outputs = tmp_path / "linked"
    outputs.symlink_to(run.parent)
    open_run(outputs / "run", "resume", outputs=outputs).close()
    (run.parent / "series").mkdir()
    (run.parent / "series/seed_1").symlink_to(elsewhere(tmp_path))
    with pytest.raises(ConfigError, match=r"seed_1 is a link to .*elsewhere: runs are written in the folder itself"):
        open_run(outputs / "series/seed_1", "resume", outputs=outputs)
