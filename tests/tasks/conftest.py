import pytest

from mtl_cli import hub
from mtl_cli.tasks import source


@pytest.fixture(autouse=True)
def own_hub(tmp_path, monkeypatch):
    """No hub but the one that a test starts, no cache but an empty one, nothing remembered from another test."""
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_DATASETS_CACHE", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("no_proxy", "*")
    hub.answers.cache_clear()
    source.load_hub_split.cache_clear()
    yield
    hub.answers.cache_clear()
    source.load_hub_split.cache_clear()
