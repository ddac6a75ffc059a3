import pytest

from mtl_cli.errors import ConfigError
from mtl_cli.zeroshot.verbalizers.conceptnet import ConceptNetVerbalizer
from tests.zeroshot.fakes import label
from tests.zeroshot.lexicon.test_conceptnet import line
from tests.zeroshot.verbalizers.fakes import NO_TEXTS, Knowing, dropped, kept

DUMP = (
    line("IsA", "/c/en/credit_card/n", "/c/en/card", 1.0)  # a kind of card: 0.5 x 1/2
    + line("IsA", "/c/en/card", "/c/en/thing", 1.0)  # what a card is does not stand for cards
    + line("Synonym", "/c/en/ticket", "/c/en/card/n", 3.0)  # 1 x 3/4
    + line("RelatedTo", "/c/en/card", "/c/en/ace", 1.0)  # 0.25 x 1/2
    + line("RelatedTo", "/c/en/card", "/c/en/ticket", 9.0)
    + line("Antonym", "/c/en/card", "/c/en/cash", 9.0)
    + line("Synonym", "/c/en/boat", "/c/en/ship", 1.0)
    + line("RelatedTo", "/c/en/boat", "/c/en/ace", 1.0)
)


@pytest.fixture
def verbalizer(tmp_path):
    (tmp_path / "dump.csv").write_text(DUMP, encoding="utf-8")
    options = {"language": "en", "most": 20, "longest": 3, "weight": 100.0, "least_similarity": None}
    return ConceptNetVerbalizer(Knowing(tmp_path), path=str(tmp_path / "dump.csv"), **options)


def test_neighbours_weigh_by_relation_and_support_and_clashes_are_dropped(verbalizer):
    card, boat = verbalizer.expand([label("Card"), label("boat")], NO_TEXTS)
    assert kept(card) == {"ticket": 0.75, "credit card": 0.25}
    assert kept(boat) == {"ship": 0.5}
    assert (dropped(card), dropped(boat)) == ({"ace": "also found for boat"}, {"ace": "also found for Card"})
    assert [word.reason for word in card.kept] == ["Synonym card", "IsA card"]


def test_parts_of_a_label_are_looked_up_and_unknown_ones_are_told(verbalizer):
    parts, unknown, own = verbalizer.expand(
        [label("card/boat"), label("{}"), label("boat", "boat", "vessel")], NO_TEXTS
    )
    assert set(kept(parts)) == {"card", "boat", "ticket", "ship", "credit card", "ace"} - {"card"} - {"boat"}
    assert (kept(unknown), unknown.told) == ({}, "ConceptNet has no '{}'")
    assert (kept(own), own.told) == ({}, "it has words of its own")


@pytest.mark.parametrize(("path", "message"), [
    (None, "verbalizer.path: give the dump of assertions of ConceptNet"), ("nowhere.csv", "verbalizer.path: there is no file nowhere.csv"),
])  # fmt: skip
def test_without_a_dump_it_is_asked_for(tmp_path, path, message):
    with pytest.raises(ConfigError, match=message):
        ConceptNetVerbalizer(
            Knowing(tmp_path), path=path, language="en", most=1, longest=1, weight=1.0, least_similarity=None
        )
