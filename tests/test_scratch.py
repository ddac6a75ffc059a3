"""Folders that are whole or not there, whoever is killed."""

import pytest

from mtl_cli.scratch import abandoned, put_in_place, recover, scratch_folder


def filled(final, text):
    with scratch_folder(final) as scratch:
        (scratch / "a").write_text(text)
        put_in_place(scratch, final)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_folder_comes_whole_and_takes_the_place_of_the_one_before(tmp_path):
    for text in ("one", "two"):
        filled(tmp_path / "x", text)
        assert (tmp_path / "x/a").read_text() == text
        assert names(tmp_path) == ["x"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path):
    filled(tmp_path / "x", "one")
    with pytest.raises(FileNotFoundError), scratch_folder(tmp_path / "x") as scratch:
        (scratch / "folder/that/is/not/there").write_text("two")
    assert (tmp_path / "x/a").read_text() == "one"
    assert names(tmp_path) == ["x"]


def test_a_folder_at_work_is_not_taken_for_one_that_was_left(tmp_path):
    with scratch_folder(tmp_path / "x") as scratch:
        recover(tmp_path)
        assert abandoned(tmp_path) == []
        assert scratch.is_dir()


@pytest.mark.parametrize("replaced", [False, True])
def test_what_was_put_aside_comes_back_unless_it_was_replaced(tmp_path, replaced):
    (tmp_path / ".x.0a1b2c3d").mkdir()
    (tmp_path / ".x.0a1b2c3d.replaced").mkdir()
    (tmp_path / ".x.0a1b2c3d.replaced/a").write_text("old")
    if replaced:
        (tmp_path / "x").mkdir()
    recover(tmp_path)
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x/a").exists() is not replaced


def test_links_and_folders_of_other_names_stay(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / ".x.0a1b2c3d").symlink_to("precious")
    (tmp_path / ".git").mkdir()
    recover(tmp_path)
    assert names(tmp_path) == [".git", ".x.0a1b2c3d", "precious"]
