"""PDFs written by reportlab, some of them spoiled, and a process that dies of some."""

from __future__ import annotations

import gzip
import io
import os
import random
import zlib

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from aictl.data.documents import Document, InputFile, Reading, Unreadable
from aictl.data.readers import apart, pdf


def written(*pages, **options):
    """A PDF of pages of lines."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, **options)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(72, 750 - 14 * number, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def by_hand(content=b"", *, pages="[3 0 R]", count=1, page="/Type /Page /Parent 2 0 R /MediaBox [0 0 612 792]"):
    """A PDF of one page as bytes, for what no writer would write."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids {pages} /Count {count} >>".encode(),
        f"<< {page} /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>".encode(),
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(out),
    )


def refused(read, content):
    with pytest.raises(Unreadable) as caught:
        read("a.pdf", content)
    return caught.value.reason


def test_pages_are_one_document_with_a_blank_line_between(read):
    content = written(["First line,", "second line."], [], ["Größe für 3 €."])
    wanted = [Document("a.pdf", "First line,\nsecond line.\n\nGröße für 3 €.")]
    assert read("a.pdf", content) == wanted
    assert read("a.pdf.gz", gzip.compress(content)) == [Document("a.pdf.gz", wanted[0].content)]
    assert read("b.pdf", b"mail header\n" + content) == [Document("b.pdf", wanted[0].content)]


def test_a_word_divided_at_the_end_of_a_line_is_whole_again(read):
    (document,) = read("a.pdf", written(["The words of a docu-", "ment are whole, well-", "known or not."]))
    assert "document" in document.content.replace("\n", "")
    assert "docu-" not in document.content


def test_many_documents_are_read_by_one_process(read):
    read("a.pdf", written(["one"]))
    (process,) = apart._idle
    for number in range(20):
        assert read("a.pdf", written([f"number {number}"])) == [Document("a.pdf", f"number {number}")]
    assert apart._idle == [process]


class TestRefused:
    def test_encrypted(self, read):
        secret = StandardEncryption("user", "owner", strength=128)
        assert refused(read, written(["secret"], encrypt=secret)) == "encrypted"
        open_to_all = StandardEncryption("", "owner", canPrint=0, strength=128)
        assert read("b.pdf", written(["for all to read"], encrypt=open_to_all)) == [
            Document("b.pdf", "for all to read")
        ]

    def test_pictures_of_text(self, read):
        from PIL import Image

        out = io.BytesIO()
        canvas = Canvas(out)
        canvas.drawImage(ImageReader(Image.new("RGB", (200, 100), "red")), 72, 600)
        canvas.save()
        assert refused(read, out.getvalue()) == "no text"
        assert refused(read, written([], [])) == "no text"

    @pytest.mark.parametrize("content", [b"", b"%PD", b"hello " * 1000, b"x" * 2000 + b"%PDF-1.4"])
    def test_what_is_no_pdf(self, read, content):
        assert refused(read, content) == "not a PDF"

    @pytest.mark.parametrize("content", [b"%PDF-1.4", b"%PDF-1.4\n" + os.urandom(5000), b"%PDF-1.7\n%%EOF"])
    def test_what_only_begins_like_one(self, read, content):
        assert refused(read, content) == "broken PDF"

    def test_more_than_a_document_has(self, write, monkeypatch):
        path = write("a.pdf", written(*[["a page"]] * 3))
        file = InputFile("a.pdf", path, 9)
        assert list(pdf.read(file, Reading())) == [Document("a.pdf", "a page\n\na page\n\na page")]
        for bound in ("MAX_PAGES", "MAX_CHARACTERS"):
            with monkeypatch.context() as patch:
                patch.setattr(pdf, bound, 2)
                with pytest.raises(Unreadable, match="too large"):
                    list(pdf.read(file, Reading()))

    def test_pages_that_hold_themselves(self, read):
        assert refused(read, by_hand(zlib.compress(b""), pages="[2 0 R 2 0 R]", count=1000)) in (
            "broken PDF",
            "no text",
        )

    @pytest.mark.slow
    def test_a_page_that_takes_gigabytes(self, read):
        """Fifty million words in a megabyte."""
        words = b"BT /F 9 Tf 72 700 Td " + b"(word) Tj " * 1000
        packer = zlib.compressobj(9)
        packed = b"".join(packer.compress(words) for _ in range(50_000)) + packer.flush()
        assert len(packed) < 3 * 2**20
        assert refused(read, by_hand(packed)) in ("damaged", "takes too long")
        assert read("b.pdf", written(["the next one"])) == [Document("b.pdf", "the next one")]


def test_spoiled_bytes_cost_no_more_than_their_document(read):
    whole = written(*[[f"Line {line} of page {page}" for line in range(20)] for page in range(5)], pageCompression=1)
    found = set()
    for seed in range(150):
        rng = random.Random(seed)
        spoiled = bytearray(whole)
        for _ in range(rng.choice((1, 10, 100))):
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
        try:
            found.update(type(item) for item in read("a.pdf", bytes(spoiled)))
        except Unreadable as error:
            found.add(error.reason)
    assert {Document, "broken PDF"} <= found
