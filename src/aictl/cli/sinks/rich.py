"""A terminal: a bar for each running task, with what was last measured beside it."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from aictl.cli.sinks.plain import number
from aictl.core.events import Advanced, Event, Finished, Measured, Noted, Started


class RichSink:
    """Draws on stderr; finished tasks stay as a line each, bars go when nothing runs."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._units: dict[str, str] = {}
        self._measured: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case Started(task, total, unit):
                progress = self._bars()
                if task in self._tasks:
                    progress.remove_task(self._tasks[task])
                self._units[task] = unit
                self._tasks[task] = progress.add_task(escape(task), total=total, info="")
            case Advanced(task, done):
                if task in self._tasks:
                    self._bars().update(self._tasks[task], completed=done, info=self._info(task))
            case Measured(name, value, _):
                self._measured[name] = value
            case Noted(message, level) if level != "detail":
                mark = "[yellow]![/] " if level == "warning" else "[dim]·[/] "
                self._console.print(mark + escape(message))
            case Finished(task):
                self._finish(task)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _bars(self) -> Progress:
        if self._progress is None:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[info]}", style="dim"),
                TimeElapsedColumn(),
                TimeRemainingColumn(compact=True),
                console=self._console,
                transient=True,
            )
            self._progress.start()
        return self._progress

    def _finish(self, task: str) -> None:
        if self._progress is None or task not in self._tasks:
            return
        seconds = self._progress.tasks[self._progress.task_ids.index(self._tasks[task])].elapsed or 0.0
        self._progress.remove_task(self._tasks.pop(task))
        self._console.print(f"[green]✓[/] {escape(task)} [dim]{seconds:.1f} s  {self._info('')}[/]")
        self._measured.clear()
        if not self._tasks:
            self.close()

    def _info(self, task: str) -> str:
        unit = [self._units[task]] if self._units.get(task) else []
        return "  ".join([f"{name} {number(value)}" for name, value in list(self._measured.items())[:4]] or unit)
