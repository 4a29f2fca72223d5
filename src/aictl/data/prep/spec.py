"""The settings of data prep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pydantic import PositiveFloat, field_validator

from aictl.core.spec import Spec, comma_separated, option

if TYPE_CHECKING:
    from aictl.data.documents import Reading

RuleBook = Literal["gopher", "gopher-repetition", "c4", "fineweb"]
PiiKind = Literal["key", "email", "iban", "card", "national_id", "ip", "phone"]
PII_KINDS: tuple[PiiKind, ...] = get_args(PiiKind)


class FilesSpec(Spec):
    """Which files are read, and how."""

    include: list[str] = option(
        [], help="take only files that match: a glob over the whole path if it has a slash, else over any part of it"
    )
    exclude: list[str] = option([], help="leave out files that match; stronger than --include")
    text_field: str = option("text", min_length=1, help="the field of records that holds the document")
    url_field: str = option("url", min_length=1, help="the field of records that holds where it was found on the web")
    image_field: str = option("image", min_length=1, help="the column of tables that holds pictures")
    label_field: str | None = option(
        None,
        min_length=1,
        help="the field of records that holds the label: of pictures label, and texts get labels only if it is named",
    )
    label_from: Literal["field", "folder"] = option(
        "field", help="where texts have their label: in the field, or by the name of the folder that they lie in"
    )
    caption_field: str | None = option(
        None, min_length=1, help="the field of records that holds what is seen in a picture (default: caption or text)"
    )
    input_field: str | None = option(
        None,
        min_length=1,
        help="of pairs: the field of records that holds what is given, or the end of files of its lines (default: that "
        "of a shape that is known)",
    )
    output_field: str | None = option(
        None, min_length=1, help="of pairs: the field of records that holds what is wanted, or the end of such files"
    )
    max_pixels: int = option(2**26, ge=1, help="pictures of more pixels are set aside, and none of them is decoded")
    unknown_encoding: Literal["reject", "detect"] = option(
        "reject",
        help="text or HTML that is not UTF-8 and does not say what it is: set it aside, or find it out",
    )
    max_rejected: float = option(0.1, ge=0, le=1, help="share of unreadable documents above which nothing is made")
    strict: bool = option(False, help="make nothing if a single document is unreadable")


class FilterSpec(Spec):
    """Which documents are worth keeping."""

    min_chars: int = option(32, ge=0, help="drop text documents shorter than this many characters")
    max_chars: int = option(
        20_000, ge=0, help="cut longer documents at a heading, a paragraph or a line; 0 leaves them whole"
    )
    quality: list[RuleBook] = option(
        [],
        help="drop what breaks published rules: gopher, gopher-repetition, c4, fineweb; several, or one list with "
        "commas",
    )

    mojibake: Literal["repair", "keep"] = option(
        "repair", help="UTF-8 that was once read as another encoding: mend it where the text proves it, or leave it"
    )
    languages: list[str] = option(
        [], help="keep documents in these languages only, by ISO 639 codes such as en,de; any keeps all and counts them"
    )
    language_confidence: float = option(
        0.2, ge=0, le=1, help="with --languages: below it a document counts as und, undetermined"
    )
    profanity: Literal["keep", "drop"] = option("keep", help="drop documents with words of the English list in here")
    blocked_per_thousand: float = option(
        0, ge=0, le=1000, help="hits of block lists that a document may have in a thousand words"
    )
    pii: list[PiiKind | Literal["all"]] = option(
        [],
        help="put placeholders for personal data: key, email, iban, card, national_id, ip, phone, or all; several, or "
        "one list with commas",
    )
    pii_regions: list[str] = option(
        [],
        help="countries whose telephone numbers are known without a country code (default: US GB DE FR IT ES NL PL BR "
        "IN CN JP AU)",
    )

    _words = field_validator("quality", "languages", "pii", "pii_regions", mode="before")(comma_separated)


class DuplicatesSpec(Spec):
    """Which of several documents that say the same is kept: always the first."""

    exact_duplicates: Literal["drop", "keep"] = option(
        "drop", help="documents that are the same, character for character"
    )
    near_duplicates: float | None = option(
        None,
        ge=0.5,
        le=1,
        help="drop documents whose 5-word sequences have this Jaccard similarity with those of an earlier one (0.8 is "
        "usual), and pictures that look like an earlier one in this share of 128 places (0.95)",
    )
    contamination_words: int = option(
        13, ge=5, le=100, help="with --decontaminate: drop documents that share so many words in a row with one there"
    )


class SplitSpec(Spec):
    """How the documents are drawn and divided."""

    sample: float = option(1.0, gt=0, le=1, help="share of the documents to keep, drawn at random")
    weights: list[PositiveFloat] = option(
        [], help="characters of each source beside the others', in their order: 2 1 takes twice as many of the first"
    )
    validation_fraction: float = option(0.05, ge=0, le=0.5, help="share of the documents held out of training")
    test_fraction: float = option(0.0, ge=0, le=0.5, help="share of the documents kept for a last test")
    split_similarity: float = option(
        0.8,
        ge=0.5,
        le=1,
        help="documents whose 5-word sequences have this Jaccard similarity never stand on two sides of the split; "
        "1 keeps together only those that are the same",
    )
    seed: int = option(0, ge=0, le=2**32 - 1, help="another seed holds out other documents")


class WorkSpec(Spec):
    """Who does the work; of no effect on what comes out."""

    workers: int | None = option(
        None, ge=1, le=4096, affects_result=False, help="processes that read and clean (default: as many as cores)"
    )
    on: str = option(
        "local",
        pattern=r"^(local|ray|ray://.+)$",
        affects_result=False,
        help="where the work is done: local, ray (a cluster that runs here, or else one of this machine), or "
        "ray://HOST:PORT",
    )


class PrepSpec(Spec):
    """How raw files become documents."""

    format: Literal["auto", "text", "chat", "image", "pair", "preference"] = option(
        "auto",
        help="documents to read, conversations to learn from, pictures with labels, captions or boxes, pairs of an "
        "input and an output, or answers of which one is preferred; auto decides between the first three where the "
        "files leave no doubt",
    )
    files: FilesSpec = FilesSpec()
    filters: FilterSpec = FilterSpec()
    duplicates: DuplicatesSpec = DuplicatesSpec()
    split: SplitSpec = SplitSpec()
    work: WorkSpec = WorkSpec()

    @property
    def reading(self) -> Reading:
        from aictl.data.documents import Reading  # not at the top: what is up to date needs none of it

        detect = self.files.unknown_encoding == "detect"
        files = self.files
        fields = (files.image_field, files.label_field, files.max_pixels, files.caption_field)
        folders = files.label_from == "folder"
        pairs = (files.input_field, files.output_field)
        return Reading(files.text_field, self.filters.max_chars, files.url_field, detect, *fields, folders, *pairs)

    @property
    def split_at(self) -> float | None:
        """The similarity from which documents go to the same side, if there are sides and others than equals."""
        divided = self.split.validation_fraction or self.split.test_fraction
        return self.split.split_similarity if divided and self.split.split_similarity < 1 else None

    @property
    def compared_at(self) -> float | None:
        """The least similarity on which anything depends, or None if nothing does."""
        return min((one for one in (self.duplicates.near_duplicates, self.split_at) if one), default=None)
