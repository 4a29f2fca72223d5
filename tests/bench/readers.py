"""The readers of `aictl data prep` beside the plain use of libraries: ``python -m tests.bench.readers``.

Prints a table. Each is a whole program that counts the characters of all documents in a file, timed by the processor
time that it and its children take, in turn with the others. The peers that are no part of aictl are installed by hand:
``pip install -c constraints.txt fastwarc pypdf``.
"""

from __future__ import annotations

import csv
import io
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from reportlab.pdfgen.canvas import Canvas
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from tests.bench import corpus
from tests.bench.measure import cpu_s

CORPUS_BYTES = 160_000_000
PAGES_BYTES = 16_000_000  # for HTML, whose reader takes most of the time
PDF_BYTES = 4_000_000
ROUNDS = 5

OURS = """
import sys
from pathlib import Path
from aictl.data.documents import InputFile, Reading
from aictl.data.readers import reader_for
path = Path(sys.argv[1])
file = InputFile(path.name, path, path.stat().st_size)
count = 0
for item in reader_for(file, "{format}")(file, Reading()):
    count += len(item.content) if isinstance(item.content, str) else sum(len(turn["content"]) for turn in item.content)
assert count
"""
PYARROW = """
import sys, pyarrow.parquet as pq
count = 0
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(columns=["text"], use_threads=False):
    for text in batch.column(0).to_pylist():
        count += len(text)
"""
PYARROW_CHAT = """
import sys, pyarrow.parquet as pq
count = 0
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(columns=["messages"], use_threads=False):
    for turns in batch.column(0).to_pylist():
        count += sum(len(turn["content"]) for turn in turns)
"""
CSV = """
import csv, sys
csv.field_size_limit(2**30)
count = 0
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        count += len(row["text"])
"""
PYARROW_CSV = """
import sys, pyarrow as pa, pyarrow.csv as csv
pa.set_cpu_count(1)
options = csv.ParseOptions(newlines_in_values=True)
count = 0
for batch in csv.open_csv(sys.argv[1], csv.ReadOptions(use_threads=False, block_size=2**24), options):
    for text in batch.column("text").to_pylist():
        count += len(text)
"""
PAGE = """
import io, sys
from pathlib import Path
from aictl.data.documents import InputFile, Reading
from aictl.data.readers import html
def text_of(data):
    if sys.argv[2] == "plain":
        return data.decode()
    (page,) = html.read(InputFile("a", Path("a"), len(data), opens=lambda: io.BytesIO(data)), Reading())
    return page.content
count = 0
"""
WARCIO = (
    PAGE
    + """
from warcio.archiveiterator import ArchiveIterator
with open(sys.argv[1], "rb") as file:
    for record in ArchiveIterator(file):
        if record.rec_type == "response":
            count += len(text_of(record.content_stream().read()))
"""
)
FASTWARC = (
    PAGE
    + """
from fastwarc.warc import ArchiveIterator, WarcRecordType
for record in ArchiveIterator(sys.argv[1], record_types=WarcRecordType.response):
    count += len(text_of(record.reader.read()))
"""
)
PDFIUM = """
import sys, pypdfium2
count = 0
for page in pypdfium2.PdfDocument(sys.argv[1]):
    count += len(page.get_textpage().get_text_bounded())
"""
PYPDF = """
import sys, pypdf
count = 0
for page in pypdf.PdfReader(sys.argv[1]).pages:
    count += len(page.extract_text())
"""
OURS_TEXT, OURS_CHAT = OURS.format(format="text"), OURS.format(format="chat")


def texts(folder: Path, size_bytes: int) -> Iterator[str]:
    corpus.write(folder / "corpus.jsonl", CORPUS_BYTES)
    with (folder / "corpus.jsonl").open("rb") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            size_bytes -= len(text.encode())
            if size_bytes < 0:
                return
            yield text


def parquet(folder: Path) -> Path:
    path = folder / "texts.parquet"
    pq.write_table(pa.table({"text": list(texts(folder, CORPUS_BYTES))}), path, row_group_size=1000, compression="zstd")
    return path


def chats(folder: Path) -> Path:
    path, halves = folder / "chats.parquet", iter(texts(folder, CORPUS_BYTES))
    rows = []
    while len(pair := list(islice(halves, 2))) == 2:
        rows.append([{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}])
    pq.write_table(pa.table({"messages": rows}), path, row_group_size=1000, compression="zstd")
    return path


def table(folder: Path) -> Path:
    path = folder / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "text"])
        writer.writerows(enumerate(text.replace("\r", "") for text in texts(folder, CORPUS_BYTES)))
    return path


def archive(folder: Path, kind: str, size_bytes: int) -> Path:
    path = folder / f"{kind}.warc.gz"
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for number, text in enumerate(texts(folder, size_bytes)):
            paragraphs = "</p><p>".join(text.replace("&", "&amp;").replace("<", "&lt;").split("\n\n"))
            body = text if kind == "plain" else f"<!doctype html><html><body><p>{paragraphs}</p></body></html>"
            fields = [("Content-Type", f"text/{kind}; charset=utf-8")]
            head = StatusAndHeaders("200 OK", fields, protocol="HTTP/1.1")
            page = io.BytesIO(body.encode())
            url = f"http://example.org/{number}"
            writer.write_record(writer.create_warc_record(url, "response", payload=page, http_headers=head))
    return path


def pdf(folder: Path) -> Path:
    path = folder / "texts.pdf"
    canvas = Canvas(str(path), pageCompression=1)
    for text in texts(folder, PDF_BYTES):
        lines = [line[:110] for line in text.encode("latin-1", "replace").decode("latin-1").splitlines()]
        for begin in range(0, len(lines), 55):
            for number, line in enumerate(lines[begin : begin + 55]):
                canvas.drawString(40, 800 - 14 * number, line)
            canvas.showPage()
    canvas.save()
    return path


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="aictl-bench-") as name:
        folder = Path(os.environ.get("AICTL_BENCH_FOLDER", name))
        of_archives = {"warcio": WARCIO, "fastwarc": FASTWARC}
        jobs = [
            ("Parquet, text", parquet(folder), CORPUS_BYTES, OURS_TEXT, {"pyarrow": PYARROW}),
            ("Parquet, messages", chats(folder), CORPUS_BYTES, OURS_CHAT, {"pyarrow": PYARROW_CHAT}),
            ("CSV", table(folder), CORPUS_BYTES, OURS_TEXT, {"csv.DictReader": CSV, "pyarrow.csv": PYARROW_CSV}),
            ("WARC, plain text", archive(folder, "plain", CORPUS_BYTES), CORPUS_BYTES, OURS_TEXT, of_archives),
            ("WARC, HTML", archive(folder, "html", PAGES_BYTES), PAGES_BYTES, OURS_TEXT, of_archives),
            ("PDF", pdf(folder), PDF_BYTES, OURS_TEXT, {"pypdfium2": PDFIUM, "pypdf": PYPDF}),
        ]  # fmt: skip
        print("| file | ours, MB/CPU-s | the library alone |\n|---|---|---|")
        for what, path, size_bytes, ours, peers in jobs:
            programs = {"ours": ours, **peers}
            seconds: dict[str, list[float]] = {one: [] for one in programs}
            for _ in range(ROUNDS):
                for one, program in programs.items():
                    command = [sys.executable, "-c", program, str(path), path.name.partition(".")[0]]
                    seconds[one].append(cpu_s(command, cwd=folder, environment={"OMP_NUM_THREADS": "1"}))
            speeds = {one: size_bytes / 1e6 / statistics.median(found) for one, found in seconds.items()}
            others = ", ".join(f"{one} {speed:.1f}" for one, speed in speeds.items() if one != "ours")
            print(f"| {what} | {speeds['ours']:.1f} | {others} |", flush=True)


if __name__ == "__main__":
    main()
