"""Exports as Label Studio, doccano and Prodigy write them: judgements in, labelled tables too."""

import json
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from inference import InputError
from training.agreement import agreement
from training.annotation_exports import labelled_rows, read_export
from training.annotations import read_annotations
from training.commands.agreement import command
from training.corpus import LabelledCorpus

TEXTS = {"x:0": "La frégate est livrée.", "x:1": "L'exercice commence.", "y:0": "Rien à signaler."}
# (unit, annotator) → topics, tone
JUDGED = {
    ("x:0", "anne"): (["defence_industry"], "neutral"),
    ("x:0", "bob"): (["defence_industry", "diplomacy"], "neutral"),
    ("x:1", "anne"): (["exercises"], "deterrence"),
    ("x:1", "bob"): (["exercises"], "escalation"),
    ("y:0", "anne"): ([], "neutral"),
    ("y:0", "bob"): ([], "neutral"),
}


def by_unit():
    return {u: [(a, *JUDGED[unit, a]) for unit, a in JUDGED if unit == u] for u in TEXTS}


def choices(name, codes):
    value = {"choices": codes}
    return {"id": "r", "from_name": name, "to_name": "text", "type": "choices", "value": value}


def label_studio(completed_by=lambda name: {"id": 1, "email": f"{name}@example.org"}):
    tasks = []
    for number, (unit, judged) in enumerate(by_unit().items(), start=41):
        annotations = [
            {
                "id": number,
                "completed_by": completed_by(name),
                "was_cancelled": False,
                # A choice of nothing leaves no result.
                "result": ([choices("topic", topics)] if topics else [])
                + [choices("tone", [tone])],
            }
            for name, topics, tone in judged
        ]
        data = {"id": unit, "article_id": unit[0], "text": TEXTS[unit], "pi": 0.25}
        tasks.append({"id": number, "data": data, "annotations": annotations, "predictions": []})
    return tasks


def label_studio_min():
    return [
        {"text": TEXTS[unit], "article_id": unit[0], "id": number, "tone": tone}
        | {"annotator": name, "annotation_id": number, "created_at": "", "lead_time": 1.5}
        | ({"topic": topics[0] if len(topics) == 1 else {"choices": topics}} if topics else {})
        for number, (unit, judged) in enumerate(by_unit().items(), start=41)
        for name, topics, tone in judged
    ]


def doccano(name, label=lambda axis, code: f"{axis}.{code}"):
    return [
        {"id": unit, "text": TEXTS[unit], "article_id": unit[0], "Comments": []}
        | {"label": sorted([label("topic", t) for t in topics] + [label("tone", tone)])}
        for (unit, annotator), (topics, tone) in JUDGED.items()
        if annotator == name
    ]


def prodigy(split_axes=False):
    options = {
        "topic": ["defence_industry", "exercises", "resources", "diplomacy"],
        "tone": ["deterrence", "escalation", "neutral"],
    }
    lines = []
    for (unit, name), (topics, tone) in JUDGED.items():
        asked = [("topic", topics), ("tone", [tone])]
        groups = [[pair] for pair in asked] if split_axes else [asked]
        for group in groups:
            dataset = group[0][0] if split_axes else "frames"
            lines.append(
                {
                    "text": TEXTS[unit],
                    "_input_hash": 100 + list(TEXTS).index(unit),
                    "_task_hash": 7,
                    "options": [{"id": c, "text": c} for axis, _ in group for c in options[axis]],
                    "accept": [code for _, codes in group for code in codes],
                    "answer": "accept",
                    "_view_id": "choice",
                    "_annotator_id": f"{dataset}-{name}",
                    "meta": {"id": unit, "article_id": unit[0]},
                }
            )
    return lines


@pytest.fixture
def write(tmp_path):
    def to(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith(".jsonl"):
            content = "".join(json.dumps(item) + "\n" for item in content)
        else:
            content = json.dumps(content)
        path.write_text(content, encoding="utf-8")
        return path

    return to


def judgements(annotations):
    """As in JUDGED, whatever the order; the tools' names of annotators without their host."""
    names = annotations.taxonomy.column_names
    return {
        (row.id, row.annotator.partition("@")[0]): [
            name for name, yes in zip(names, labels, strict=True) if yes
        ]
        for row, labels in zip(
            annotations.table.itertuples(), annotations.labels.tolist(), strict=True
        )
    }


EXPECTED = {
    key: [f"topic.{topic}" for topic in topics] + [f"tone.{tone}"]
    for key, (topics, tone) in JUDGED.items()
}


@pytest.mark.parametrize("tool", ["label studio", "prodigy", "prodigy, an axis a dataset"])
def test_each_tool_gives_the_same_judgements(tool, write, taxonomy):
    path = (
        write("project-1.json", label_studio())
        if tool == "label studio"
        else write("frames.jsonl", prodigy(split_axes="axis" in tool))
    )
    found = read_annotations(path, taxonomy)
    assert judgements(found) == EXPECTED
    assert set(found.table["article_id"]) == {"x", "y"}
    assert found.n_left_out == 0


def test_json_min_has_the_tools_own_number_of_the_task(write, taxonomy):
    found = read_annotations(write("min.json", label_studio_min()), taxonomy)
    numbers = {"41": "x:0", "42": "x:1", "43": "y:0"}
    assert {(numbers[u], a): v for (u, a), v in judgements(found).items()} == EXPECTED


@pytest.mark.parametrize(
    "label",
    [
        lambda axis, code: f"{axis}.{code}",
        lambda axis, code: f"{axis}:{code}",
        lambda axis, code: code,
        lambda axis, code: {
            "neutral": "Neutre",
            "exercises": "Exercises and military activity",
        }.get(code, code),
    ],
    ids=["axis.code", "axis:code", "code", "names"],
)
def test_doccano_by_files_folder_and_zip(label, write, taxonomy, tmp_path):
    files = [write(f"out/{name}.jsonl", doccano(name, label)) for name in ("anne", "bob")]
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        for file in files:
            archive.write(file, file.name)
        archive.writestr("__MACOSX/._anne.jsonl", b"\x00")
    for given in (files, tmp_path / "out", tmp_path / "out.zip"):
        found = read_annotations(given, taxonomy)
        assert judgements(found) == EXPECTED
        assert set(found.table["article_id"]) == {"x", "y"}


def test_agreement_of_an_export_is_that_of_the_table(write, taxonomy, tmp_path):
    rows = [
        {"id": u, "annotator": a, "topics": topics, "tone": tone}
        for (u, a), (topics, tone) in JUDGED.items()
    ]
    table = agreement(read_annotations(write("table.jsonl", rows), taxonomy), n_draws=50)
    export = agreement(read_annotations(write("frames.jsonl", prodigy()), taxonomy), n_draws=50)
    assert export.to_dict() == table.to_dict()


def test_what_judges_nothing_is_left_out_and_counted(write, taxonomy):
    tasks = label_studio()
    tasks[0]["annotations"].append(
        {"id": 9, "completed_by": 3, "was_cancelled": True, "result": []}
    )
    tasks.append({"id": 50, "data": {"id": "z:0", "text": "Encore."}, "annotations": []})
    assert read_annotations(write("a.json", tasks), taxonomy).n_left_out == 2
    lines = prodigy()
    for answer in ("ignore", "reject"):
        lines.append({**lines[0], "answer": answer, "meta": {"id": "z:0"}, "accept": []})
    found = read_annotations(write("b.jsonl", lines), taxonomy)
    assert (found.n_left_out, judgements(found)) == (2, EXPECTED)
    # doccano exports what an annotator has not come to yet with an empty list.
    anne = [*doccano("anne"), {"id": "z:0", "text": "Encore.", "label": []}]
    files = [write("anne.jsonl", anne), write("bob.jsonl", doccano("bob"))]
    found = read_annotations(files, taxonomy)
    assert (found.n_left_out, judgements(found)) == (1, EXPECTED)


@pytest.mark.parametrize("mark", ["was_cancelled", "skipped"])
def test_what_was_chosen_before_the_task_was_skipped_is_no_judgement(mark, write, taxonomy):
    tasks = label_studio()
    begun = {**tasks[0]["annotations"][0], "completed_by": 3, mark: True}
    tasks[0]["annotations"].append(begun)
    found = read_annotations(write("a.json", tasks), taxonomy)
    assert (found.n_left_out, judgements(found)) == (1, EXPECTED)


def test_without_ids_the_tools_number_or_the_text_is_the_unit(write, taxonomy):
    lines = prodigy()
    for line in lines:
        del line["meta"]
    units = set(read_annotations(write("a.jsonl", lines), taxonomy).table["id"])
    assert units == {str(line["_input_hash"]) for line in lines}
    for line in lines:
        del line["_input_hash"]
    found = read_annotations(write("b.jsonl", lines), taxonomy)
    assert found.table["id"].nunique() == 3
    assert len(found.table) == 6


def test_a_prodigy_session_without_a_name_is_the_files(write, taxonomy):
    lines = [{**line, "_annotator_id": "frames-2026-01-05_10-20-30"} for line in prodigy()[::2]]
    rows = read_export(write("anne.jsonl", lines), taxonomy).rows
    assert {row.values["annotator"] for row in rows} == {"anne"}


def test_a_label_of_two_axes_must_name_its_axis(write):
    from inference import Taxonomy

    axes = [{"name": n, "exclusive": False, "labels": ["yes", "no"]} for n in ("topic", "tone")]
    taxonomy = Taxonomy.from_dict({"axis": axes}, "test")
    path = write("anne.jsonl", [{"id": 1, "text": "a", "label": ["yes"]}])
    with pytest.raises(InputError, match=r"line 1: label 'yes' may be topic.yes, tone.yes; name"):
        read_export(path, taxonomy)
    path = write("anne.jsonl", [{"id": 1, "text": "a", "label": ["topic:yes", "tone.no"]}])
    values = read_export(path, taxonomy).rows[0].values
    assert (values["topics"], values["tones"]) == (["yes"], ["no"])


# The way back into a labelled table.


def test_an_export_is_read_as_a_labelled_corpus(write, taxonomy):
    """One annotator's labels as they are, with what travelled with the texts."""
    tasks = label_studio()
    for task in tasks:
        task["annotations"] = task["annotations"][:1]
    corpus = LabelledCorpus.read(write("labelled.json", tasks), taxonomy)
    assert list(corpus.table["id"]) == list(TEXTS)
    assert corpus.texts == list(TEXTS.values())
    assert list(corpus.article_ids) == ["x", "x", "y"]
    assert list(corpus.table["pi"]) == ["0.25"] * 3
    names = np.array(taxonomy.column_names)
    for unit, row in zip(TEXTS, corpus.labels, strict=True):
        assert list(names[row]) == EXPECTED[unit, "anne"]
    lines = write("anne.jsonl", doccano("anne"))
    assert np.array_equal(LabelledCorpus.read(lines, taxonomy).labels, corpus.labels)


def test_what_posture_train_sample_wrote_comes_back_with_what_is_not_labelled_yet(write, taxonomy):
    """Its interface names the choices as the columns: topics, tone."""
    tasks = label_studio()
    for task in tasks:
        del task["annotations"][1:]
        for result in task["annotations"][0]["result"]:
            result["from_name"] = result["from_name"].replace("topic", "topics")
    tasks[1]["annotations"] = []
    path = write("a.json", tasks)
    assert [row.values["id"] for row in labelled_rows(path, taxonomy)] == ["x:0", "y:0"]
    *labelled, last = labelled_rows(path, taxonomy, with_unlabelled=True)
    assert [row.values["topics"] for row in labelled] == [["defence_industry"], []]
    assert last.values["id"] == "x:1"
    assert (last.values["topics"], last.values["tone"], last.values["pi"]) == (None, None, 0.25)
    assert len(LabelledCorpus.read(path, taxonomy)) == 2


def test_of_three_annotators_the_majority_decides(write, taxonomy):
    made = {"anne": doccano("anne"), "bob": doccano("bob"), "chloé": doccano("bob")}
    for name, lines in made.items():
        write(f"out/{name}.jsonl", lines)
    rows = labelled_rows(write("out/anne.jsonl", made["anne"]).parent, taxonomy)
    settled = {row.values["id"]: (row.values["topics"], row.values["tone"]) for row in rows}
    assert settled == {
        "x:0": (["defence_industry", "diplomacy"], ["neutral"]),
        "x:1": (["exercises"], ["escalation"]),
        "y:0": ([], ["neutral"]),
    }


def test_null_stands_for_nothing(write, taxonomy):
    """Tools and scripts write null for what is not there."""
    tasks = label_studio()
    for result in (None, [{**choices("tone", []), "value": None}]):
        tasks[0]["annotations"].append({"id": 9, "completed_by": 3, "result": result})
    found = read_annotations(write("a.json", tasks), taxonomy)
    assert (found.n_left_out, judgements(found)) == (2, EXPECTED)
    rows = [{"topic": None, **row} for row in label_studio_min()]
    assert len(read_annotations(write("min.json", rows), taxonomy).table) == 6
    rows = [{**row, "label": None, "labels": row["label"]} for row in doccano("anne")]
    assert len(read_export(write("anne.jsonl", rows), taxonomy).rows) == 3
    lines = [{**line, "options": None} for line in prodigy()]
    assert judgements(read_annotations(write("b.jsonl", lines), taxonomy)) == EXPECTED


def test_ties_are_named(write, taxonomy):
    with pytest.raises(InputError, match=r"2 problem\(s\)") as caught:
        LabelledCorpus.read(write("a.json", label_studio()), taxonomy)
    message = str(caught.value)
    assert "2 annotators are divided over 'x:0' on topic (diplomacy); have one more" in message
    assert "divided over 'x:1' on tone (deterrence, escalation)" in message


# What is wrong is named.


@pytest.mark.parametrize("label", [["exercises", "neutral"], []], ids=["judged", "not judged yet"])
def test_one_number_for_two_texts_is_refused_in_a_folder_and_among_files(label, write, taxonomy):
    """As where two projects of a tool number their tasks from 1."""
    files = [
        write("out/anne.jsonl", [{"id": 1, "text": "Un.", "label": ["exercises", "neutral"]}]),
        write("out/bob.jsonl", [{"id": 1, "text": "Deux.", "label": label}]),
    ]
    message = r"bob.jsonl, line 1: id '1' stands a second time with another text; give each text i"
    for read in (labelled_rows, read_annotations):
        with pytest.raises(InputError, match=message):
            read(files[0].parent, taxonomy)
    if label:
        with pytest.raises(InputError, match=message):
            read_annotations(files, taxonomy)


def test_every_wrong_item_is_named_with_its_place(write, taxonomy):
    tasks = label_studio()
    tasks[0]["annotations"][1]["result"] = [choices("topic", ["sport"])]
    tasks[1]["annotations"][0]["result"] = [choices("theme", ["exercises"])]
    tasks[2]["annotations"][0]["completed_by"] = None
    with pytest.raises(InputError, match=r"a.json: 3 problem\(s\)") as caught:
        read_annotations(write("a.json", tasks), taxonomy)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "item 1, annotation 2: topic: unknown label 'sport'; expected defence_industry, exerc",
        "item 2, annotation 1: answers the choices 'theme'; expected topic, tone",
        "item 3, annotation 1: completed_by is empty; expected the annotator",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.json",
            [{"image": 1, "boxes": []}],
            r"item 1: found an object with the keys image, box",
        ),
        ("a.json", 3, r"a.json: found int of something else; expected an export of Label Studio"),
        ("a.json", [], r"a.json: found 0 item\(s\) and no answer; expected"),
        ("a.jsonl", doccano("anne"), r"found the annotator\(s\) a; .*give all the files"),
        (
            "a.jsonl",
            [{"text": "a", "label": "exercises", "answer": "accept", "_input_hash": 1}],
            r"line 1: found no 'accept' list \(a binary answer\); expected answers of Prodigy's ch",
        ),
        (
            "a.jsonl",
            [x for x in prodigy(split_axes=True) if "topic" in x["_annotator_id"]],
            r"found no answer on 'tone' in 6 judgement\(s\); expected some of deterrence",
        ),
        (
            "a.jsonl",
            prodigy(split_axes=True)[:-1],
            r"line 11: 'bob' has not judged 'y:0' on tone; expected an answer on every axis",
        ),
        (
            "a.jsonl",
            [{**prodigy()[0], "accept": None}],
            r"line 1: found no 'accept' list \(a choice answer\); expected answers of Prodigy's ch",
        ),
        (
            "a.jsonl",
            [{**prodigy()[0], "options": ["exercises"]}],
            r"line 1: options = \['exercises'\]; expected a list of objects, as the tool writes it",
        ),
        (
            "a.json",
            [{"data": {"text": "a"}, "annotations": [12]}],
            r"item 1: annotations = \[12\]; expected a list of objects, as the tool writes it; exp",
        ),
        (
            "a.json",
            [{"data": {"text": "a"}, "annotations": [{"result": [choices("tone", "neutral")]}]}],
            r"item 1, annotation 1: choices = 'neutral'; expected a list, as the tool writes it; e",
        ),
        ("a.jsonl", [{"text": "a", "topic": 1}], r"line 1: column\(s\) missing: annotator, id; f"),
    ],
)
def test_unclear_files_are_refused_with_what_was_found(write, taxonomy, name, content, message):
    with pytest.raises(InputError, match=message):
        read_annotations(write(name, content), taxonomy)


def test_files_that_cannot_be_read(taxonomy, tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    (tmp_path / "bad.json").write_bytes(b"[{")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("bad.zip", r"bad.zip: cannot be read \(File is not a zip file\)"),
        ("bad.json", r"bad.json: not JSON in UTF-8 \("),
        ("none.json", r"none.json: cannot be read \(No such file"),
        ("empty", r"empty: found no .json or .jsonl file in the folder"),
    ):
        with pytest.raises(InputError, match=message):
            read_annotations(tmp_path / name, taxonomy)
    with pytest.raises(InputError, match=r"empty: found no paragraphs.csv in the folder; expected"):
        LabelledCorpus.read(tmp_path / "empty", taxonomy)


def test_zips_as_other_programs_make_them(taxonomy, tmp_path):
    path = tmp_path / "out.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("anne", "bob"):
            archive.writestr(f"./{name}.jsonl", "\n".join(map(json.dumps, doccano(name))))
    assert judgements(read_annotations(path, taxonomy)) == EXPECTED
    whole = path.read_bytes()
    encrypted, broken = bytearray(whole), bytearray(whole)
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1  # the flag in the first member's entry
    broken[whole.index(b"./anne.jsonl") + len("./anne.jsonl")] = 0xFF  # no such kind of block
    for content, message in (
        (encrypted, r"out.zip: cannot be read \(File './anne.jsonl' is encrypted, password req"),
        (broken, r"out.zip: cannot be read \(Error -3 while decompressing data: invalid block ty"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_annotations(path, taxonomy)


def test_the_command_reads_several_files_and_fits_80_columns(write):
    files = [write(f"{name}.jsonl", doccano(name)) for name in ("anne", "bob")]
    done = CliRunner().invoke(
        command, [*map(str, files), "--format", "table"], env={"COLUMNS": "80"}
    )
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "topic.defence_industry" in done.stdout and "tone, whole" in done.stdout


@pytest.mark.parametrize("n_articles", [19, 20])
def test_the_screen_shows_a_dash_for_what_is_undefined_and_warns_of_few_articles(write, n_articles):
    rows = [
        {"id": f"{i}", "annotator": name, "topics": ["exercises"][: i % 2], "tone": "neutral"}
        for i in range(n_articles)
        for name in ("anne", "bob")
    ]
    arguments = [str(write("table.jsonl", rows)), "--format", "table"]
    shown = CliRunner().invoke(command, arguments, env={"COLUMNS": "80"}).stdout
    assert "nan" not in shown
    alpha, cohen = (line.split()[1:] for line in shown.splitlines() if ".escalation" in line)
    assert alpha == ["–", "–", "100.0%", "–", "–"] and cohen == ["–"]
    # All draws agree: they cannot say how much another sample would differ.
    alpha, cohen = (line.split()[1:] for line in shown.splitlines() if ".exercises" in line)
    assert alpha == ["1.000", "–", "100.0%", "1.000", "–"] and cohen == ["1.000", "–"]
    warning = "With fewer than twenty articles the intervals are narrower than they should be."
    assert (warning in shown.splitlines()) == (n_articles < 20)
