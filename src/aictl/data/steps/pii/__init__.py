"""Personal data: found, and replaced by placeholders that say what stood there.

======================= ==============================================================================================
``<KEY>``               keys and tokens by their givers' formats, private keys in PEM, JSON web tokens, passwords in
                        URLs, and values that look random behind names such as ``api_key =`` (:mod:`.secrets`)
``<EMAIL>``             names and domains as in RFC 5321 and 1035, whose top-level domain is in the root zone
``<IBAN>``              ISO 13616: length by country, remainder of 97
``<CARD>``              ISO/IEC 7812: ranges and lengths of 11 issuers, Luhn's sum
``<NATIONAL_ID>``       by their states' own rules: US SSN, UK NINO, German Steuer-IdNr., French NIR, Spanish DNI and
                        NIE, Italian codice fiscale, Dutch BSN, Polish PESEL, Brazilian CPF, Chinese resident id,
                        Indian Aadhaar (:mod:`.national`, each with its source)
``<IP>``                RFC 791 and 4291. ``ip_ranges="public"`` leaves private, local, documentation and multicast
                        addresses (the IANA registries, as Python's ``ipaddress`` has them), which are nobody's
``<PHONE>``             numbers that can be dialled by libphonenumber's tables (:mod:`.phones`)
======================= ==============================================================================================

What has check digits is found by shape wherever it stands, unless more than about one random number in a hundred would
pass: a bare SSN, NINO, DNI, BSN or Aadhaar is taken only behind a word that announces it. So are telephone numbers
that are digits alone; with a +, an area in brackets, hyphens as in North America, pairs as in France, or groups behind
a 0 they need no word. Four numbers with dots are taken for a version or a section behind a word that says so, and where
fewer than two of them are 32 or more unless something names an address.

Names, street addresses, birthdays and passwords that are words are not looked for: no rule finds them without finding
as much that is none.

Nothing that is found is kept, logged or put into an error; counts are all that comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation, MatchKind

from aictl.data.steps.pii import numbers, phones, secrets
from aictl.data.steps.pii.addresses import Ranges, emails, ipv4, ipv6
from aictl.data.steps.pii.numbers import Look

Kind = Literal["key", "email", "iban", "card", "national_id", "ip", "phone"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # where two overlap, the earlier kind is taken


_NUMBERED = frozenset(("iban", "card", "national_id", "phone"))


class Span(NamedTuple):
    """Where personal data stands in a text, in characters."""

    start: int
    end: int
    kind: Kind


def find(
    text: str,
    kinds: Collection[Kind] = KINDS,
    *,
    ip_ranges: Ranges = "public",
    regions: Sequence[str] = phones.REGIONS,
) -> list[Span]:
    """Where personal data stands, in order and without overlaps.

    ``regions`` are the countries (ISO 3166-1) whose telephone numbers are known without a country code. Raises
    ``ValueError`` for a kind that does not exist.
    """
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"no kinds of personal data: {', '.join(sorted(unknown))}; known are {', '.join(KINDS)}")
    plain = numbers.plain(text)
    image = numbers.image(plain)
    announced = list(_announced(text, plain, _dictionary(frozenset(kinds), tuple(regions))))
    found: list[Span] = []
    if "@" in text:
        if "key" in kinds:
            found += [Span(*place, "key") for place in secrets.url_passwords(text)]
        if "email" in kinds:
            found += [Span(*place, "email") for place in emails(text)]
    if "ip" in kinds:
        found += [Span(*place, "ip") for place in ipv4(text, image, ip_ranges)]
        found += [Span(*place, "ip") for place in ipv6(text, ip_ranges)]
    if _NUMBERED & set(kinds):
        for shape in numbers.shapes(text, image):
            found += [span for span in _taken(text, shape) if span.kind in kinds]
    if "phone" in kinds:
        found += [Span(*place, "phone") for place in phones.phones(text, image, regions)]
    return _apart(announced, found)


def _taken(text: str, shape: numbers.Shape) -> Iterator[Span]:
    """What the number of a shape is, once its check digits are known to be right."""
    start, end, name, number = shape
    if name == "iban":
        if place := numbers.iban(text, shape):
            yield Span(*place, "iban")
    elif name == "north":
        if phones.is_north_american(number):
            yield Span(start, end, "phone")
    elif name == "pairs":
        if phones.is_french(number):
            yield Span(start, end, "phone")
    elif name in ("fours", "card", "bare") and len(number) >= 14 and numbers.is_card(number):
        yield Span(start, end, "card")
    elif name not in ("fours", "card") and numbers.is_identity(number):
        yield Span(start, end, "national_id")


def scrub(
    text: str,
    kinds: Collection[Kind] = KINDS,
    *,
    ip_ranges: Ranges = "public",
    regions: Sequence[str] = phones.REGIONS,
) -> tuple[str, Counter[str]]:
    """The text with a placeholder in place of everything :func:`find` finds, and how many there are of each kind."""
    spans = find(text, kinds, ip_ranges=ip_ranges, regions=regions)
    if not spans:
        return text, Counter()
    pieces: list[str] = []
    done = 0
    for span in spans:
        pieces += text[done : span.start], f"<{span.kind.upper()}>"
        done = span.end
    return "".join([*pieces, text[done:]]), Counter(span.kind for span in spans)


def _apart(announced: list[Span], found: list[Span]) -> list[Span]:
    """Spans in order, none of which overlap. What a word announces goes before what a shape may mean, then the kinds
    go in their order, and of one kind the longer goes first."""
    if len(announced) + len(found) < 2:
        return announced or found
    ranked = [(span, (0, KINDS.index(span.kind), span.start - span.end)) for span in announced]
    ranked += [(span, (1, KINDS.index(span.kind), span.start - span.end)) for span in found]
    ranked.sort()
    kept: list[tuple[Span, tuple[int, int, int]]] = []
    for one in ranked:
        while kept and one[0].start < kept[-1][0].end and one[1] < kept[-1][1]:
            kept.pop()
        if not kept or kept[-1][0].end <= one[0].start:
            kept.append(one)
    return [span for span, _ in kept]


class _Dictionary(NamedTuple):
    """Words that announce personal data, and for each its kind and who looks behind it."""

    ascii: BytesAhoCorasick
    others: AhoCorasick
    ascii_looks: list[tuple[Kind, Look]]
    others_looks: list[tuple[Kind, Look]]


@lru_cache(maxsize=16)
def _dictionary(kinds: frozenset[Kind], regions: tuple[str, ...]) -> _Dictionary:
    """One automaton that finds all words in a single pass, whatever their number."""
    words: dict[str, tuple[Kind, Look]] = {}
    if "phone" in kinds:
        words |= {word: ("phone", look) for word, look in phones.words(regions).items()}
    if "national_id" in kinds:
        words |= {word: ("national_id", look) for word, look in numbers.words().items()}
    if "key" in kinds:
        words |= {word: ("key", look) for word, look in secrets.words().items()}
    ascii = [word for word in words if word.isascii()]
    others = [word for word in words if not word.isascii()]
    return _Dictionary(
        BytesAhoCorasick([word.encode() for word in ascii], MatchKind.LeftmostLongest, Implementation.DFA),
        AhoCorasick(others, MatchKind.LeftmostLongest, implementation=Implementation.DFA),
        [words[word] for word in ascii],
        [words[word] for word in others],
    )


def _announced(text: str, plain: bytes, dictionary: _Dictionary) -> Iterator[Span]:
    hits = [
        (dictionary.ascii_looks[n], start, end) for n, start, end in dictionary.ascii.find_matches_as_indexes(plain)
    ]
    if not text.isascii():
        found = dictionary.others.find_matches_as_indexes(text)
        hits += [(dictionary.others_looks[n], start, end) for n, start, end in found]
    for (kind, look), start, end in hits:
        if place := look(text, start, end):
            yield Span(*place, kind)
