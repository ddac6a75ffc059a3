from pathlib import Path

import pytest

from mtl_cli.config.trust import code_in, stored_values, untrusted
from mtl_cli.errors import ConfigError

RUN = Path("outputs/x")


@pytest.mark.parametrize(
    ("values", "key", "target"),
    [
        ({"weighting": {"_target_": "os.abort"}}, "weighting._target_", "os.abort"),
        ({"weighting": {"name": "os.abort"}}, "weighting.name", "os.abort"),
        ({"weighting": "os.abort"}, "weighting", "os.abort"),
        ({"tasks": {"a": {"kind": {"_target_": "os.abort"}}}}, "tasks.a.kind._target_", "os.abort"),
        ({"tasks": {"a": {"kind": {"name": "os.abort"}}}}, "tasks.a.kind.name", "os.abort"),
        ({"tasks": {"a": {"metrics": ["accuracy", "os.abort"]}}}, "tasks.a.metrics[1]", "os.abort"),
        ({"sampler": {"deep": [{"_target_": "os.abort"}]}}, "sampler.deep[0]._target_", "os.abort"),
        ({"launcher": {"name": ".os.abort"}}, "launcher.name", ".os.abort"),
        ({"weighting": {"_target_": 3}}, "weighting._target_", "3"),
    ],
)
def test_code_that_a_stored_config_names_is_refused_with_its_key_and_target(values, key, target):
    assert list(code_in(values)) == [(key, target)]
    with pytest.raises(ConfigError) as caught:
        stored_values(values, RUN, trust=False)
    assert str(caught.value).startswith(f"{key}: the config of outputs/x names the Python object '{target}'")
    assert str(caught.value).endswith("add --trust.")
    assert stored_values(values, RUN, trust=True) == values


def test_a_plain_config_needs_no_trust():
    values = {"weighting": {"name": "static"}, "run": {"name": "mix.v2"}, "backbone": {"name": "tiny", "path": "a.b/c"},
              "measure": {"kind": "both"}, "labels": ["costs ${5}"]}  # fmt: skip
    assert stored_values(values, RUN, trust=False) == values
    assert stored_values(values, RUN, trust=True) == values


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "a/${ oc.env:HOME }", "${oc.decode:${oc.env:HOME}}"])
def test_a_stored_config_reads_no_environment_of_whoever_opens_it(text):
    (fault,) = untrusted({"data": {"root": text}}, RUN)
    assert fault.key == "data.root"
    assert "reads your environment" in fault.problem


def test_a_trusted_config_reads_the_environment_anew(monkeypatch):
    monkeypatch.setenv("MTL_TEST_PLACE", "/here")
    found = stored_values({"data": {"root": "${oc.env:MTL_TEST_PLACE}/x", "n": ["${data.root}"]}}, RUN, trust=True)
    assert found == {"data": {"root": "/here/x", "n": ["${data.root}"]}}
