import hashlib
import json

from mtl_cli.digest import content_digest, json_digest


def test_a_digest_is_that_of_the_whole_content(tmp_path):
    content = bytes(range(256)) * 20_000  # more than one block
    (tmp_path / "a").write_bytes(content)
    assert content_digest(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_the_order_of_keys_does_not_count_and_that_of_a_list_does():
    assert json_digest({"a": 1, "b": [1, 2]}) == json_digest({"b": [1, 2], "a": 1})
    assert json_digest([1, 2]) != json_digest([2, 1])


def test_a_digest_of_values_is_that_of_their_sorted_json():
    assert json_digest({"b": None, "a": "é"}) == hashlib.sha256(json.dumps({"a": "é", "b": None}).encode()).hexdigest()
