"""The card says what the manifest holds, its limits follow from the figures, and it is written."""

import copy
import json
import re
from dataclasses import asdict, replace

import pytest
from click.testing import CliRunner

from inference import InputError
from inference.artefact import Provenance, add_runtime, model_digest, write_model
from inference.sealed_folder import read_sealed
from training.agreement import agreement
from training.annotations import read_annotations
from training.camembert import CamembertRecipe
from training.card import card
from training.card_limits import limits
from training.cli import posture_train
from training.commands.fit import _command as command_line
from training.corpus import hold_out
from training.corpus_record import Background, corpus_record
from training.designs import fixed_split
from training.measured import Measured
from training.predictions import predict
from training.robustness import robustness
from training.runtime_export import ExportReport


@pytest.fixture(scope="module")
def folder(small_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("card") / "m"
    small_model.made_by("posture-train fit CORPUS").write(folder, with_extra_files=False)
    return folder


@pytest.fixture(scope="module")
def manifest(folder):
    return read_sealed(folder)


@pytest.fixture
def changed(manifest):
    return copy.deepcopy(manifest)


def rows(text):
    """The table rows of a card, as their cells."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def test_fit_writes_the_card_that_the_manifest_gives_when_read_again(folder, manifest):
    assert "card.md" in manifest["files"]
    assert (folder / "card.md").read_text(encoding="utf-8") == card(manifest)
    printed = CliRunner().invoke(posture_train, ["card", str(folder)])
    assert printed.stdout_bytes == (folder / "card.md").read_bytes()


def test_every_label_stands_with_its_figures_as_in_the_manifest(manifest):
    found = rows(card(manifest))
    scores = manifest["scores"]
    for axis, own in scores["model"]["axes"].items():
        for name, label in own["labels"].items():
            shown = [label["rates"][rate] for rate in ("f1", "precision", "recall")]
            shown += [label["average_precision"]]
            beside = [scores[s]["axes"][axis]["labels"][name] for s in ("majority", "tfidf")]
            shown += [other["rates"]["f1"] for other in beside]
            cells = [str(Measured.from_dict(one)) for one in shown]
            assert [f"`{name}`", str(label["support"]), *cells] in found
            for one in label["reliability"]["bins"]:
                assert any(
                    row[:3] == [f"`{name}`", str(one["n"]), f"{one['probability']:.3f}"]
                    for row in found
                )
        macro = own["macro"]["f1"]
        cell = f"{macro['value']:.3f} ({macro['low']:.3f} to {macro['high']:.3f})"
        assert [cell in row for row in found if row[0] == f"**{axis}, macro**"] == [True]


def test_all_tables_are_whole(manifest):
    """Every row has as many cells as the head above it; the head's second line says so."""
    text = card(manifest)
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        assert len({len(row) for row in rows(block)}) == 1
    assert text.count("<details>") == text.count("</details>") == 2


def test_bars_and_line_breaks_in_a_definition_stay_in_their_cell(changed):
    changed["taxonomy"]["axis"][0]["labels"][0]["definition"] = "arms | men\n\n# Not a title"
    text = card(changed)
    assert "arms \\| men # Not a title" in text
    assert "\n# Not a title" not in text


def test_near_duplicates_that_were_left_out_are_counted(manifest, changed):
    assert "left out: near-duplicates" not in card(manifest)
    changed["corpus"]["n_near_duplicates_dropped"] = 7
    assert "on both sides; 7 more left out: near-duplicates of training texts" in card(changed)


# Limits.


def strong(manifest):
    """The same manifest with figures that give no limit of the model's own."""
    good, zero = {"value": 0.9, "low": 0.85, "high": 0.95}, {"value": 0.0, "low": 0.0, "high": 0.0}
    manifest["scores"]["model"]["n_articles"] = 60
    for own in manifest["scores"]["model"]["axes"].values():
        own["macro"]["f1"] = own["micro"]["f1"] = good
        for label in own["labels"].values():
            label["support"] = 100
            label["rates"] = {"f1": good, "precision": good, "recall": good}
            label["reliability"]["error"] = zero
    for flips in manifest["robustness"].values():
        flips["axes"] = dict.fromkeys(flips["axes"], zero)
    for own in manifest["corpus"]["labels"].values():
        for counts in own.values():
            counts["train"] = 100
    manifest["groups"] = {}
    figures = {"alpha": 0.9, "low": 0.8, "high": 1.0, "observed": 0.9, "n_undefined": 0}
    names = {
        axis: dict.fromkeys(own, figures) for axis, own in manifest["corpus"]["labels"].items()
    }
    counts = {"annotators": {"A": 9, "B": 9}, "n_units": 9, "n_pairable": 9}
    manifest["corpus"]["agreement"] = {**counts, "labels": names, "axes": {}}
    manifest["corpus"]["origin"] = "Newspapers, labelled by two students."
    return manifest


def of(value, low=None, high=None):
    return {
        "value": value,
        "low": value if low is None else low,
        "high": value if high is None else high,
    }


def group(topic, tone):
    micro = {"topic": of(topic), "tone": of(tone)}
    return {"n_articles": 6, "n_paragraphs": 50, "micro_f1": micro}


def alpha(value):
    return {"alpha": value, "low": None, "high": None, "observed": 0.5, "n_undefined": 0}


ALWAYS = ("The held-out articles are of the same corpus", "The corpus ends on", "Eight paragraphs")


def test_a_strong_model_has_the_limits_of_its_corpus_only(changed):
    assert [
        limit.startswith(begin)
        for limit, begin in zip(limits(strong(changed)), ALWAYS, strict=True)
    ] == [True] * 3


def exercises(manifest):
    return manifest["scores"]["model"]["axes"]["topic"]["labels"]["exercises"]


def set_rate(name, figure):
    return lambda m: exercises(m)["rates"].update({name: figure})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_rate("f1", of(0.699)), "`exercises` (topic): F1 is low, 0.699"),
        (set_rate("f1", of(0.7)), None),
        (
            set_rate("recall", of(0.59)),
            "(topic): 41% of it is missed (recall 0.590",
        ),
        (set_rate("recall", of(0.6)), None),
        (set_rate("precision", of(0.5)), "50% of what gets it should not"),
        (set_rate("f1", of(0.8, 0.69, 0.9)), "F1 is known roughly only, 0.690 to 0.900"),
        (set_rate("f1", of(0.8, 0.71, 0.9)), None),
        (
            lambda m: exercises(m).update(support=29),
            "`exercises` (topic): measured on 29 paragraphs only",
        ),
        (lambda m: exercises(m).update(support=30), None),
        (lambda m: exercises(m).update(support=0), "no held-out paragraph carries it"),
        (
            lambda m: exercises(m)["reliability"].update(error=of(0.06)),
            "They are off, on average: `exercises` by 0.060",
        ),
        (lambda m: exercises(m)["reliability"].update(error=of(0.05)), None),
        (
            lambda m: m["robustness"]["upper case"]["axes"].update(tone=of(0.051)),
            "more than 5% of the paragraphs: upper case (tone 5.1%)",
        ),
        (lambda m: m["robustness"]["upper case"]["axes"].update(tone=of(0.05)), None),
        (lambda m: m["robustness"].clear(), "when a text is changed in passing is not recorded"),
        (lambda m: m["scores"]["model"].update(n_articles=29), "Only 29 articles were held out"),
        (lambda m: m["scores"]["model"].update(n_articles=9), "narrower than they should be"),
        (lambda m: m["scores"]["model"].update(n_articles=1), "One article was held out"),
        (lambda m: m["scores"]["model"].update(n_articles=30), None),
        (
            lambda m: m["scores"]["tfidf"]["axes"]["tone"]["macro"].update(f1=of(0.86)),
            "On tone it is not shown to be better than TF-IDF",
        ),
        (lambda m: m["scores"]["tfidf"]["axes"]["tone"]["macro"].update(f1=of(0.84)), None),
        (
            lambda m: m["corpus"]["labels"]["topic"]["exercises"].update(train=40),
            "`exercises` (topic): learned from 40 texts only",
        ),
        (
            lambda m: m["corpus"]["labels"]["topic"]["exercises"].update(train=40, passages=10),
            None,
        ),
        (
            lambda m: m.update(groups={"register": {"op_ed": group(0.8, 0.9)}}),
            "On topic it does worse than overall (micro-F1 0.900) where register is op ed (0.800",
        ),
        (
            lambda m: m.update(groups={"source": {"a": group(0.8, 0.9), "b": group(0.95, 0.99)}}),
            "Of 2 groups, about one in thirty would seem so by chance.",
        ),
        (
            lambda m: m["corpus"]["agreement"]["labels"].update(tone={"neutral": alpha(0.79)}),
            "(α below 0.8) for firm conclusions on `neutral` (α 0.790).",
        ),
        (lambda m: m.update(groups={"register": {"op_ed": group(0.9, None)}}), None),
        (lambda m: m["corpus"]["agreement"]["labels"].update(tone={"neutral": alpha(None)}), None),
        (lambda m: m["corpus"].update(agreement=None), "How far annotators agree on the labels is"),
        (lambda m: m["corpus"].update(origin=""), "who labelled them is not recorded"),
    ],
)
def test_a_limit_stands_exactly_when_its_figure_calls_for_it(changed, change, expected):
    strong(changed)
    before = limits(changed)
    change(changed)
    added = [limit for limit in limits(changed) if limit not in before]
    assert len(added) == (expected is not None)
    assert expected is None or expected in added[0]
    assert all(limit in card(changed) for limit in added)


# What an older version, or nobody, wrote down.


def test_what_a_manifest_lacks_is_said_to_be_not_recorded(manifest):
    bare = {"taxonomy": manifest["taxonomy"], "training": {}, "corpus": {}, "scores": {}}
    text = card(bare)
    for title in ("Robustness", "Calibration", "Data", "Agreement of the annotators", "Training"):
        assert f"## {title}\n\nNot recorded." in text
    assert "None" not in text and "nan" not in text


def test_scores_without_intervals_are_not_shown_as_figures(changed):
    changed["scores"] = {"model": {"n_paragraphs": 9, "n_articles": 3, "macro_f1": {"topic": 0.5}}}
    text = card(changed)
    assert "Macro-F1: topic 0.5." in text
    assert "How good the model is on each label is not recorded" in text
    assert "Only 3 articles" in text


def test_a_single_held_out_article_gives_figures_without_interval(
    small_corpus, small_model, manifest
):
    """None in the manifest where there is nothing to draw from."""
    without = json.loads(re.sub(r'"(low|high)": [\d.]+', r'"\1": null', json.dumps(manifest)))
    without["scores"]["model"]["n_articles"] = 1
    text = card(without)
    assert "nan" not in text and "None" not in text
    assert "One article was held out" in text


def test_the_shipped_model_has_a_card():
    done = CliRunner().invoke(posture_train, ["card", "default"])
    assert done.exit_code == 0, done.exception
    for name in ("defence_industry", "exercises", "resources", "diplomacy", "deterrence"):
        assert f"`{name}`" in done.stdout


def test_no_model_no_card(tmp_path):
    done = CliRunner().invoke(posture_train, ["card", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    with pytest.raises(InputError, match="no model here"):
        raise done.exception


# What fit puts into the manifest for it.


def test_the_record_counts_the_corpus(corpus, tmp_path):
    own = corpus.where(corpus.table["id"].isin(set(corpus.table["id"][::7])))
    judged = read_annotations_of(own, tmp_path)
    record = corpus_record(fixed_split(own), Background(judged, "From a newspaper."), pytest.fail)
    json.dumps(record, allow_nan=False)
    sides = record["n_train_paragraphs"], record["n_train_passages"], record["n_test_paragraphs"]
    assert sum(sides) == len(own)
    for axis, labels in record["labels"].items():
        for name, counts in labels.items():
            column = own.taxonomy.column_names.index(f"{axis}.{name}")
            assert sum(counts.values()) == own.labels[:, column].sum()
    articles = own.table[~own.table["passage"]].drop_duplicates("article_id")
    assert record["dates"] == {"first": articles["date"].min(), "last": articles["date"].max()}
    assert sum(record["articles_by"]["register"].values()) == len(articles)
    assert record["n_train_articles"] + record["n_test_articles"] == len(articles)
    expected = agreement(judged).to_dict()
    assert record["agreement"]["labels"] == expected["labels"]


def read_annotations_of(corpus, tmp_path):
    """Two annotators who differ on the tone of every tenth paragraph."""
    lines = ["id,annotator,topics,tone"]
    for i, name in enumerate(corpus.table["id"][:60]):
        tone = "escalation" if i % 3 else "neutral"
        lines += [f"{name},A,,{tone}", f"{name},B,,{'neutral' if i % 10 == 0 else tone}"]
    (tmp_path / "annotations.csv").write_text("\n".join(lines), encoding="utf-8")
    return read_annotations(tmp_path / "annotations.csv", corpus.taxonomy)


def test_a_table_without_dates_theatres_and_judgements_is_described_all_the_same(small_corpus):
    bare = small_corpus.table[
        ["id", "article_id", "text", "heading", "preceding", "split", "passage"]
    ]
    split = fixed_split(hold_out(replace(small_corpus, table=bare), 0.2, 0))
    record = corpus_record(split, Background(), pytest.fail)
    assert (record["dates"], record["articles_by"], record["agreement"]) == (None, {}, None)


def test_judgements_that_say_nothing_do_not_stop_a_fit(small_corpus, tmp_path):
    """One annotator only, and two who never meet: it is said, and the card lacks them."""
    told = []
    path = tmp_path / "annotations.csv"
    path.write_text("id,annotator,topics,tone\na:1,A,,neutral\n", encoding="utf-8")
    assert Background.beside(tmp_path, small_corpus.taxonomy, told.append) == Background()
    path.write_text("id,annotator,topics,tone\na:1,A,,neutral\na:2,B,,neutral\n", encoding="utf-8")
    (tmp_path / "origin.txt").write_text("A newspaper.\nTwo students.\n", encoding="utf-8")
    background = Background.beside(tmp_path, small_corpus.taxonomy, told.append)
    assert background.origin == "A newspaper. Two students."
    split = fixed_split(hold_out(small_corpus, 0.2, 0))
    assert corpus_record(split, background, told.append)["agreement"] is None
    assert "expected at least two" in told[0] and "no unit is judged by two" in told[1]


def test_a_slow_model_is_tried_on_exchanged_countries_alone(scorer, corpus, changed):
    few = corpus.split("test").where(corpus.split("test").table.index < 20)
    found = robustness(scorer, few, predict(scorer, few), CamembertRecipe().changes)
    assert list(found) == ["countries exchanged"]
    changed["robustness"] = {name: changed["robustness"][name] for name in found}
    assert "Nothing else was tried" in card(changed)


def test_origin_and_judgements_reach_the_card(changed):
    text = card(strong(changed))
    assert "in the words of those who made it: Newspapers, labelled by two students." in text
    assert "9 of 9 units were judged by two annotators or more (judgements: A 9, B 9)" in text


def test_of_many_values_thirty_are_named_and_the_others_counted(changed):
    changed["corpus"]["articles_by"] = {"source": {f"s{i:02}": 1 for i in range(33)}}
    text = card(changed)
    assert "s28, s29 and 3 more" in text and "s28 1, s29 1 and 3 more" in text


def test_an_export_writes_the_card_anew(small_model, tmp_path):
    folder, scorer = tmp_path / "m", small_model.scorer
    small_model.write(folder, with_extra_files=False)
    measured = asdict(ExportReport("by window", 0.99, 0.71, 0.712, 40))
    own = model_digest(read_sealed(folder))
    add_runtime(folder, "onnx-int8", lambda _: None, scorer, measured, card, exported_from=own)
    text = (folder / "card.md").read_text(encoding="utf-8")
    assert ["`onnx-int8`", "by window", "40", "99.00%", "0.7100", "0.7120", "-0.0020"] in rows(text)
    assert text == card(read_sealed(folder))
    assert model_digest(read_sealed(folder)) == own


def test_a_student_s_card_names_its_gain(small_model, changed, tmp_path):
    figures = {"topic": of(0.01, -0.02, 0.04), "tone": of(0.05, 0.02, 0.08)}
    changed["scores"]["distillation"] = {
        "macro_f1": dict.fromkeys(("student", "teacher", "labelled_only"), figures),
        "gain": figures,
        "agreement": figures,
        "no_gain_shown": ["topic"],
    }
    changed["training"]["teacher"] = {"fingerprint": "of another corpus"}
    text = card(changed)
    assert "not shown to have helped on topic: " in text
    assert "Its teacher was not fitted on this corpus with this split." in text
    cells = ["gain over the labels alone", "0.010 (-0.020 to 0.040)", "0.050 (0.020 to 0.080)"]
    assert cells in rows(text)


def test_a_folder_without_provenance_has_a_card(small_model, tmp_path):
    write_model(tmp_path / "m", small_model.scorer, Provenance(), card=card, extra_files={})
    assert "Not recorded." in (tmp_path / "m" / "card.md").read_text(encoding="utf-8")


def test_the_command_to_fit_again_holds_its_options_and_no_path(tmp_path):
    given = {"encoder": str(tmp_path), "epochs": 3, "augment": True, "resume": True}
    given |= {"axis_weights": {"tone": 2.0}, "device": "cpu"}
    told = command_line("camembert", 1, given, own_taxonomy=True)
    assert told == (
        "posture-train fit CORPUS --output MODEL --taxonomy TAXONOMY --model camembert --seed 1 "
        "--encoder ENCODER --epochs 3 --augment --axis-weight tone=2"
    )
