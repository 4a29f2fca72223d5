"""Mojibake: text in UTF-8 that somebody read in another encoding, read again as it was meant.

``GrÃ¼ÃŸe`` becomes ``Grüße``, also where it happened twice. Text that is sound is not touched: what looks like
mojibake in one place often is none (``«été»`` holds the bytes of a Chinese character), so it takes proof.

1. Whether there is anything to suspect at all: a character that begins one of UTF-8 in some encoding, and one that goes
   on with it behind (RFC 3629, 3). That is one search at hundreds of megabytes a second, and most text ends here.
2. If *everything* in the text that is not ASCII is UTF-8 once it is put back into bytes, and that ``PROOF`` characters
   or more, it was mojibake as a whole: sound text holds letters that stand alone.
3. Otherwise line by line, by ftfy (R. Speer, https://ftfy.readthedocs.io), which mends a line only if it holds
   characters that do not stand beside each other in any language.
4. What ftfy leaves is mended if the whole line is UTF-8 in an encoding that the same text was mended from before.

It has to come before control characters are removed: of ``â€œ`` some encodings leave controls in the middle, which
are all that tells what was meant.
"""

from __future__ import annotations

import re
from collections import Counter

from ftfy import TextFixerConfig, fix_encoding_and_explain

# Encodings in which UTF-8 is read by mistake, as ftfy lists them. "sloppy" ones have their gaps filled as in Latin-1,
# which is how browsers read them: https://encoding.spec.whatwg.org/#indexes
_USUAL = ("latin-1", "sloppy-windows-1252", "sloppy-windows-1254")
ENCODINGS = (
    *_USUAL,
    *("sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253", "sloppy-windows-1257"),
    *("iso-8859-2", "macroman", "cp437"),
)
PROOF = 4
_TIMES = 3  # so often may it have happened
_CONFIG = TextFixerConfig(explain=True)


def _letters(first: int, last: int) -> str:
    """A character class of what these bytes are in any of the encodings."""
    decoded = {bytes([byte]).decode(name, "ignore") for name in ENCODINGS for byte in range(first, last + 1)}
    return "[" + "".join(re.escape(letter) for letter in sorted(decoded) if letter and not letter.isascii()) + "]"


_OF_TWO, _OF_THREE, _OF_FOUR, _NEXT = (
    _letters(*bytes_) for bytes_ in ((0xC2, 0xDF), (0xE0, 0xEF), (0xF0, 0xF4), (0x80, 0xBF))
)
# Quick: by the second of two characters, which is rarer than the first. Then exactly, and a space for a no-break space.
_QUICK = re.compile(f"{_NEXT}(?<=(?:{_OF_TWO}|{_OF_THREE}|{_OF_FOUR}).|.[\x80-\x9f])", re.DOTALL)
_EXACT = re.compile(
    f"{_OF_TWO}{_NEXT}|{_OF_THREE}{_NEXT}{{2}}|{_OF_FOUR}{_NEXT}{{3}}|[\x80-\x9f]|[ÂÃ] |[â][ \x80-\x9f€‚ÄĂ]"
)
_SPACED = ("Ã ", "Â ")
# Letters of no orthography with many writers: Latin Extended-B but for those of Romanian, Vietnamese and pinyin.
_ODD = re.compile("[\u0180-\u019f\u01a2-\u01ae\u01b1-\u01cc\u01dd-\u0217\u021c-\u02af\u1d00-\u1dbf]")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def repair(text: str) -> tuple[str, Counter[str]]:
    """The text as it was meant, and what was mended: 1 for each encoding it had been read in by mistake
    (``utf8_as_windows_1252``, ...), for ``utf8_in_part``, ``c1_controls`` and ``surrogates``."""
    mended: Counter[str] = Counter()
    if text.isascii():
        return text, mended
    if _SURROGATES.search(text):
        text = _SURROGATES.sub(lambda pair: pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le"), text)
        mended["surrogates"] = 1
    for _ in range(_TIMES):
        if not is_suspicious(text) or (whole := _as_a_whole(text)) is None:
            break
        text, encoding = whole
        if not encoding:
            return text, mended
        mended[_named(encoding)] = 1
    if is_suspicious(text):
        text = _line_by_line(text, mended)
    return text, mended


def is_suspicious(text: str) -> bool:
    """Whether a text holds anything that might be mojibake; False means that it holds none."""
    if text.isascii() or not (_QUICK.search(text) or any(one in text for one in _SPACED)):
        return False
    return _EXACT.search(text) is not None


def _as_a_whole(text: str) -> tuple[str, str] | None:
    """``(text, encoding)`` if it is UTF-8 throughout, read in that encoding: one of the usual ones if possible, else
    the one that gives the fewest odd letters. Where that leaves two different texts, the text comes back as it is
    with no encoding: a wrong repair would be worse than none."""
    found = []
    for encoding in ENCODINGS:
        if (meant := _meant(text, encoding)) is not None and _beyond_ascii(meant) >= PROOF:
            odd = len(_ODD.findall(meant))
            if encoding in _USUAL and not odd:
                return meant, encoding
            found.append((odd, meant, encoding))
    if not found:
        return None
    best = [one for one in found if one[0] == min(found)[0]]
    return best[0][1:] if len({meant for _, meant, _ in best}) == 1 else (text, "")


def _meant(text: str, encoding: str) -> str | None:
    try:
        meant = text.encode(encoding).decode("utf-8")
    except UnicodeError:
        return None
    return meant if meant != text else None


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _line_by_line(text: str, mended: Counter[str]) -> str:
    lines = text.split("\n")
    left: list[int] = []
    encodings: Counter[str] = Counter()
    for number, line in enumerate(lines):
        if not is_suspicious(line):
            continue
        fixed, steps = fix_encoding_and_explain(line, _CONFIG)
        if fixed == line:
            left.append(number)
            continue
        lines[number] = fixed
        for action, parameter in steps or ():
            if action == "encode":
                encodings[parameter] += 1
            elif action == "apply":
                mended["utf8_in_part"] = 1
            elif parameter == "fix_c1_controls":
                mended["c1_controls"] = 1
    mended.update(dict.fromkeys(map(_named, encodings), 1))
    for number in left:
        for encoding, _ in encodings.most_common():
            if (meant := _meant(lines[number], encoding)) is not None:
                lines[number] = meant
                break
    return "\n".join(lines)


def _named(encoding: str) -> str:
    return "utf8_as_" + encoding.removeprefix("sloppy-").replace("-", "_")
