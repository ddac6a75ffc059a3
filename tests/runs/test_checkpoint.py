import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from mtl_cli.digest import content_digest
from mtl_cli.errors import ConfigError, RunError
from mtl_cli.runs.checkpoint import Checkpoints, Contents, verified
from mtl_cli.runs.place import Place


class Killed(BaseException):
    """Stands for the end of the process."""


def encoder(folder):
    folder.mkdir()
    (folder / "config.json").write_text('{"layers": 2}')


def contents(value=1.0, save_encoder=encoder, **state):
    model = {"heads.a": torch.full((2, 3), value), "heads.b": torch.arange(4.0).view(2, 2).T}
    return Contents(save_encoder, model, {"optimizer.0.step": torch.tensor(value)}, {"step": 1, **state})


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def saved(checkpoints, *steps):
    for step in steps:
        checkpoints.save(step, contents(float(step)))
    return checkpoints


def names(checkpoints):
    return sorted(p.name for p in checkpoints.folder.iterdir())


def damage(file, how):
    content = file.read_bytes()
    if how == "cut":
        file.write_bytes(content[:-1])
    elif how == "changed":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        file.unlink()


def test_a_checkpoint_gives_back_what_was_saved_bit_for_bit(checkpoints):
    path = checkpoints.save(12, contents(0.1, floats=[0.1, 1e-300], text="ä", nothing=None))
    found = verified(path)
    assert path.name == "step_000012"
    assert found.state == {"step": 1, "floats": [0.1, 1e-300], "text": "ä", "nothing": None}
    assert torch.equal(found.model()["heads.a"], contents(0.1).model["heads.a"])
    assert torch.equal(found.model()["heads.b"], contents(0.1).model["heads.b"])
    assert torch.equal(found.training()["optimizer.0.step"], torch.tensor(0.1))
    assert (found.encoder / "config.json").is_file()


def test_nothing_in_a_checkpoint_is_pickled(checkpoints):
    path = checkpoints.save(1, contents())
    files = [p for p in path.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".json", ".safetensors"}
    assert not any(b"torch" in p.read_bytes() for p in files)


def test_the_manifest_lists_every_other_file(checkpoints):
    path = checkpoints.save(1, contents())
    listed = set(json.loads((path / "manifest.json").read_text()))
    assert listed == {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()} - {"manifest.json"}


@pytest.mark.parametrize("name", ["encoder/config.json", "heads.safetensors", "training.safetensors", "state.json"])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("cut", "has [0-9,]+ bytes instead of [0-9,]+"),
        ("changed", "has changed since it was saved"),
        ("gone", "is missing"),
    ],
)
def test_a_damaged_file_is_named(checkpoints, name, how, words):
    path = checkpoints.save(1, contents())
    damage(path / name, how)
    with pytest.raises(RunError, match=rf"step_000001 is damaged: .*{name}.* ?{words}"):
        verified(path)


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_missing_or_cut_manifest_is_told(checkpoints, how):
    path = checkpoints.save(1, contents())
    damage(path / "manifest.json", "gone")
    if how == "cut":
        (path / "manifest.json").write_text('{"state.json": {"by')
    with pytest.raises(RunError, match=r"no readable manifest.json, so it was not written to its end"):
        verified(path)


def test_no_changed_byte_of_a_manifest_ends_in_anything_but_a_message(checkpoints):
    path = checkpoints.save(1, contents())
    whole = (path / "manifest.json").read_bytes()
    for at in range(whole.index(b"}")):
        (path / "manifest.json").write_bytes(
            whole[:at] + bytes([whole[at] ^ (0x80 if at % 3 == 0 else 0x01)]) + whole[at + 1 :]
        )
        told = []
        assert checkpoints.newest(told.append) is not None or "damaged" in told[0]


def test_the_newest_whole_checkpoint_is_found_by_number_not_by_name(checkpoints):
    saved(checkpoints, 999_999, 1_000_000)
    assert checkpoints.newest(pytest.fail).path.name == "step_1000000"


def test_damaged_ones_are_passed_over_aloud(checkpoints):
    saved(checkpoints, 1, 2, 3)
    damage(checkpoints.folder / "step_000003" / "heads.safetensors", "cut")
    damage(checkpoints.folder / "step_000002" / "manifest.json", "gone")
    told = []
    assert checkpoints.newest(told.append).path.name == "step_000001"
    assert "step_000003 is damaged: heads.safetensors" in told[0]
    assert "step_000002 is damaged: it has no readable manifest" in told[1]
    assert all(text.endswith("Passed over for the one before it.") for text in told)


def test_without_a_whole_checkpoint_there_is_none(checkpoints):
    assert checkpoints.newest(pytest.fail) is None
    saved(checkpoints, 1)
    damage(checkpoints.folder / "step_000001" / "state.json", "gone")
    assert checkpoints.newest(lambda text: None) is None


def test_a_users_copy_beside_the_checkpoints_is_left_alone(checkpoints):
    saved(checkpoints, 1, 2)
    shutil.copytree(checkpoints.folder / "step_000001", checkpoints.folder / "step_000001_copy")
    assert checkpoints.newest(pytest.fail).path.name == "step_000002"
    checkpoints.prune(1)
    assert names(checkpoints) == ["last", "step_000001_copy", "step_000002"]


def test_the_same_step_is_replaced(checkpoints):
    saved(checkpoints, 1)
    checkpoints.save(1, contents(7.0))
    assert checkpoints.newest(pytest.fail).training()["optimizer.0.step"] == 7.0
    assert names(checkpoints) == ["last", "step_000001"]


@pytest.mark.parametrize(("moves", "value"), [(0, 1.0), (1, 1.0), (2, 7.0)])
def test_a_kill_while_a_step_is_replaced_leaves_the_old_or_the_new_one(checkpoints, monkeypatch, moves, value):
    saved(checkpoints, 1)
    move, done = Path.rename, []

    def until_killed(self, target):
        if len(done) == moves:
            raise Killed
        done.append(self)
        return move(self, target)

    def no_more(*args, **kwargs):
        if len(done) == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", until_killed)
        patch.setattr(shutil, "rmtree", no_more)
        with pytest.raises(Killed):
            checkpoints.save(1, contents(7.0))
    assert names(checkpoints) != ["last", "step_000001"]
    checkpoints.recover()
    assert checkpoints.newest(pytest.fail).training()["optimizer.0.step"] == value
    assert names(checkpoints) == ["last", "step_000001"]


def test_recovering_what_is_whole_changes_nothing(checkpoints):
    saved(checkpoints, 1, 2)
    before = names(checkpoints)
    checkpoints.recover()
    assert names(checkpoints) == before


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "full"), "no space left to write in .*what was saved before is whole"),
        (OSError(errno.EACCES, "closed"), "permission denied: "),
        (SafetensorError("I/O error: full"), "I/O error: full. What was saved before is whole"),
    ],
)
def test_a_save_that_fails_is_explained_and_leaves_those_before(checkpoints, error, words):
    def failing(folder):
        encoder(folder)
        raise error

    saved(checkpoints, 1, 2)
    with pytest.raises(RunError, match=words):
        checkpoints.save(2, contents(9.0, failing))
    assert names(checkpoints) == ["last", "step_000001", "step_000002"]
    assert checkpoints.find("last").training()["optimizer.0.step"] == 2.0


def test_a_file_in_the_place_of_the_folder_is_explained(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(RunError, match="cannot write in"):
        Checkpoints(tmp_path / "checkpoints").save(1, contents())


def test_pruning_keeps_the_newest_and_the_best(checkpoints):
    saved(checkpoints, 1, 2, 3, 4, 5)
    checkpoints.point("best", 2)
    checkpoints.prune(2)
    assert names(checkpoints) == ["best", "last", "step_000002", "step_000004", "step_000005"]


def test_pruning_keeps_the_last_when_damaged_ones_have_higher_steps(checkpoints):
    saved(checkpoints, 1, 4)
    damage(checkpoints.folder / "step_000004" / "state.json", "cut")
    saved(checkpoints, 2)
    checkpoints.prune(1)
    assert checkpoints.find("last").path.name == "step_000002"


def test_links_name_folders_beside_them_so_that_a_run_can_be_moved(checkpoints, tmp_path):
    saved(checkpoints, 1, 2)
    checkpoints.point("best", 1)
    checkpoints.point("best", 2)
    checkpoints.folder.rename(tmp_path / "moved")
    assert Checkpoints(tmp_path / "moved").find("best").path.name == "step_000002"


def test_dropping_the_training_state_keeps_every_checkpoint_valid(checkpoints):
    saved(checkpoints, 1, 2)
    checkpoints.drop_training_state()
    checkpoints.drop_training_state()
    for path in checkpoints.steps():
        assert set(verified(path).model()) == {"heads.a", "heads.b"}
        with pytest.raises(
            RunError, match=r"no optimiser state: the run was finished without checkpoint.keep_optimizer=true"
        ):
            verified(path).training()


def test_dropping_the_training_state_does_not_make_a_damaged_checkpoint_look_whole(checkpoints):
    saved(checkpoints, 1, 2, 3)
    damage(checkpoints.folder / "step_000001" / "heads.safetensors", "cut")
    damage(checkpoints.folder / "step_000002" / "manifest.json", "gone")
    checkpoints.drop_training_state()
    for step in (1, 2):
        with pytest.raises(RunError, match="is damaged"):
            verified(checkpoints.folder / f"step_00000{step}")
    verified(checkpoints.folder / "step_000003")


def test_a_kill_while_the_training_state_is_dropped_leaves_valid_checkpoints(checkpoints, monkeypatch):
    def killed(self, missing_ok=False):
        raise Killed

    saved(checkpoints, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Killed):
            checkpoints.drop_training_state()
    verified(checkpoints.folder / "step_000001")
    checkpoints.drop_training_state()
    assert not (checkpoints.folder / "step_000001" / "training.safetensors").exists()


def test_a_checkpoint_is_found_by_link_by_name_and_by_path(checkpoints):
    saved(checkpoints, 1, 2)
    checkpoints.point("best", 1)
    assert [checkpoints.find(n).path.name for n in ("best", "last", "step_000001")] == [
        "step_000001",
        "step_000002",
        "step_000001",
    ]
    assert checkpoints.find(str(checkpoints.folder / "step_000002")).path.name == "step_000002"


def test_an_unknown_checkpoint_is_refused_with_those_that_there_are(checkpoints):
    saved(checkpoints, 1, 2)
    with pytest.raises(
        ConfigError, match=r"there is no 'step_000003' in .*Available: step_000001, step_000002, last\."
    ):
        checkpoints.find("step_000003")


def test_a_run_without_checkpoints_says_so(checkpoints):
    with pytest.raises(ConfigError, match=r"there is no 'best' in .*Available: none\."):
        checkpoints.find("best")


def test_a_checkpoint_without_manifest_is_called_damaged_not_absent(checkpoints):
    saved(checkpoints, 1)
    damage(checkpoints.folder / "step_000001" / "manifest.json", "gone")
    with pytest.raises(RunError, match="step_000001 is damaged: it has no readable manifest"):
        checkpoints.find("step_000001")


def at(step, best):
    return contents(float(step), step=step, selector={"best_step": best})


def save(checkpoints, step, best):
    """A save as the recorder makes it."""
    checkpoints.save(step, at(step, best))
    if best == step:
        checkpoints.point("best", step)


def linked(checkpoints):
    return {link: (checkpoints.folder / link).readlink().name for link in ("best", "last")}


@pytest.mark.parametrize(("best", "kept"), [(2, ["step_000002"]), (1, ["step_000001", "step_000002"])])
@pytest.mark.parametrize("links", [[], ["last"], ["last", "best"]])
def test_a_kill_between_a_move_and_its_links_loses_neither_best_nor_last(checkpoints, monkeypatch, best, kept, links):
    save(checkpoints, 1, 1)
    with monkeypatch.context() as patch:
        point = Checkpoints.point
        patch.setattr(Checkpoints, "point", lambda self, link, step: link in links and point(self, link, step))
        save(checkpoints, 2, best)
    assert checkpoints.find("last").path.name == "step_000002"
    assert checkpoints.find("best").path.name == f"step_00000{best}"
    found = checkpoints.newest(pytest.fail)
    checkpoints.follow(found.progress)
    checkpoints.prune(1)
    assert linked(checkpoints) == {"best": f"step_00000{best}", "last": "step_000002"}
    assert names(checkpoints) == ["best", "last", *kept]


def test_a_whole_checkpoint_whose_best_one_is_lost_is_passed_over(checkpoints):
    save(checkpoints, 1, 1)
    save(checkpoints, 2, 2)
    save(checkpoints, 3, 2)
    damage(checkpoints.folder / "step_000002" / "heads.safetensors", "cut")
    told = []
    assert checkpoints.newest(told.append).path.name == "step_000001"
    assert "step_000002 is damaged" in told[0]


def test_if_every_best_one_is_lost_the_newest_whole_one_is_taken(checkpoints):
    save(checkpoints, 2, 1)
    save(checkpoints, 3, 1)
    told = []
    found = checkpoints.newest(told.append)
    assert found.path.name == "step_000003"
    checkpoints.follow(found.progress)
    assert names(checkpoints) == ["last", "step_000002", "step_000003"]


def test_a_kill_while_a_checkpoint_is_deleted_leaves_no_damaged_one(checkpoints, monkeypatch):
    saved(checkpoints, 1, 2)

    def killed(path, **_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(Killed):
            checkpoints.prune(1)
    assert [path.name for path in checkpoints.steps()] == ["step_000002"]
    checkpoints.recover()
    assert names(checkpoints) == ["last", "step_000002"]


def test_what_kills_leave_goes_and_what_users_keep_stays(checkpoints, tmp_path):
    saved(checkpoints, 1)
    (tmp_path / "precious").mkdir()
    for name in (".step_000002.77", ".step_000001.removed"):
        (checkpoints.folder / name).mkdir()
    (checkpoints.folder / ".last.77").symlink_to("step_000001")
    (checkpoints.folder / ".step_000003.77").symlink_to(tmp_path / "precious")
    (checkpoints.folder / ".notes").write_text("mine")
    checkpoints.recover()
    assert names(checkpoints) == [".notes", "last", "step_000001"]
    assert (tmp_path / "precious").is_dir()


@pytest.mark.parametrize(
    "name",
    ["encoder/pytorch_model.bin", "encoder/model.safetensors.index.json", "encoder/tokenizer.json", "encoder/a.py"],
)
def test_a_file_that_the_manifest_does_not_list_is_refused_by_name(checkpoints, name):
    path = checkpoints.save(1, contents())
    (path / name).write_text("x")
    with pytest.raises(RunError, match=f"step_000001 is damaged: {name} is not in its manifest.json"):
        verified(path)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "encoder/../../outside"])
def test_a_manifest_lists_nothing_outside_its_checkpoint(checkpoints, name):
    path = checkpoints.save(1, contents())
    listed = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({name: {"bytes": 1, "sha256": "x"}, **listed}))
    with pytest.raises(RunError, match=f"manifest.json lists {name}, outside the checkpoint"):
        verified(path)


@pytest.mark.parametrize("name", ["heads.safetensors", "state.json", "encoder/config.json"])
def test_a_file_that_was_taken_off_the_manifest_is_refused_by_name(checkpoints, name):
    path = checkpoints.save(1, contents())
    listed = json.loads((path / "manifest.json").read_text())
    del listed[name]
    (path / "manifest.json").write_text(json.dumps(listed))
    with pytest.raises(RunError, match=f"{name} is not in its manifest.json"):
        verified(path)


@pytest.mark.parametrize("name", ["encoder", "heads.safetensors", "encoder/config.json"])
def test_a_link_in_a_checkpoint_is_refused_even_to_the_same_content(checkpoints, tmp_path, name):
    path = checkpoints.save(1, contents())
    (path / name).rename(tmp_path / "moved")
    (path / name).symlink_to(tmp_path / "moved")
    with pytest.raises(RunError, match=f"{name} is a link. A checkpoint holds its own files"):
        verified(path)


def test_training_tensors_that_are_not_listed_are_not_read(checkpoints):
    path = checkpoints.save(1, contents())
    content = (path / "training.safetensors").read_bytes()
    checkpoints.drop_training_state()
    (path / "training.safetensors").write_bytes(content)
    with pytest.raises(RunError, match="has no optimiser state"):
        verified(path).training()
    checkpoints.drop_training_state()
    assert not (path / "training.safetensors").exists()


def test_tensors_that_are_none_are_told(checkpoints):
    path = checkpoints.save(1, contents())
    (path / "heads.safetensors").write_bytes(b"no tensors")
    listed = json.loads((path / "manifest.json").read_text())
    listed["heads.safetensors"] = {"bytes": 10, "sha256": content_digest(path / "heads.safetensors")}
    (path / "manifest.json").write_text(json.dumps(listed))
    with pytest.raises(RunError, match=r"step_000001 is damaged: heads.safetensors holds no tensors"):
        verified(path).model()


def test_a_run_folder_that_has_gone_is_not_made_again(tmp_path):
    (tmp_path / "run").mkdir()
    checkpoints = saved(Checkpoints(tmp_path / "run/checkpoints", Place.of(tmp_path / "run")), 1)
    (tmp_path / "run").rename(tmp_path / "moved")
    with pytest.raises(RunError, match="run has gone: it was removed or moved"):
        checkpoints.save(2, contents())
    assert [p.name for p in tmp_path.iterdir()] == ["moved"]


@pytest.mark.parametrize("name", ["x" * 300, "best/" + "x" * 300])
def test_an_over_long_name_is_no_checkpoint(checkpoints, name):
    saved(checkpoints, 1)
    with pytest.raises(ConfigError, match=r"there is no 'x|there is no 'best/x"):
        checkpoints.find(name)
