"""Explanations: sums that are exact, words where they stand, and any model by leaving words out."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from inference import InputError, Paragraph, Scorer, Taxonomy
from inference.calibration import Calibration
from inference.cli import posture
from inference.decision import DecisionRule
from inference.masking import mask_positions, mask_states
from inference.model import centred, log_odds, probabilities
from inference.offsets import word_offsets
from inference.tokens import tokenize

ODD = [
    "",
    "… — « »",
    "La Chine et l’Iran menacent les États-Unis.",
    "On attend le",
    "Japon",
    "L’état-major d'Œuvre-sur-Mer, cœur et ﬁn, aujourd’hui",
    "L'e\u0301te\u0301 a\u0300 Kiev 🚀 des manœuvres, İstanbul et \ud800 seul",
    " ".join(f"frégate{i % 7} obusier sommet" for i in range(1_000)),
    "x" * 5_000,
    "Привет мир 中国",
]


def explain_raw(model, text):
    return model.explain(Paragraph(text, 0, len(text)))


def test_the_contributions_and_the_base_are_the_models_logits(scorer, corpus):
    """To a millionth of the largest: scoring sums in float32."""
    for text in corpus.texts[:300] + ODD:
        found = explain_raw(scorer.model, text)
        logits = centred(scorer.model.logits([text]), scorer.taxonomy)[0]
        largest = max(5.0, np.abs(logits).max())
        assert np.abs(found.log_odds - logits).max() < 1e-6 * largest
        assert found.contributions.shape == (len(found.words), 7)
        assert found.method == "exact sum"


def test_they_add_up_to_the_calibrated_probability(scorer, corpus):
    for text in corpus.texts[:50]:
        total = scorer.explain(text).log_odds[None]
        found = probabilities(total, scorer.taxonomy)[0]
        assert np.abs(found - scorer.predict_proba([text])[0]).max() < 1e-5


def test_on_an_exclusive_axis_a_word_takes_from_one_label_what_it_gives_another(scorer, corpus):
    found = scorer.explain(corpus.texts[0])
    tone = scorer.taxonomy.spans()[1][1]
    assert np.abs(found.contributions[:, tone].sum(axis=1)).max() < 1e-9
    assert np.abs(found.contributions[:, tone]).max() > 0.01


def test_the_base_is_what_an_empty_paragraph_has(scorer):
    empty = scorer.explain("")
    assert empty.words == () and empty.contributions.shape == (0, 7)
    assert np.array_equal(empty.base, scorer.explain("La frégate est livrée.").base)
    assert np.allclose(empty.base, log_odds(scorer.predict_proba([""]), scorer.taxonomy)[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("L’ÉTAT-major, d'abord", ["L", "ÉTAT", "major", "d", "abord"]),
        ("Œuvre ex æquo, 1\u202f200 €", ["Œuvre", "ex", "æquo", "1", "200"]),
        ("e\u0301te\u0301, a\u0300 ç", ["e\u0301te\u0301", "a\u0300", "ç"]),
        ("la ﬁn ﬃ oﬀerte. Fin", ["la", "ﬁn", "ﬃ", "oﬀerte", "Fin"]),
        ("İstanbul x\u0301y q\u0323\u0307", ["İstanbul", "x\u0301y", "q\u0323\u0307"]),
        ("한국 \u1112\u1161\u11ab, Σας ΣΑΣ", ["한국", "\u1112\u1161\u11ab", "Σας", "ΣΑΣ"]),
        ("🚀 tir \ud800 seul", ["🚀", "tir", "seul"]),
    ],
)
def test_a_word_stands_where_it_is_written(scorer, text, words):
    assert list(scorer.explain(text).words) == words


@given(
    st.text(
        st.one_of(
            st.sampled_from("eEœŒæﬁﬃé ’'«-0\u0301\u0323\u0327\u202fİÅ\u1112\u1161\u11ab\u0f73"),
            st.characters(exclude_categories=["Cs"]),
        ),
        max_size=40,
    )
)
def test_offsets_ascend_and_stay_inside(text):
    """Any Unicode: as many spans as words, in order, inside the text, none of them empty."""
    tokens = tokenize([text])
    starts, ends = word_offsets(text, tokens)
    assert len(starts) == len(ends) == len(tokens)
    assert (starts < ends).all() and (np.diff(starts) >= 0).all() and (np.diff(ends) >= 0).all()
    assert (starts >= 0).all() and (ends <= len(text)).all()


@given(
    st.lists(st.from_regex("[eéEÉœﬁÅİx][eéŒæﬃ\u0301\u0323\u030aA-Z0-9]{0,6}", fullmatch=True)),
    st.sampled_from([" ", "’", "-", " « ", "\u202f…", " — "]),
)
def test_words_put_together_come_apart_again(words, separator):
    text = separator.join(words)
    starts, ends = word_offsets(text, tokenize([text]))
    assert [text[a:b] for a, b in zip(starts, ends, strict=True)] == words


def test_every_form_of_a_letter_has_the_same_contributions(scorer):
    plain = scorer.explain("L'été, une œuvre de défense à Moscou").contributions
    for other in (
        "L’ÉTÉ, une oeuvre de DÉFENSE à Moscou",
        "L'e\u0301te\u0301, une œuvre de de\u0301fense a\u0300 Moscou",
    ):
        assert np.array_equal(scorer.explain(other).contributions, plain)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("La Chine menace Taïwan.", "La Russie menace Cuba."),
        ("La marine américaine manœuvre à Moscou", "La marine britannique manœuvre à Tokyo"),
        ("Lorsque les Russes tirent, Pékin négocie", "Lorsque les Turcs tirent, Paris négocie"),
    ],
)
def test_countries_exchanged_change_no_contribution(scorer, one, other):
    a, b = scorer.explain(one), scorer.explain(other)
    assert a.words != b.words
    assert np.array_equal(a.contributions, b.contributions)


def test_a_name_of_more_words_shares_what_a_name_of_one_carries(scorer):
    """« de la Corée du Nord » against « d'Israël »: the name and its article are one word."""
    long = scorer.explain("Les forces de la Corée du Nord manœuvrent")
    short = scorer.explain("Les forces d'Israël manœuvrent")
    assert long.words[3:7] == ("la", "Corée", "du", "Nord")
    assert np.ptp(long.contributions[3:7], axis=0).max() == 0
    assert np.allclose(long.contributions[3:7].sum(axis=0), short.contributions[3])
    kept = [0, 1, 2, 7]
    assert np.allclose(long.contributions[kept], short.contributions[[0, 1, 2, 4]])


def test_each_word_knows_what_masking_made_of_it(scorer):
    names = scorer.model.weights.names
    text = "La France, la Corée du Nord et le Japon : l’accord des États-Unis"
    tokens = tokenize([text])
    position = mask_positions(tokens, names)
    #         La France la Corée du Nord et le Japon l accord des États Unis
    assert position.tolist() == [0, 0, 1, 1, 1, 1, 2, 3, 3, 4, 5, 6, 7, 7]
    assert position.max() + 1 == len(mask_states(tokens, names))


def test_a_lexicon_term_is_shared_by_its_words_and_a_pair_by_its_two(small_model):
    """With the weights of single words and letters at zero, only pairs and terms are left."""
    model = small_model.scorer.model
    text = "un porte avions"
    tokens = tokenize([text])
    matches = model.weights.lexicon.find(tokens)
    assert (matches.first.tolist(), matches.length.tolist()) == ([1], [2])
    silent = replace(model.weights, rows=np.zeros_like(model.weights.rows))
    found = explain_raw(type(model)(model.taxonomy, model.config, silent), text)
    assert not found.contributions[0].any()
    assert np.array_equal(found.contributions[1], found.contributions[2])
    row = model.weights.class_rows[matches.value[0]].astype(float)
    term = centred(row[None, :-1] / np.sqrt(row[-1]), model.taxonomy)[0]
    assert np.allclose(found.contributions[1:].sum(axis=0), term)


@dataclass
class Alarms:
    """A model: one log-odds more of the first label for « tir », unless « exercice » is there."""

    taxonomy: Taxonomy

    def predict_proba(self, paragraphs):
        logits = np.zeros((len(paragraphs), 7))
        for row, p in zip(logits, paragraphs, strict=True):
            words = p.text.lower().split()
            row[0] = ("tir" in words and "exercice" not in words) + 2 * ("obus" in words) - 1
            row[4:] = 0.3 * words.count("obus"), -0.3, len(p.heading)
        return probabilities(logits, self.taxonomy)


@pytest.fixture
def alarms(taxonomy):
    calibration = Calibration((2.0,) * 7, (0.5,) * 4 + (0.0,) * 3)
    return Scorer(Alarms(taxonomy), calibration, DecisionRule((0.5,) * 7))


def test_leaving_words_out_gives_what_can_be_computed_by_hand(alarms):
    found = alarms.explain("Un tir : obus !")
    assert found.method == "occlusion"
    assert found.words == ("Un", "tir", "obus")
    # The slope doubles, the shift goes to the base.
    assert np.allclose(found.contributions[:, 0], [0, 2, 4])
    assert found.base[0] == pytest.approx(-1.5)
    assert np.allclose(found.contributions[2, 4:], [0.4, -0.2, -0.2])
    assert not found.contributions[:, 1:4].any()
    # What either word would do alone is neither's.
    assert not alarms.explain("obus et obus").contributions[:, 0].any()
    # A word that hinders counts against.
    assert np.allclose(alarms.explain("tir exercice").contributions[:, 0], [0, -2])


def test_leaving_words_out_sums_up_and_keeps_the_context(alarms):
    paragraph = Paragraph("un tir sans obus", 10, 26, heading="abc", preceding="avant")
    found = alarms.explain(paragraph)
    before = alarms.model.predict_proba([paragraph])
    expected = log_odds(alarms.calibration.apply(before, alarms.taxonomy), alarms.taxonomy)
    assert np.allclose(found.log_odds, expected[0])
    assert found.log_odds[6] > 3
    assert alarms.explain("…").contributions.shape == (0, 7)


def test_a_linear_model_hidden_behind_its_probabilities_is_explained_alike(scorer):
    """Occlusion and the exact sum agree on the word that carries a paragraph."""

    @dataclass
    class Hidden:
        taxonomy: Taxonomy

        def predict_proba(self, paragraphs):
            return scorer.model.predict_proba(paragraphs)

    text = "La brigade sera équipée de nouveaux obusiers, dont la commande est notifiée."
    exact = scorer.explain(text)
    occluded = replace(scorer, model=Hidden(scorer.taxonomy)).explain(text)
    assert occluded.words == exact.words
    assert occluded.top("defence_industry", 1)[0][:3] == exact.top("defence_industry", 1)[0][:3]
    assert np.corrcoef(occluded.contributions[:, 0], exact.contributions[:, 0])[0, 1] > 0.8


def test_log_odds_turn_probabilities_back(taxonomy):
    rows = centred(np.random.default_rng(1).normal(0, 3, (20, 7)), taxonomy)
    assert np.allclose(log_odds(probabilities(rows, taxonomy), taxonomy), rows)
    assert np.isfinite(log_odds(np.array([[0.0, 1, 0, 1, 1, 0, 0]]), taxonomy)).all()


def test_the_strongest_words_come_first_with_their_sign(alarms):
    text = "tir obus exercice"
    top = alarms.explain(text).top("defence_industry", 2)
    assert [(w.word, w.start, w.end) for w in top] == [("obus", 4, 8), ("exercice", 9, 17)]
    assert [w.contribution for w in top] == pytest.approx([4, -2])
    assert [alarms.explain(text).top("defence_industry", n) for n in (0, -1)] == [[], []]
    assert alarms.explain(text).top("topic.defence_industry") == alarms.explain(text).top(
        "defence_industry"
    )
    with pytest.raises(InputError, match=r"label 'ton' names 0 columns; expected one of topic"):
        alarms.explain(text).top("ton")


def test_a_frame_has_a_row_a_word_and_a_column_a_label(scorer):
    found = scorer.explain("L’obusier est livré.")
    frame = found.to_frame()
    assert list(frame.columns) == ["word", "start", "end", *scorer.taxonomy.column_names]
    assert frame["word"].tolist() == ["L", "obusier", "est", "livré"]
    assert np.array_equal(frame[list(scorer.taxonomy.column_names)].to_numpy(), found.contributions)


@pytest.fixture
def article(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(
        "Titre de l’article\n\nLa France livrera 40 obusiers ; « toute attaque recevra une riposte "
        "», dit-il.\n\nLe sommet s’est conclu mardi par un accord de paix entre les ministres.\n",
        encoding="utf-8",
    )
    return path


def test_the_command_writes_a_record_a_paragraph(article, scorer):
    done = CliRunner().invoke(posture, ["explain", str(article)], catch_exceptions=False)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["index"] for r in records] == [0, 1]
    text = article.read_text(encoding="utf-8")
    names = [name.split(".") for name in scorer.taxonomy.column_names]
    for record in records:
        assert text[record["start"] : record["end"]] == record["text"]
        assert record["method"] == "exact sum"
        assert all(record["text"][w["start"] : w["end"]] == w["text"] for w in record["words"])
        total = [
            record["base"][axis][code]
            + sum(w["contributions"][axis][code] for w in record["words"])
            for axis, code in names
        ]
        found = probabilities(np.array([total]), scorer.taxonomy)[0]
        stated = [record["probabilities"][axis][code] for axis, code in names]
        assert np.abs(found - stated).max() < 1e-5
    assert "riposte" in [w["text"] for w in records[0]["words"]]


def test_one_paragraph_by_its_number(article):
    done = CliRunner().invoke(posture, ["explain", str(article), "--paragraph", "2"])
    (record,) = map(json.loads, done.stdout.splitlines())
    assert record["index"] == 1 and record["topics"] == ["diplomacy"]
    with pytest.raises(
        InputError, match=r"--paragraph 3: expected at most 2; leave it out for all"
    ):
        CliRunner().invoke(
            posture, ["explain", str(article), "--paragraph", "3"], catch_exceptions=False
        )


@pytest.mark.parametrize("columns", ["80", "30"])
def test_for_people_it_shows_the_text_and_signed_words(article, columns):
    arguments = ["explain", str(article), "--format", "text"]
    done = CliRunner(env={"COLUMNS": columns}).invoke(posture, arguments, catch_exceptions=False)
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    shown = " ".join(done.stdout.split())
    assert "toute attaque recevra une riposte" in shown
    assert "¶ 2 diplomacy" in shown
    assert "accord +" in shown and "−" in shown and "doubles the odds" in shown


def test_a_paragraph_without_a_decided_label_or_a_word_is_shown(tmp_path):
    path = tmp_path / "odd.txt"
    text = "Le [bold]sommet[/bold] s’est tenu mardi, a-t-on appris de source proche du dossier."
    path.write_text(f"Un titre\n\n{text}\n\n1 2 3.\n", encoding="utf-8")
    done = CliRunner().invoke(posture, ["explain", str(path), "--format", "text"])
    assert done.exit_code == 0
    assert "Le [bold]sommet[/bold] s’est" in done.stdout
