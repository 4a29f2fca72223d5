"""Labelled texts, pairs, preferences, and pictures with captions or boxes: what comes in, what comes out, what is
refused."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import Events, Noted

WORDS = ("amber", "birch", "cedar", "dune", "ember", "fern", "glade", "heath", "iris", "jade")


def said(number: int, of: str = "said") -> str:
    """A text that has no five words in a row in common with that of another number."""
    return " ".join(f"{word}{number}{of}" for word in WORDS)


def lines(*records) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def reasons(dataset) -> list[str]:
    path = dataset.folder / "rejected.jsonl"
    return [json.loads(line)["reason"] for line in path.read_text().splitlines()] if path.exists() else []


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def table(path, rows, metadata=None):
    found = pa.Table.from_pylist(rows)
    pq.write_table(found.replace_schema_metadata(metadata) if metadata else found, path)
    return path


# Labelled texts


def test_texts_keep_their_labels_where_they_are_asked_for(write, prep, everything):
    write("a.jsonl", lines(*({"text": said(n), "mood": "good" if n % 2 else "bad"} for n in range(40))))
    dataset = prep(label_field="mood", validation_fraction=0.2)
    assert dataset.classes == ("bad", "good")
    assert json.loads((dataset.folder / "labels.json").read_text())["labels"][0] == {"name": "bad", "documents": 20}
    assert {"text": said(3), "label": "good", "source": "a.jsonl:4"} in everything(dataset)
    held_out = [one["label"] for one in dataset.documents("validation")]
    assert sorted(held_out) == ["bad"] * 4 + ["good"] * 4
    assert dataset.metrics["labels"] == {"bad": 20, "good": 20}
    without = prep(validation_fraction=0.2)
    assert without.classes == () and set(next(without.documents())) == {"text", "source"}


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "json"])
def test_labels_from_every_kind_of_record(write, prep, tmp_path, kind):
    rows = [{"text": said(n), "label": n % 3} for n in range(12)]
    if kind == "parquet":
        features = {"info": {"features": {"label": {"names": ["zero", "one", "two"], "_type": "ClassLabel"}}}}
        table(write("a.parquet", b""), rows, {b"huggingface": json.dumps(features).encode()})
        assert prep(label_field="label").classes == ("zero", "one", "two")
        return
    between = {"csv": ",", "tsv": "\t"}.get(kind, "")
    text = "".join(f"{row['text']}{between}{row['label']}\n" for row in rows)
    write(f"a.{kind}", json.dumps(rows) if kind == "json" else f"text{between}label\n{text}")
    assert prep(label_field="label").classes == ("0", "1", "2")


def test_a_text_without_a_label_is_set_aside(write, prep):
    bad = [{"text": said(1)}, {"text": said(2), "label": None}, {"text": said(3), "label": " "}]
    bad += [
        {"text": said(4), "label": 0.5},
        {"text": said(5), "label": "a\u0007b"},
        {"text": said(6), "label": "x" * 256},
    ]
    write("a.jsonl", lines(*bad, *({"text": said(n), "label": "yes"} for n in range(10, 90))))
    dataset = prep(label_field="label")
    assert [one.partition(":")[0] for one in sorted(reasons(dataset))] == ["no label"] * 6
    assert "there is no field 'label'; --label-field names another" in reasons(dataset)[0]
    with pytest.raises(BadInput, match="no label: 'label' is not there"):
        prep(write("b/plain.txt", said(1)), label_field="label")


def test_a_folder_is_a_label_if_it_is_asked_for(write, prep, everything):
    for number in range(6):
        write(f"{'pos' if number % 2 else 'neg'}/{number}.txt", said(number))
    dataset = prep(label_from="folder")
    assert dataset.classes == ("neg", "pos")
    assert {"text": said(1), "label": "pos", "source": "pos/1.txt"} in everything(dataset)
    with pytest.raises(BadRequest, match="--label-field names a field"):
        prep(label_from="folder", label_field="label")


def test_one_text_with_two_labels_is_told_and_long_ones_keep_theirs(write, prep, everything):
    rows = [{"text": said(n), "label": "a"} for n in range(20)]
    write("a.jsonl", lines(*rows, {"text": said(3), "label": "b"}, {"text": said(50) * 3, "label": "b"}))
    heard = []
    dataset = prep(label_field="label", max_chars=150, events=Events(heard.append))
    assert any("another label" in one.message for one in heard if isinstance(one, Noted))
    assert dataset.metrics["contradictions"] == 1
    assert {one["label"] for one in everything(dataset) if one["source"].startswith("a.jsonl:22")} == {"b"}
    row = json.loads((dataset.folder / "duplicates.jsonl").read_text())
    assert (row["label"], row["kept_label"]) == ("b", "a")


def test_labels_outlive_another_preparation_if_they_are_asked_for_again(write, prep):
    texts = [" ".join(f"{said(n, way)}." for way in "abcdef") for n in range(20)]
    write("a.jsonl", lines(*({"text": text, "label": text[5:6]} for text in texts)))
    first = prep(label_field="label")
    again = prep(first, label_field="label", pii=["email"], quality=["c4"], min_chars=1)
    assert again.classes == first.classes
    assert "label" not in next(prep(first).documents())


# Pairs


@pytest.mark.parametrize(
    ("record", "options"),
    [
        ({"input": "A", "output": "B"}, {}),
        ({"document": "A", "summary": "B"}, {}),
        ({"article": "A", "highlights": "B", "id": 5}, {}),
        ({"question": "A", "answer": "B"}, {}),
        ({"query": "A", "positive": "B", "negative": "C"}, {}),
        ({"source": "A", "target": "B"}, {}),
        ({"translation": {"en": "A", "es": "B"}}, {"input_field": "en", "output_field": "es"}),
        ({"en": "A", "es": "B"}, {"input_field": "en", "output_field": "es"}),
    ],
)
@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_pairs_in_the_shapes_in_which_they_are_published(write, prep, everything, record, options, kind):
    def numbered(value, number):
        if isinstance(value, dict):
            return {name: numbered(one, number) for name, one in value.items()}
        return f"{value} {said(number, value)}" if isinstance(value, str) else value

    rows = [numbered(record, number) for number in range(10)]
    path = write(f"a.{kind}", lines(*rows) if kind == "jsonl" else json.dumps(rows))
    if kind == "parquet":
        table(path, rows)
    dataset = prep(format="pair", **options)
    assert dataset.format == "pair" and sum(dataset.splits.values()) == 10
    third = next(one for one in everything(dataset) if one["input"] == f"A {said(3, 'A')}")
    assert third["output"] == f"B {said(3, 'B')}"
    assert list(third) == ["input", "output", "source"]


def test_pairs_of_a_table_and_of_parallel_lines(write, prep, everything, tmp_path):
    write("a.csv", "question,answer\n" + "".join(f"{said(n)},{n}\n" for n in range(5)))
    assert sum(prep(format="pair").splits.values()) == 5
    folder = tmp_path / "raw"
    (folder / "a.csv").unlink()
    write("news.en-es.en", "".join(f"{said(n, 'en')}\n" for n in range(20)) + "\n\r\n")
    write("news.en-es.es.gz", gzip.compress(("".join(f"{said(n, 'es')}\n" for n in range(20)) + "\nhola\n").encode()))
    dataset = prep(format="pair", input_field="en", output_field="es")
    assert {"input": said(4, "en"), "output": said(4, "es"), "source": "news.en-es.en:5"} in everything(dataset)
    assert reasons(dataset) == ["empty side: one of the two lines is blank"]
    write("news.en-es.en", "only one\n")
    with pytest.raises(BadInput, match=r"not parallel: it has 1 lines, and news\.en-es\.es\.gz 22"):
        prep(format="pair", input_field="en", output_field="es")
    with pytest.raises(BadInput, match=r"no file beside it: there is no news\.en-es\.fr"):
        prep(format="pair", input_field="en", output_field="fr")


def test_what_is_no_pair_is_set_aside(write, prep):
    bad = [
        {"input": "a"},
        {"input": 5, "output": "b"},
        {"input": " ", "output": "b"},
        "text",
        {"input": "\u0007", "output": "b"},
    ]
    write("a.jsonl", lines(*bad, *({"input": said(n), "output": "b"} for n in range(60))))
    found = sorted(one.partition(":")[0] for one in reasons(prep(format="pair")))
    assert found == ["empty side", "empty side", "no pair", "not a JSON object", "not a string"]
    write("a.jsonl", lines({"translation": {"en": "a", "es": "b"}}))
    with pytest.raises(
        BadInput, match="no pair: found en, es, translation; --input-field and --output-field name both"
    ):
        prep(format="pair")


def test_what_is_given_stands_on_one_side_whatever_is_wanted(write, prep):
    rows = [{"input": said(n), "output": f"answer {answer}"} for n in range(30) for answer in range(4)]
    write("a.jsonl", lines(*rows, rows[0]))
    dataset = prep(format="pair", validation_fraction=0.3, split_similarity=1)
    sides = [{one["input"] for one in dataset.documents(split)} for split in ("train", "validation")]
    assert not sides[0] & sides[1] and all(sides)
    assert sum(dataset.splits.values()) == 120
    assert dataset.metrics["documents"]["duplicates"] == 1


def test_filters_of_text_work_on_pairs(write, prep, everything, write_dataset):
    rows = [{"input": f"mail me@example.org {said(n)}", "output": said(n, "out")} for n in range(20)]
    write("a.jsonl", lines(*rows))
    judged = write_dataset("judged", "text", {"test": [{"text": " ".join([said(4, "out"), "x"] * 3), "source": "j"}]})
    dataset = prep(format="pair", pii=["email"], evaluation=[judged], contamination_words=8, near_duplicates=0.8)
    assert all(one["input"].startswith("mail <EMAIL>") for one in everything(dataset))
    assert sum(dataset.splits.values()) == 19
    again = prep(dataset)
    assert everything(again) == everything(dataset)


# Preferences


HH = "\n\nHuman: {n} why?\n\nAssistant: How so?\n\nHuman: Because {n}.\n\nAssistant: {answer}"


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (
            lambda n: {"prompt": f"{n}?", "chosen": f"{n} yes", "rejected": f"{n} no"},
            ([user("3?")], [assistant("3 yes")], [assistant("3 no")]),
        ),
        (
            lambda n: {"system": "Be brief.", "question": f"{n}?", "chosen": f"{n} yes", "rejected": f"{n} no"},
            ([{"role": "system", "content": "Be brief."}, user("3?")], [assistant("3 yes")], [assistant("3 no")]),
        ),
        (
            lambda n: {
                "prompt": [user(f"{n}?")],
                "chosen": [assistant(f"{n} yes")],
                "rejected": [assistant(f"{n} no")],
            },
            ([user("3?")], [assistant("3 yes")], [assistant("3 no")]),
        ),
        (
            lambda n: {
                "prompt": f"{n}?",
                "chosen": [user(f"{n}?"), assistant(f"{n} yes")],
                "rejected": [user(f"{n}?"), assistant(f"{n} no")],
                "score_chosen": 8.5,
            },
            ([user("3?")], [assistant("3 yes")], [assistant("3 no")]),
        ),
        (
            lambda n: {
                "chosen": [user(f"{n}?"), assistant("What?"), user("Well?"), assistant(f"{n} yes")],
                "rejected": [
                    user(f"{n}?"),
                    assistant("What?"),
                    user("Well?"),
                    assistant(f"{n} no"),
                    user("Oh"),
                    assistant("!"),
                ],
            },
            (
                [user("3?"), assistant("What?"), user("Well?")],
                [assistant("3 yes")],
                [assistant("3 no"), user("Oh"), assistant("!")],
            ),
        ),
        (
            lambda n: {"chosen": HH.format(n=n, answer=f"{n} yes"), "rejected": HH.format(n=n, answer=f"{n} no")},
            ([user("3 why?"), assistant("How so?"), user("Because 3.")], [assistant("3 yes")], [assistant("3 no")]),
        ),
        (
            lambda n: {"prompt": f"\n\nHuman: {n}?\n\nAssistant:", "chosen": f" {n} yes", "rejected": f" {n} no"},
            ([user("3?")], [assistant("3 yes")], [assistant("3 no")]),
        ),
        (
            lambda n: {
                "instruction": f"{n}?",
                "completions": [
                    {"response": "so so", "overall_score": 5.0},
                    {"response": f"{n} no", "overall_score": 1.0},
                    {"response": f"{n} yes", "overall_score": 9.0},
                ],
            },
            ([user("3?")], [assistant("3 yes")], [assistant("3 no")]),
        ),
    ],
)
def test_preferences_in_the_shapes_in_which_they_are_published(write, prep, everything, make, wanted, kind):
    rows = [make(number) for number in range(8)]
    path = write(f"a.{kind}", lines(*rows))
    if kind == "parquet":
        table(path, rows)
    dataset = prep(format="preference", validation_fraction=0)
    assert dataset.format == "preference"
    names = ("prompt", "chosen", "rejected")
    assert everything(dataset)[3] == dict(zip(names, wanted, strict=True)) | {"source": f"a.{kind}:4"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"prompt": "p", "chosen": "same", "rejected": "same"}, "no difference"),
        ({"prompt": "p", "chosen": "same", "rejected": "same "}, "no difference"),
        ({"chosen": [user("a"), assistant("b")], "rejected": [user("c"), assistant("d")]}, "no common prompt"),
        ({"prompt": "p", "chosen": [user("a"), assistant("b")], "rejected": [user("a"), assistant("d")]}, "no common"),
        ({"chosen": "a", "rejected": "b"}, "no prompt"),
        ({"prompt": "p", "chosen": "", "rejected": "b"}, "empty message"),
        ({"prompt": "p", "chosen": [], "rejected": "b"}, "empty answer"),
        ({"chosen": [user("a")], "rejected": [user("a"), assistant("b")]}, "no answer"),
        ({"prompt": "p", "chosen": 1, "rejected": "b"}, "not a string"),
        ({"prompt": "p", "chosen": [{"role": "robot", "content": "x"}], "rejected": "b"}, "unknown role"),
        ({"prompt": "p", "completion": "b"}, "no preference"),
        ({"instruction": "p", "completions": [{"response": "a", "score": 1}] * 2}, "no difference"),
        ({"instruction": "p", "completions": [{"response": "a", "score": 1}, {"score": 2}, 5]}, "no preference"),
        ({"prompt": "p", "chosen": ["a"], "rejected": ["b"]}, "not a conversation"),
    ],
)
def test_a_preference_of_no_use_is_set_aside_with_the_reason(write, prep, record, reason):
    good = [{"prompt": said(n), "chosen": "yes", "rejected": "no"} for n in range(10)]
    write("a.jsonl", lines(record, *good))
    (found,) = reasons(prep(format="preference"))
    assert found.startswith(reason)


def test_a_prompt_stands_on_one_side_and_personal_data_is_taken_from_every_turn(write, prep, everything):
    rows = [
        {"prompt": said(n), "chosen": f"write to a{answer}@example.org", "rejected": f"no {answer}"}
        for n in range(20)
        for answer in range(3)
    ]
    write("a.jsonl", lines(*rows))
    dataset = prep(format="preference", validation_fraction=0.3, pii=["email"], split_similarity=1)
    sides = [{one["prompt"][0]["content"] for one in dataset.documents(split)} for split in ("train", "validation")]
    assert not sides[0] & sides[1] and all(sides)
    assert all(one["chosen"] == [assistant("write to <EMAIL>")] for one in everything(dataset))
    again = prep(dataset)
    assert again.format == "preference" and sum(again.splits.values()) == 60


@pytest.mark.parametrize(
    ("format", "options", "named"),
    [
        ("pair", {"quality": ["c4"]}, "--quality is about text, and this is a dataset of pairs"),
        ("pair", {"min_chars": 5}, "--min-chars is about text"),
        ("preference", {"text_field": "a", "max_chars": 9}, "--text-field, --max-chars are about text"),
        ("preference", {"input_field": "a"}, "--input-field is about pairs, and this is a dataset of preferences"),
        ("pair", {"label_field": "a"}, "--label-field is about labels"),
        ("pair", {"caption_field": "a"}, "--caption-field is about pictures"),
        ("text", {"output_field": "a"}, "--output-field is about pairs"),
        ("chat", {"label_from": "folder"}, "--label-from is about labels of texts"),
    ],
)
def test_what_has_no_meaning_for_a_format_is_refused(write, prep, format, options, named):
    write("a.jsonl", lines({"input": "a", "output": "b"}))
    with pytest.raises(BadRequest, match=named):
        prep(format=format, **options)


def test_workers_make_no_difference_to_pairs_and_preferences(write, prep, monkeypatch):
    monkeypatch.setattr("aictl.data.prep.running.ALONE_BYTES", 0)
    monkeypatch.setattr("aictl.data.prep.streams.STREAM_BYTES", 1000)
    rows = [{"prompt": said(n), "chosen": "yes", "rejected": "no", "input": said(n), "output": "b"} for n in range(60)]
    write("a.jsonl", lines(*rows))
    for format in ("pair", "preference"):
        one, two = prep(format=format, workers=1), prep(format=format, workers=2)
        assert one.content({}) == two.content({})


# Pictures with captions and boxes


def picture(seed: int, width: int = 40, height: int = 30) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_captions_and_labels_of_metadata(write, prep, everything):
    rows = [{"file_name": f"{n}.png", "text": f" what {n} shows", "label": n % 2} for n in range(20)]
    for number in range(21):
        write(f"train/{number}.png", picture(number))
    write("train/metadata.jsonl", lines(*rows))
    heard = []
    dataset = prep(format="image", validation_fraction=0.2, events=Events(heard.append))
    third = next(one for one in everything(dataset) if one["source"] == "train/3.png")
    assert (third["caption"], third["label"]) == ("what 3 shows", "1")
    assert "boxes" not in third
    assert dataset.classes == ("0", "1")
    assert "left out 1 pictures that no annotation names" in [one.message for one in heard if isinstance(one, Noted)]
    write("train/metadata.csv", "file_name,caption\n" + "".join(f"{n}.png,seen {n}\n" for n in range(20)))
    (dataset.folder.parent / "raw/train/metadata.jsonl").unlink()
    assert {one["caption"] for one in everything(prep(format="image"))} == {f"seen {n}" for n in range(20)}


def test_a_picture_with_two_captions_is_two_documents_on_one_side(write, prep, everything):
    for number in range(12):
        write(f"{number}.png", picture(number))
    rows = [{"file_name": f"{n}.png", "caption": f"{n} as {way}"} for n in range(12) for way in ("one", "other")]
    write("metadata.jsonl", lines(*rows, rows[0]))
    for options in ({}, {"near_duplicates": 0.98}):
        dataset = prep(format="image", validation_fraction=0.3, **options)
        assert len(everything(dataset)) == 24
        sides = [{one["image"] for one in dataset.documents(split)} for split in ("train", "validation")]
        assert not sides[0] & sides[1] and all(sides)
    assert prep(dataset, validation_fraction=0.3).content({}) == dataset.content({})


def test_annotations_of_no_use_are_set_aside_and_told(write, prep):
    for number in range(30):
        write(f"{number}.png", picture(number))
    good = [{"file_name": f"{n}.png", "caption": f"number {n}"} for n in range(4, 30)]

    def objects(box, label="cat"):
        return {"bbox": [box], "categories": [label]}

    write(
        "metadata.jsonl",
        lines(
            {"file_name": "gone.png", "caption": "x"},
            {"file_name": "0.png", "caption": 5},
            {"file_name": "1.png", "objects": objects([0, 0, 0, 5])},
            {"file_name": "2.png", "objects": objects([40, 0, 5, 5])},
            *good,
        ),
    )
    found = sorted(reasons(prep(format="image", max_rejected=0.5)))
    assert found[0] == "box outside the picture: 'cat' at 40, 0, 45, 5, and it is 40 x 30"
    assert found[1] == "box without area: 'cat' is 0 x 5"
    assert found[2] == "no such picture: metadata.jsonl names it, and it is not there"
    assert found[3] == "not a string: the caption is of type int"
    write("metadata.jsonl", '{"file_name": "1.png"}\n{"file_na')
    with pytest.raises(BadInput, match=r"metadata\.jsonl should say what is in the pictures: line 2 is broken JSON"):
        prep(format="image")


def coco(count=10, **more):
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 30} for n in range(count)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}, {"id": 9, "name": "yak"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 7 if n % 2 else 3, "bbox": [1.5, 2, 10, 8], "iscrowd": 0}
            for n in range(1, count)
        ],
    } | more


def test_boxes_of_coco(write, prep, everything):
    for number in range(10):
        write(f"val2017/{number}.png", picture(number))
    value = coco()
    value["annotations"] += [
        {"image_id": 1, "category_id": 3, "bbox": [-2, 25, 50, 50]},
        {"image_id": 1, "category_id": 3, "bbox": [0, 0, 40, 30], "iscrowd": 1},
    ]
    write("annotations/instances.json", json.dumps(value))
    write("settings.json", '{"a": 1}')
    heard = []
    dataset = prep(format="image", events=Events(heard.append))
    by_source = {one["source"]: one for one in everything(dataset)}
    assert by_source["val2017/0.png"]["boxes"] == []
    assert by_source["val2017/1.png"]["boxes"] == [
        {"label": "dog", "box": [1.5, 2, 11.5, 10]},
        {"label": "cat", "box": [0, 25, 40, 30]},
    ]
    assert dataset.classes == ("dog", "cat", "yak")
    rows = json.loads((dataset.folder / "labels.json").read_text())["labels"]
    assert [one["documents"] for one in rows] == [5, 5, 0]
    assert "1 pictures have boxes that reached over their edge" in str(
        [one.message for one in heard if isinstance(one, Noted)]
    )
    again = prep(dataset)
    assert again.content({}) == dataset.content({}) and again.classes == dataset.classes


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (coco(images=[{"id": 1}]), "image 1 has no id or no file_name"),
        (coco(annotations=[{"image_id": 99, "bbox": [0, 0, 1, 1]}]), "annotation 1 is of no image"),
        (coco(categories=[]), "annotation 1 is of no category"),
        (coco(categories=[{"id": []}]), "category 1 has no id or no name"),
    ],
)
def test_broken_coco_is_an_error_that_says_where(write, prep, value, said):
    write("1.png", picture(1))
    write("a.json", json.dumps(value))
    with pytest.raises(BadInput, match=f"a.json should say what is in the pictures: {said}"):
        prep(format="image")


def test_captions_of_coco(write, prep, everything):
    for number in range(6):
        write(f"{number}.png", picture(number))
    rows = [{"image_id": n, "caption": f"{n} {way}"} for n in range(6) for way in "ab"]
    write("captions.json", json.dumps(coco(6, annotations=rows, categories=[])))
    documents = everything(prep(format="image"))
    assert len(documents) == 12 and {one["caption"] for one in documents} == {row["caption"] for row in rows}


def test_captions_and_boxes_of_parquet(write, prep, everything):
    rows = [
        {
            "image": {"bytes": picture(n), "path": f"{n}.png"},
            "alt": f"number {n}",
            "objects": {"bbox": [[1, 2, 3, 4]], "category": [n % 2]},
        }
        for n in range(10)
    ]
    features = {"objects": {"feature": {"category": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table(write("a.parquet", b""), rows, metadata)
    dataset = prep(format="image", caption_field="alt")
    assert dataset.classes == ("cat", "dog")
    one = next(one for one in everything(dataset) if one["source"] == "a.parquet:4")
    assert (one["caption"], one["boxes"]) == ("number 3", [{"label": "dog", "box": [1, 2, 4, 6]}])
    with pytest.raises(BadInput, match="no field 'gone'"):
        prep(format="image", caption_field="gone")
