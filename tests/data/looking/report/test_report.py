"""The page about a dataset: what is on it, and that nothing in a dataset can harm whoever opens it."""

from __future__ import annotations

import json
import random

import pytest
from tests.data.duplicates.planted import paragraphs
from tests.pages.test_markup import HOSTILE, Reader

from aictl.artifacts.page import Page
from aictl.core.errors import Damaged
from aictl.core.events import silent
from aictl.data.looking.report.gathered import duplicates, examples, rejected, texts_from
from aictl.data.looking.report.report import report
from aictl.data.looking.spec import ReportSpec
from aictl.pages.pieces import differing

PLAIN = {"a", "article", "b", "bdi", "body", "circle", "code", "dd", "details", "div", "dl", "dt", "footer", "h1", "h2",
         "h3", "head", "header", "html", "li", "line", "main", "mark", "meta", "nav", "ol", "p", "polyline", "rect",
         "section", "small", "span", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title",
         "tr", "ul"}  # fmt: skip


@pytest.fixture
def page_of(tmp_path):
    numbers = iter(range(20))

    def make(dataset, **options):
        folder = tmp_path / f"page-{next(numbers)}"
        folder.mkdir()
        page = report(dataset, ReportSpec(**options), folder, silent)
        page.check()
        return page.page_path.read_text("utf-8")

    return make


def test_what_a_prepared_dataset_tells(aictl, project, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    texts = paragraphs(40)
    for number, text in enumerate(texts):
        (raw / f"{number:02}.txt").write_text(text)
    (raw / "twin.txt").write_text(texts[0])
    (raw / "near.txt").write_text(texts[1] + " And one word more.")
    (raw / "short.txt").write_text("too short")
    (raw / "broken.txt").write_bytes(b"\xff\xfe\xfa" * 11)
    made = aictl("data", "prep", str(raw), "--near-duplicates", "0.8", "--name", "texts", cwd=project.root)
    assert made.returncode == 0, made.stderr
    done = aictl("data", "report", "texts", "--name", "about", cwd=project.root)
    assert done.returncode == 0, done.stderr
    text = (project.root / "artifacts/page/about@1/index.html").read_text("utf-8")
    found = Reader(text)
    said = " ".join(found.text)
    files = ("twin.txt", "near.txt", "short.txt", "broken.txt")
    for wanted in ("How it came to be", "near-duplicates", "too short", *files):
        assert wanted in said, wanted
    assert "duplicates.near_duplicates" in said and "0.8" in said
    again = aictl("data", "report", "texts", cwd=project.root)
    assert again.stdout == done.stdout and not again.stderr, "up to date"
    assert len(text) < 300_000
    assert Page(project.root / "artifacts/page/about@1").check() is None


def test_nothing_in_a_dataset_breaks_out(text_dataset, write_dataset, page_of):
    draw = random.Random(1)
    documents = [
        {"text": f"{one} {one} \u202e\0x", "source": f"{one}/{one}", "label": one, "language": one}
        for one in HOSTILE * 3
    ]
    draw.shuffle(documents)
    dataset = text_dataset({"train": documents, "<b>split": documents[:2]}, name="name<i>&'")
    counts = {"documents": 5, "characters": 50}
    steps = [
        {"step": one, **counts, "dropped": {one: 3, f"{one} ": 1}, "changed": {one: 2}, "found": {one: 4}}
        for one in HOSTILE
    ]
    dataset.metrics = {"steps": steps, "rejected": {one: 1 for one in HOSTILE}, "documents": {"in": 9}}
    rows = {one: [{"source": one, "reason": one, "text": one, "became": one}] for one in HOSTILE}
    (dataset.folder / "examples.json").write_text(json.dumps(rows))
    with (dataset.folder / "duplicates.jsonl").open("w") as file:
        for one in HOSTILE:
            file.write(json.dumps({"source": one, "of": one, "kept": f"{one}/{one}", "similarity": 1}) + "\n")
    lines = [json.dumps({"source": one, "reason": one}) + "\n" for one in HOSTILE]
    (dataset.folder / "rejected.jsonl").write_text("".join(lines))
    turns = [{"role": one, "content": one} for one in HOSTILE]
    chats = write_dataset("chats", "chat", {"train": [{"messages": turns, "source": one} for one in HOSTILE]})
    for page in (page_of(dataset), page_of(chats)):
        found = Reader(page)
        assert not found.opened and {tag for tag, _ in found.elements} <= PLAIN
        for tag, attributes in found.elements:
            assert not any(name.startswith("on") or name in ("src", "srcset", "style") for name in attributes)
            assert tag != "a" or attributes["href"].startswith("#")
        assert "\u202e" not in page and "\0" not in page and "<script" not in page
        assert "<script>alert(1)</script>" in "".join(found.text), "it is shown"


def test_what_was_counted_on_the_way(text_dataset, page_of):
    dataset = text_dataset({"train": ["text"]})
    step = {"documents": 1, "characters": 4, "dropped": {}, "changed": {}}
    languages = {f"l{number:02}": 50 - number for number in range(30)}
    found = [languages, {"email": 7, "national_id": 1}, {}]
    names = ["language", "personal data", "length"]
    dataset.metrics = {"steps": [{"step": name, **step, "found": one} for name, one in zip(names, found, strict=True)]}
    said = " ".join(Reader(page_of(dataset)).text)
    assert "national id" in said and "l19" in said and "l20" not in said
    assert "And 255 of 10 other kinds." in said


def test_conversations_by_their_turns(write_dataset, page_of):
    turns = [{"role": "user", "content": "hello there"}, {"role": "assistant", "content": "good morning"}]
    text = page_of(write_dataset("chats", "chat", {"train": [{"messages": turns, "source": "c:1"}]}))
    said = " ".join(Reader(text).text)
    assert "Who speaks" in said and "assistant" in said and "good morning" in said and "How it came to be" not in said


def test_a_dataset_without_documents_and_one_without_the_files_beside(text_dataset, page_of):
    assert "0" in page_of(text_dataset({}))
    said = " ".join(Reader(page_of(text_dataset({"test": ["Only one, 漢字."]}))).text)
    assert "漢字" in said and "Duplicates" not in said and "What was dropped" not in said
    assert "What stands in it" not in page_of(text_dataset({"train": ["x"]}), documents=0)


@pytest.mark.parametrize(
    "metrics",
    [
        {"documents": 3, "steps": 4, "rejected": [1], "files": "x"},
        {"documents": {"in": "many"}, "steps": [{"step": "a"}, 3, {"documents": 1, "characters": -1}]},
        {"rejected": {"a": "b"}, "steps": [{"step": "a", "documents": True, "characters": 1.5}]},
        {"documents": {"in": 0}, "steps": [{"step": 1, "documents": 0, "characters": 0, "dropped": 3}], "files": {}},
    ],
)  # fmt: skip
def test_whatever_other_commands_measured(text_dataset, page_of, metrics):
    dataset = text_dataset({"train": ["text"]})
    dataset.metrics = metrics
    assert "What was dropped" not in page_of(dataset)


def test_the_same_page_for_the_same_dataset(text_dataset, page_of):
    dataset = text_dataset({"train": paragraphs(20)})
    assert page_of(dataset, seed=3, documents=2) == page_of(dataset, seed=3, documents=2)
    assert page_of(dataset, seed=3, documents=2) != page_of(dataset, seed=4, documents=2)


def test_long_texts_make_no_long_page(text_dataset, page_of):
    assert len(page_of(text_dataset({"train": ["word " * 200_000, "x" * 100_000]}))) < 30_000
    names = [{"text": "text", "source": f"{n}" * 10_000, "label": f"{n}" * 10_000} for n in range(5)]
    assert len(page_of(text_dataset({"train": names}))) < 40_000


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("examples.json", "{"), ("examples.json", "[1]"), ("examples.json", '{"a": [1]}'),
        ("duplicates.jsonl", "{\n"), ("duplicates.jsonl", "1\n"), ("rejected.jsonl", "x\n"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_said(text_dataset, page_of, name, data):
    dataset = text_dataset({"train": ["text"]})
    (dataset.folder / name).write_text(data)
    with pytest.raises(Damaged, match=name):
        page_of(dataset)


def test_clusters_with_the_text_that_was_kept(text_dataset):
    dataset = text_dataset({"train": [{"text": "first", "source": "a"}, {"text": 'quoted "b"', "source": 'b"ä/'}]})
    rows = [("x1", "a"), ("x2", "a"), ("y1", 'b"ä/'), ("z", "gone")]
    lines = [json.dumps({"source": one, "of": kept, "kept": kept, "similarity": 0.9}) for one, kept in rows]
    (dataset.folder / "duplicates.jsonl").write_text("\n".join(lines) + "\n")
    found = duplicates(dataset)
    assert found.dropped == 4 and found.sizes == [("2 documents", 2), ("3 – 4 documents", 1)]
    assert [(one.kept, one.dropped, one.text) for one in found.largest] == [
        ("a", 2, "first"), ('b"ä/', 1, 'quoted "b"'), ("gone", 1, None)
    ]  # fmt: skip
    assert texts_from(dataset, []) == {} and examples(dataset) == {} and rejected(dataset) == []


def test_words_that_differ_are_marked():
    left, right = differing("the old house", "the new house")
    assert left == ["the ", "<mark>old</mark>", " house"] and right == ["the ", "<mark>new</mark>", " house"]
    assert differing("same", "same") == (["same"], ["same"]) and differing("", "<") == ([], ["<mark>&lt;</mark>"])
