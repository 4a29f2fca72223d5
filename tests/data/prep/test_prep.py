"""Raw files to a dataset, as a whole: what comes in, what comes out, and what is said about the rest."""

from __future__ import annotations

import gzip
import json
import os
import sysconfig
from pathlib import Path

import pytest

from aictl.artifacts.dataset import Dataset
from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest, ExtraMissing, WrongKind
from aictl.core.events import Events, Noted, silent
from aictl.data.prep.prep import Inputs, prepare
from aictl.data.prep.spec import PrepSpec

LONG = "a sentence that is long enough to be kept by the default minimum of characters, number "


def own(mark):
    """A text that has no five words in a row in common with that of another mark."""
    return " ".join(f"{word}-{mark}" for word in LONG.split())


def rows(count, start=0):
    return "".join(json.dumps({"text": own(number)}) + "\n" for number in range(start, start + count))


def test_text_documents_with_their_sources(write, prep, everything):
    write("guide.md", own("one"))
    write("deep/notes.txt", own("two") + "\r\n")
    dataset = prep()
    assert sorted((one["source"], one["text"]) for one in everything(dataset)) == [
        ("deep/notes.txt", own("two")),
        ("guide.md", own("one")),
    ]
    assert dataset.format == "text"
    assert dict(dataset.splits) == {"train": 1, "validation": 1} == dataset.metrics["splits"]


def test_conversations(write, prep, everything):
    write("chats.jsonl", "".join(json.dumps({"prompt": f"{n}?", "completion": f"{n}!"}) + "\n" for n in range(10)))
    dataset = prep()
    assert dataset.format == "chat"
    assert {
        "messages": [{"role": "user", "content": "3?"}, {"role": "assistant", "content": "3!"}],
        "source": "chats.jsonl:4",
    } in everything(dataset)


def test_everything_that_came_in_is_accounted_for(write, prep):
    write("a.jsonl", rows(30) + rows(5) + '{"text": "short"}\n{"text": " "}\n{"text": \n')
    write("b.txt", LONG + "in a \x07 file")
    write("c.png", b"\x89PNG\0")
    write("d.txt", b"\0binary")
    dataset = prep()
    counts = dataset.metrics["documents"]
    assert counts == {"in": 40, "out": 31, "duplicates": 5, "too_short": 1, "empty": 1, "rejected": 2}
    assert dataset.metrics["rejected"] == {"binary file": 1, "broken JSON": 1}
    assert dataset.metrics["cleaned"]["control_characters"] == 1
    assert dataset.metrics["files"] == {"read": 3, "left_out": 1}
    rejected = [json.loads(line) for line in (dataset.folder / "rejected.jsonl").read_text().splitlines()]
    assert [one["source"] for one in rejected] == ["a.jsonl:38", "d.txt"]
    assert "broken JSON" in rejected[0]["reason"]


def test_the_same_input_gives_the_same_bytes_and_another_seed_does_not(write, prep):
    write("a.jsonl", rows(200))
    one, two, other = prep(), prep(), prep(seed=1)
    read = {path.name: path.read_bytes() for path in one.folder.iterdir()}
    assert read == {path.name: path.read_bytes() for path in two.folder.iterdir()}
    assert one.content({}) == two.content({}) != other.content({})


def test_order_is_kept_within_each_split(write, prep):
    write("a.jsonl", rows(300))
    dataset = prep(validation_fraction=0.2)
    for split in ("train", "validation"):
        numbers = [int(one["text"].rpartition("-")[2]) for one in dataset.documents(split)]
        assert numbers == sorted(numbers)


def test_no_document_stands_on_both_sides(write, prep):
    write("a.jsonl", rows(100) * 3)
    dataset = prep(validation_fraction=0.3)
    sides = [{one["text"] for one in dataset.documents(split)} for split in ("train", "validation")]
    assert len(sides[0]) + len(sides[1]) == 100
    assert not sides[0] & sides[1]


def test_one_bad_document_in_a_thousand_is_set_aside_and_told(write, prep):
    write("a.jsonl", rows(999) + "{broken\n")
    told = []
    dataset = prep(events=Events(told.append))
    assert dataset.metrics["documents"]["rejected"] == 1
    (note,) = [event for event in told if isinstance(event, Noted)]
    assert "a.jsonl:1000" in note.message
    assert note.level == "warning"


def test_strict_stops_at_the_first_bad_document(write, prep):
    write("a.jsonl", rows(999) + "{broken\n")
    with pytest.raises(BadInput, match=r"a\.jsonl:1000: broken JSON"):
        prep(strict=True)


@pytest.fixture
def unreadable(write, tmp_path):
    """Thirty documents that can be read, and five names behind which there is nothing to read."""
    write("a.jsonl", rows(30))
    (tmp_path / "raw/gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "raw/loop.jsonl").symlink_to(tmp_path / "raw/loop.jsonl")
    (tmp_path / "raw/passwords.txt").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "raw/endless.jsonl")
    os.mkfifo(tmp_path / "raw/README")
    os.mkfifo(tmp_path / "raw/video.mp4")  # of a kind that is not read anyway
    return {
        "README": "a pipe",
        "endless.jsonl": "a pipe",
        "gone.txt": "a broken link",
        "loop.jsonl": "a loop of links",
        "passwords.txt": "a link that leads out of the folder",
    }


def test_what_cannot_be_read_is_set_aside_like_any_bad_document(unreadable, prep):
    dataset = prep(max_rejected=0.2)
    rejected = [json.loads(line) for line in (dataset.folder / "rejected.jsonl").read_text().splitlines()]
    assert {one["source"]: one["reason"] for one in rejected} == {
        name: f"cannot be read: {why}" for name, why in unreadable.items()
    }
    assert dataset.metrics["documents"] == {
        "in": 35, "out": 30, "duplicates": 0, "too_short": 0, "empty": 0, "rejected": 5
    }  # fmt: skip
    assert dataset.metrics["rejected"] == {"cannot be read": 5}
    assert dataset.metrics["files"]["left_out"] == 1
    with pytest.raises(BadInput, match="5 of 35 documents cannot be used"):
        prep()
    with pytest.raises(BadInput, match="cannot be read"):
        prep(max_rejected=1, strict=True)
    assert prep(exclude=list(unreadable), strict=True).metrics["documents"]["rejected"] == 0


def test_a_file_of_a_broken_disk_is_set_aside(write, tmp_path, prep):
    write("a.jsonl", rows(30))
    (tmp_path / "broken-disk.txt").symlink_to("/proc/self/mem")  # EIO, also for root
    dataset = prep(tmp_path / "raw", tmp_path / "broken-disk.txt")
    (rejected,) = map(json.loads, (dataset.folder / "rejected.jsonl").read_text().splitlines())
    assert rejected == {"source": "broken-disk.txt", "reason": "cannot be read: Input/output error"}


def test_links_that_lead_out_of_the_folder_are_not_followed_however_they_get_there(write, tmp_path, prep, everything):
    write("a.jsonl", rows(30))
    write("deep/own.txt", "what the folder itself holds, long enough to be kept")
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "key.txt").write_text("a secret of the machine that reads, long enough to be kept")
    raw = tmp_path / "raw"
    (raw / "up.txt").symlink_to("../elsewhere/key.txt")
    (raw / "deep/folder").symlink_to(secret)
    (raw / "hop.txt").symlink_to("deep/folder/key.txt")
    (raw / "twice").symlink_to("deep/folder")
    (raw / "parent").symlink_to("..")
    (raw / "inside.md").symlink_to("deep/own.txt")
    (tmp_path / "alias").symlink_to(raw)
    for source in (raw, tmp_path / "alias"):
        dataset = prep(source, max_rejected=0.2, exact_duplicates="keep")
        assert not [one for one in everything(dataset) if "secret" in one["text"]]
        assert {"deep/own.txt", "inside.md"} <= {one["source"] for one in everything(dataset)}
        rejected = {json.loads(line)["source"] for line in (dataset.folder / "rejected.jsonl").read_text().splitlines()}
        assert rejected == {"up.txt", "deep/folder/", "hop.txt", "twice/", "parent/"}


def test_a_folder_that_may_not_be_read_is_set_aside_as_one(unprivileged):
    raw, out = unprivileged / "raw", unprivileged / "out"
    for place in (out, raw / "open", raw / "closed"):
        place.mkdir(parents=True)
    (raw / "open" / "a.jsonl").write_text(rows(30))
    (raw / "closed" / "b.jsonl").write_text(rows(30))
    (raw / "README").write_text(LONG)
    for closed in ("closed", "README"):
        (raw / closed).chmod(0)
    scratch = unprivileged / "scratch"
    scratch.mkdir()
    dataset = prepare(Inputs([Source("raw", raw, "")]), PrepSpec(), out, scratch=scratch, events=silent)
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    assert [one["source"] for one in rejected] == ["README", "closed/"]
    assert {one["reason"] for one in rejected} == {"cannot be read: Permission denied"}
    assert dataset.metrics["documents"]["out"] == 30


@pytest.mark.parametrize("bad", ["gone.txt", "loop.jsonl", "README", "video.mp4"])
def test_one_source_of_many_that_cannot_be_read_is_set_aside(unreadable, prep, tmp_path, bad):
    dataset = prep(tmp_path / "raw/a.jsonl", tmp_path / "raw" / bad)
    assert (dataset.metrics["documents"]["out"], dataset.metrics["documents"]["rejected"]) == (30, 1)
    with pytest.raises(BadInput, match=f"2 of 2 documents cannot be used: .*{bad}"):
        prep(tmp_path / "raw" / bad, tmp_path / "raw" / "gone.txt")


def test_nothing_undecided_hides_what_is_wrong(write, prep):
    """Where no file says of what format it is, the error is still about what is wrong with the file."""
    with pytest.raises(
        BadInput, match=r"truncated: it is packed, and ends too early; `gzip -t` or `zstd -t` checks it"
    ):
        prep(write("a.jsonl.gz", gzip.compress(rows(30).encode())[:20]))
    with pytest.raises(BadInput, match=r"truncated"):
        prep(write("b.yml.gz", gzip.compress(b"conversations:\n- - a\n  - b\n")[:20]))
    with pytest.raises(BadInput, match=r"c\.jsonl:1: broken JSON"):
        prep(write("c.jsonl", "{broken"))


def test_files_of_no_use_are_counted_by_kind_and_the_cure_names_what_is_read(write, prep, tmp_path):
    for name in ("a.mp3", "b.mp3", "c.css"):
        write(name, b"\x89PNG\0")
    with pytest.raises(
        BadInput, match=r"none of these 3 files holds text, conversations or pictures .*: \.mp3 2, \.css 1"
    ) as caught:
        prep()
    assert caught.value.cure.startswith("text is read from .txt .text .md")
    assert "; conversations are read from .json .jsonl" in caught.value.cure
    with pytest.raises(BadInput, match=r"a\.mp3 is of no kind that is read") as caught:
        prep(tmp_path / "raw/a.mp3", format="chat")
    assert "text" not in caught.value.cure


def test_too_many_bad_documents_are_an_error_that_names_the_first(write, prep):
    write("a.jsonl", rows(8) + "{broken\n" * 2)
    with pytest.raises(BadInput, match=r"2 of 10 documents cannot be used: a\.jsonl:9: broken JSON") as caught:
        prep()
    assert "--max-rejected" in caught.value.cure
    assert prep(max_rejected=0.2).metrics["documents"]["out"] == 8


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.txt", b"", "nothing is left of 1 documents.* 1 are empty"),
        ("a.txt", b"short", "1 are shorter than 32 characters"),
        ("a.txt", b"\xff\xfe\xfa", "1 of 1 documents cannot be used: a.txt"),
        ("a.mp3", b"\x89PNG\0", r"a\.mp3 is of no kind that is read"),
        ("a.png", b"\x89PNG\0", r"1 of 1 documents cannot be used: a\.png: no picture"),
        ("a.jsonl", b"", r"a\.jsonl is empty"),
        ("a.jsonl", b"{broken", "a.jsonl"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_input_of_no_use_is_an_error_that_names_it(write, prep, name, content, why, named):
    path = write(name, content)
    with pytest.raises(BadInput):
        prep(path) if named else prep()
    if named:
        with pytest.raises(BadInput, match=why):
            prep(path)


def test_a_file_that_the_user_named_is_never_left_out_silently(write, prep):
    good, bad = write("a.jsonl", rows(10)), write("b.png", b"\x89PNG\0")
    with pytest.raises(BadInput, match=r"b\.png is of no kind"):
        prep(good, bad)


def test_too_small_to_split(write, prep):
    write("a.txt", LONG)
    with pytest.raises(BadInput, match="too few to split") as caught:
        prep()
    assert "--max-chars" in caught.value.cure
    assert dict(prep(validation_fraction=0).splits) == {"train": 1}
    assert len(prep(max_chars=len(LONG) // 2, min_chars=1).splits) == 2


def test_text_and_conversations_together_need_a_decision(write, prep):
    write("readme.md", own(1))
    write("more.md", own(2))
    write("chats.jsonl", "".join(json.dumps({"prompt": f"{n}?", "completion": f"{n}!"}) + "\n" for n in range(4)))
    with pytest.raises(BadRequest, match=r"chats\.jsonl"):
        prep()
    assert prep(format="chat").metrics["documents"]["out"] == 4
    assert prep(exclude=["*.jsonl"]).metrics["documents"]["out"] == 2


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"include": ["*.md"]}, {"a/x.md", "b/y.md"}),
        ({"include": ["a"]}, {"a/x.md", "a/x.txt"}),
        ({"include": ["a/*"]}, {"a/x.md", "a/x.txt"}),
        ({"include": ["a/"]}, {"a/x.md", "a/x.txt"}),
        ({"include": ["*/x.*"]}, {"a/x.md", "a/x.txt"}),
        ({"exclude": ["b", "*.txt"]}, {"a/x.md"}),
        ({"include": ["*.md"], "exclude": ["a"]}, {"b/y.md"}),
    ],
)
def test_include_and_exclude(write, prep, everything, options, wanted):
    for name in ("a/x.md", "a/x.txt", "b/y.md", "b/z.txt"):
        write(name, own(name))
    dataset = prep(validation_fraction=0, **options)
    assert {one["source"] for one in everything(dataset)} == wanted


def test_globs_that_leave_nothing_show_what_paths_look_like(write, prep):
    write("a/x.md", LONG)
    with pytest.raises(BadInput, match="--include nothing") as caught:
        prep(include=["nothing"])
    assert "a/x.md" in caught.value.cure


def test_two_sources_with_the_same_names_are_told_apart(write, prep, everything, tmp_path):
    write("one/README.md", own(1))
    write("two/README.md", own(2))
    write("two/other.md", own(3))
    dataset = prep(tmp_path / "raw/one", tmp_path / "raw/two")
    assert {one["source"] for one in everything(dataset)} == {"1:README.md", "2:README.md", "other.md"}


def test_a_python_package_keeps_its_name(write, prep, everything, tmp_path):
    write("shapes/__init__.py", f'"""{LONG}"""')
    write("shapes/round.py", f'def circle(r):\n    """{own("round")}"""')
    dataset = prep(Source("shapes", tmp_path / "raw/shapes", "", {"prefix": "shapes/"}))
    assert {one["source"] for one in everything(dataset)} == {"shapes/__init__.py", "shapes/round.py:circle"}
    assert any(one["text"].startswith("shapes.round.circle(r)\n") for one in everything(dataset))


def test_datasets_can_be_prepared_again_and_joined(write, prep, everything, tmp_path):
    first = prep(write("a.jsonl", rows(20)))
    joined = prep(first, write("b.jsonl", rows(20, start=10)))
    assert len(everything(joined)) == 30
    assert {one["source"] for one in everything(first)} < {one["source"] for one in everything(joined)}
    with pytest.raises(WrongKind, match="is of format text"):
        prep(first, format="chat")


def test_half_surrogates_are_set_aside(write, prep):
    write("a.jsonl", rows(30) + '{"text": "' + LONG + ' \\ud800"}\n')
    assert prep().metrics["rejected"] == {"bad Unicode": 1}


def test_long_records_are_cut_and_numbered(write, prep, everything):
    write("a.jsonl", json.dumps({"text": (LONG + "\n\n") * 10}) + "\n" + json.dumps({"text": LONG}) + "\n")
    sources = {one["source"] for one in everything(prep(max_chars=200))}
    assert "a.jsonl:1" in sources  # duplicates among the pieces are dropped, so not every number is there


def test_shards_are_closed_and_the_content_does_not_depend_on_them(write, prep, monkeypatch):
    write("a.jsonl", rows(200))
    one = prep()
    monkeypatch.setattr("aictl.artifacts.dataset.SHARD_BYTES", 2000)
    many = prep()
    assert len(one.shards("train")) == 1
    assert len(many.shards("train")) > 5
    assert list(one.documents()) == list(many.documents())
    assert one.content({}) == many.content({})


def test_yaml_without_pyyaml_names_the_extra(write, prep, monkeypatch):
    write("a.yml", "conversations:\n- - a\n  - b\n")
    monkeypatch.setattr("aictl.core.extras.missing", lambda extra: ["yaml"])
    with pytest.raises(ExtraMissing) as caught:
        prep(format="chat")
    assert caught.value.cure == "pip install 'aictl[data]'"


def test_pythons_own_documentation(prep, everything):
    library = Path(sysconfig.get_path("stdlib"))
    dataset = prep(library / "pydoc_data" / "topics.py", Source("json", library / "json", "", {"prefix": "json/"}))
    assert isinstance(dataset, Dataset)
    by_source = {one["source"]: one["text"] for one in everything(dataset)}
    assert by_source["json/__init__.py:loads"].startswith("json.loads(s, *, cls=None")
    assert by_source["topics.py:assert"].startswith('The "assert" statement')
    assert dataset.metrics["documents"]["rejected"] == 0


@pytest.mark.slow
def test_the_mess_of_pythons_library(prep):
    """Templates, certificates, icons, shared objects, and sources that are no Python on purpose."""
    library = Path(sysconfig.get_path("stdlib"))
    dataset = prep(library, exclude=["site-packages", "dist-packages", "test"])
    assert dataset.metrics["documents"]["out"] > 3000
    assert dataset.metrics["files"]["left_out"] > 10
    counts = dict(dataset.metrics["documents"])
    assert counts["rejected"] < counts["in"] / 50
    assert counts.pop("in") == sum(counts.values())


LONGER = " ".join(f"word{number}" for number in range(80))


def test_duplicates_are_sought_in_other_datasets_too(write, prep, everything):
    other = prep(write("old.jsonl", rows(5) + json.dumps({"text": LONGER}) + "\n"))
    new = write("new.jsonl", rows(10, start=3) + json.dumps({"text": LONGER + " and an end"}) + "\n")
    dataset = prep(new, against=[other])
    assert sorted(one["text"] for one in everything(dataset)) == sorted(
        [*(own(number) for number in range(5, 13)), LONGER + " and an end"]
    )
    steps = {step["step"]: step["dropped"] for step in dataset.metrics["steps"]}
    assert steps["exact duplicates"] == {"in another dataset": 2}
    assert dataset.metrics["documents"]["in"] == 11
    dataset = prep(new, against=[other], near_duplicates=0.8)
    steps = {step["step"]: step["dropped"] for step in dataset.metrics["steps"]}
    assert steps["near-duplicates"] == {"in another dataset": 1}
    rows_of = [json.loads(line) for line in (dataset.folder / "duplicates.jsonl").read_text().splitlines()]
    assert [(row["source"], row["of"]) for row in rows_of] == [
        ("new.jsonl:1", "old.jsonl:4"),
        ("new.jsonl:2", "old.jsonl:5"),
        ("new.jsonl:11", "old.jsonl:6"),
    ]
    assert rows_of[-1]["similarity"] == pytest.approx(76 / 79, abs=1e-3)
    assert len(everything(prep(new, against=[other], exact_duplicates="keep"))) == 9
    with pytest.raises(WrongKind, match="is of format text"):
        prep(write("chats.jsonl", '{"prompt": "?", "completion": "!"}\n' * 3), against=[other])


def test_nothing_that_a_model_will_be_judged_by_stays(write, prep, everything):
    questions = ["what is the capital of France", "how many", " ".join(f"exam{n}" for n in range(30))]
    evaluation = prep(write("exam.jsonl", "".join(json.dumps({"text": one}) + "\n" for one in questions)), min_chars=1)
    texts = [
        "Somebody asked: What is the CAPITAL of France? Paris, of course, is what everybody said.",
        "How many words of an exam that is too short to tell may stand here without any harm at all?",
        "Before it " + " ".join(f"exam{n}" for n in range(4, 17)) + " and after it",
        "Before it " + " ".join(f"exam{n}" for n in range(4, 16)) + " and after it",
        own("harmless"),
    ]
    corpus = write("corpus.jsonl", "".join(json.dumps({"text": one}) + "\n" for one in texts))
    dataset = prep(corpus, evaluation=[evaluation])
    assert sorted(one["source"] for one in everything(dataset)) == [f"corpus.jsonl:{n}" for n in (2, 4, 5)]
    (step,) = [step for step in dataset.metrics["steps"] if step["step"] == "contamination"]
    assert list(step["dropped"].values()) == [2]
    fewer = prep(corpus, evaluation=[evaluation], contamination_words=12)
    assert len(everything(fewer)) == 2


def test_weights_are_one_for_each_source(write, prep):
    first, second = write("a.jsonl", rows(30)), write("b.jsonl", rows(30, start=50))
    with pytest.raises(BadRequest, match="--weights has 1 values, and there are 2 sources"):
        prep(first, second, weights=[1.0])
    dataset = prep(first, second, weights=[1, 3], validation_fraction=0)
    taken = [one["source"].partition(".")[0] for one in dataset.documents("train")]
    assert taken.count("b") == 30
    assert 4 <= taken.count("a") <= 17


def test_a_quality_filter_shows_what_it_dropped_and_why(write, prep, everything):
    prose = "The people of the town have to be told that it is so, and that they will be with us. " * 5
    write("good.txt", prose)
    write("bad.txt", "supercalifragilistic expialidocious " * 40)
    dataset = prep(quality="gopher", validation_fraction=0)
    assert [one["source"] for one in everything(dataset)] == ["good.txt"]
    shown = json.loads((dataset.folder / "examples.json").read_text())["gopher"]
    assert [(one["source"], one["reason"]) for one in shown] == [("bad.txt", "long words")]
    with pytest.raises(BadInput, match=r"nothing is left of 1 documents: .*, 1 were dropped by gopher"):
        prep(quality="gopher", include=["bad.txt"])
