"""`mtl zeroshot method=cloze`: a random masked language model."""

import json

from tests.model.test_masked import random_masked, saved


def test_a_masked_language_model_answers_and_explains(mtl, tmp_path):
    path = saved(tmp_path / "model", random_masked())
    words = ("--labels", "film,food", "--text", "What a film!", "--text", "x" * 400, "explain=true")
    result = mtl("zeroshot", "method=cloze", f"method.path={path}", *words)
    assert result.code == 0, result.err
    first, long = map(json.loads, result.out.splitlines())
    assert first["because"]["what"] == f"This text is about {first['label']}."
    assert first["because"]["score"] < 0
    assert abs(sum(long["scores"].values()) - 1) < 1e-5
    assert "1 texts were longer" in result.err
    lacking = mtl("zeroshot", "method=cloze", *words)
    assert (lacking.code, lacking.out) == (2, "")
    assert "method.path: cloze needs a masked language model" in lacking.err
