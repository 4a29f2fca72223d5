"""Turn raw text, chats, pictures, pairs or preferences into a clean dataset.

Sources are files and folders, objects in a store (s3://, gs://, az://, hdfs://, webhdfs://) or on the
web (https://), pkg:NAME==VERSION (the data files of a Python package) and hf:datasets/ORG/NAME, or
datasets that were prepared before. Text is read from .txt, .md, .rst, .html, .jsonl, .json, .csv, .tsv,
.parquet, .pdf, the pages of .warc archives and the docstrings of .py files; conversations from .jsonl,
.json, .parquet and .csv (messages, ShareGPT, Alpaca, prompt and completion) and the .yml of
chatterbot-corpus; pictures with labels from a folder per class (cats/1.png), .parquet as Hugging Face
writes it, and the idx files of MNIST, with captions and boxes from metadata.jsonl, metadata.csv or COCO's
.json beside them. --format pair reads inputs with their outputs (translations, summaries, questions and
answers), --format preference answers of which one is preferred; --label-field keeps the labels of texts.
All of .jsonl.gz, .warc.gz, .jsonl.zst and the like are unpacked. Links that lead out of a folder are not followed.
"""

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.data.prep.spec import PrepSpec


def run(work: Work[PrepSpec]) -> Dataset:
    from aictl.data.prep.prep import Inputs, prepare

    roles = ("sources", "against", "decontaminate", "block_words", "block_urls", "tokenizer")
    inputs = Inputs(*(work.inputs[role] for role in roles))
    return prepare(inputs, work.spec, work.folder, scratch=work.scratch, events=work.events)


command = Command(
    run=run,
    spec=PrepSpec,
    takes=[
        Takes(
            "sources",
            (Source, Dataset),
            help="files, folders, URLs, pkg:, hf:datasets/, or datasets",
            many=True,
            sets_aside=True,
            streams=True,
        ),
        Takes(
            "against",
            (Dataset,),
            help="drop what is a duplicate of a document of this dataset too",
            many=True,
            option=True,
            required=False,
        ),
        Takes(
            "decontaminate",
            (Dataset,),
            help="drop what shares a sequence of words with a document of this evaluation set",
            many=True,
            option=True,
            required=False,
        ),
        Takes(
            "block_words",
            (Source,),
            help="drop documents with words or phrases of this list, one a line",
            many=True,
            option=True,
            required=False,
        ),
        Takes(
            "block_urls",
            (Source,),
            help="drop documents from, or with links to, domains or URL patterns (with / or *) of this list",
            many=True,
            option=True,
            required=False,
        ),
        Takes(
            "tokenizer",
            (Tokenizer, Checkpoint),
            help="pack the documents as token ids too, by this tokenizer or that of this checkpoint",
            option=True,
            required=False,
        ),
    ],
    makes=(Dataset,),
    extra="data",
    revision=4,
)
