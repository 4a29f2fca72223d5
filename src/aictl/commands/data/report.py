"""Make a page about a dataset, to read in a browser.

How much each step left, how long documents are, scripts, sources and words, duplicates side by side, examples
of what each rule dropped, and some documents. The page is one file, index.html, which loads nothing and runs
nothing, so it can be sent to anybody who may read the documents that it shows.

  aictl data report docs --name docs-report

  xdg-open "$(aictl data report docs)/index.html"
"""

from aictl.artifacts.dataset import Dataset
from aictl.artifacts.page import Page
from aictl.core.command import Command, Takes, Work
from aictl.data.looking.spec import ReportSpec


def run(work: Work[ReportSpec]) -> Page:
    from aictl.data.looking.report.report import report

    return report(work.inputs["dataset"], work.spec, work.folder, work.events)


command = Command(
    run=run,
    spec=ReportSpec,
    takes=[Takes("dataset", (Dataset,), help="the dataset that the page is about", named=True)],
    makes=(Page,),
    extra="data",
)
