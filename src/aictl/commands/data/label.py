"""Label a dataset's documents by functions that vote, weighed by their agreement.

The functions stand in a TOML file:

  [labels]
  weather = "asks about the weather"
  alarm = { description = "sets or stops an alarm", examples = ["wake me at seven"] }

  [functions.rain]
  kind = "keywords"
  label = "weather"
  keywords = ["rain", "forecast", "umbrella"]

Kinds are regex (pattern), keywords, python (call = "rules.py:NAME", with --code rules.py), embedding
(with --embedder), classifier (with --classifier) and llm (with --model, at --endpoint or OPENAI_BASE_URL).
Each document gets a label and how certain it is; labels.json in the artifact says what each function did.
--review-out writes the documents worth a person's minute, and --reviewed takes them back, from several people.
"""

from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.core.events import Events
from aictl.data.label.spec import LabelSpec


def run(work: Work[LabelSpec]) -> Dataset:
    from aictl.data.label.label import label

    return label(work)


def hand_out(made: Dataset, spec: LabelSpec, events: Events) -> Any:
    if spec.review_out is not None:
        from aictl.data.label.review import write

        write(made, spec, events)


command = Command(
    run=run,
    spec=LabelSpec,
    takes=[
        Takes("dataset", (Dataset,), help="the dataset to label"),
        Takes("functions", (Source,), help="the TOML file with labels and labelling functions", option=True),
        Takes(
            "code",
            (Source,),
            help="a Python file whose functions the TOML file may call",
            many=True,
            option=True,
            required=False,
        ),
        Takes(
            "embedder",
            (Source,),
            help="the sentence-embedding model, where a function of kind embedding asks for one",
            option=True,
            required=False,
        ),
        Takes(
            "classifier",
            (Source,),
            help="the trained text classifier, where a function of kind classifier asks for one",
            option=True,
            required=False,
        ),
        Takes(
            "reviewed",
            (Source,),
            help="a review file that people filled in; once for each file",
            many=True,
            option=True,
            required=False,
        ),
        Takes(
            "answers",
            (Dataset,),
            help="a dataset labelled before: what an LLM answered then is not asked again",
            many=True,
            option=True,
            required=False,
        ),
    ],
    makes=(Dataset,),
    extra="label",
    hands_out=hand_out,
)
