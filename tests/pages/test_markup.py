"""Nothing that is put into a page can break out of its place."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from aictl.pages.markup import Markup, document, element, escaped, joined

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</div></body></html><h1>gone",
    "<!-- ",
    "]]>",
    "&lt;b&gt; &amp; &#60;",
    "</title><script>",
    "javascript:alert(1)",
]


class Reader(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.opened = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.opened.append(tag)

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text):
    page = document(text, "p { color: red }", element("p", text, ["in a list ", text], title=text, data_x=text))
    found = Reader(page)
    body = ["title", "style", "body", "p"]
    assert [tag for tag, _ in found.elements] == ["html", "head", "meta", "meta", "meta", "meta", *body]
    assert found.elements[-1][1] == {"title": text, "data-x": text}
    assert "".join(found.text).count(text) == 3 and not found.opened


def test_what_is_not_seen_is_marked():
    assert escaped("a\0b\x1b[31m\u202eevil\u2066\ud800\tc\nd") == "a\ufffdb\ufffd[31m\ufffdevil\ufffd\ufffd\tc\nd"
    assert escaped("Ünï 漢字 😀 العربية") == "Ünï 漢字 😀 العربية"


def test_markup_is_put_in_as_it_is_and_nothing_else():
    inner = element("b", "x")
    assert (
        isinstance(inner, Markup)
        and element("p", inner, None, 3, class_="k", aria_label=None) == '<p class="k"><b>x</b>3</p>'
    )
    assert joined(["<", inner, (one for one in ["&"])]) == "&lt;<b>x</b>&amp;"
    assert not isinstance(inner + "<i>", Markup), "what is added to it is text again"
    assert element("p", inner + "<i>") == "<p>&lt;b&gt;x&lt;/b&gt;&lt;i&gt;</p>"


def test_a_page_loads_and_runs_nothing():
    assert "default-src 'none'" in document("t", "")
