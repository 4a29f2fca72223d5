"""What is known of a run while it goes on, and how a screen of any size shows it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from aictl.cli.sinks.chart import FAINT, MARK, Chart, Point
from aictl.cli.sinks.series import Series
from aictl.cli.sinks.words import Line, Task, clock, in_order, label, lasted, written
from aictl.cli.table import printable
from aictl.core.events import Advanced, Event, Finished, Measured, Noted, Started

MOST_LINES = 1000  # told on the screen and said again when it has gone; of more, the last

# What a screen has room for, from its size in characters.
_BOXED = (76, 20)  # columns and rows from which tiles and notes have a frame
_COUNTED = 50  # columns from which a task says at which step it is
_AIRY = 28  # rows from which one is left blank
_BESIDE = 100  # columns from which the small charts stand beside the large one
_CHART_ROWS = 7  # a chart with its frame and axis has three rows of dots left
_TASK_ROWS = 3
_FEWEST_TILES = 4  # fewer leave the rest of their row free
_NOTE_ROWS = 5
_SHORT = {"held-out loss": "held out", "learning rate": "rate", "gradient norm": "gradient"}


class Board:
    """Takes events, and draws itself to the size it is given. ``title`` is the command."""

    def __init__(self, title: str) -> None:
        self.lines: deque[Line] = deque(maxlen=MOST_LINES)
        self.told = 0
        self._title = printable(title)
        self._began = time.monotonic()
        self._tasks: dict[str, Task] = {}
        self._latest: dict[str, float] = {}
        self._fresh: dict[str, float] = {}  # what was measured since a task last ended
        self._series: dict[str, Series] = {}

    def take(self, event: Event) -> None:
        now = time.monotonic()
        match event:
            case Started(task, _, _):
                self._tasks[task] = Task(event, now)
            case Advanced(task, done):
                if task in self._tasks:
                    self._tasks[task].advance(done, now)
            case Measured(name, value, step):
                self._latest[name] = self._fresh[name] = value
                if step is not None:
                    self._series.setdefault(name, Series()).add(step, value)
            case Noted(message, level) if level != "detail":
                self.say(Line("!" if level == "warning" else "·", message))
            case Finished(task):
                if task in self._tasks:
                    self._end("✓", self._tasks.pop(task), now)
                    self._fresh.clear()

    def say(self, line: Line) -> None:
        self.told += 1
        self.lines.append(line)

    def stop(self) -> None:
        """Say how far the tasks were that are still running."""
        for task in self._tasks.values():
            self._end("·", task, time.monotonic())
        self._tasks.clear()

    def _end(self, mark: str, task: Task, now: float) -> None:
        where = "" if mark == "✓" else f" stopped{' at ' + task.counted() if task.counted() else ''},"
        values = (f"{label(name)} {written(name, self._fresh[name])}" for name in in_order(self._fresh))
        self.say(Line(mark, f"{task.name}{where}", "  ".join([lasted(now - task.began), *values])))

    def picture(self, width: int, height: int) -> RenderableType:
        """The whole screen, of what is known now."""
        boxed = width >= _BOXED[0] and height >= _BOXED[1]
        head, rows = self._head(width, height)
        parts = [Layout(head, size=rows)]
        left = height - rows
        if self._latest:
            rows = 3 if boxed else 2
            parts.append(Layout(self._tiles(width, boxed), size=rows))
            left -= rows
        charts = self._charts(width, left)
        most = min(_NOTE_ROWS, height // 8, left - _CHART_ROWS) if charts else left
        notes, rows = self._notes(boxed, most=most, fill=not charts)
        if charts:
            parts.append(_arranged(charts, width, left - rows))
        if rows > 0:
            parts.append(Layout(notes, size=rows))
        whole = Layout()
        whole.split_column(*parts)
        return whole

    def _head(self, width: int, height: int) -> tuple[RenderableType, int]:
        """The command and the tasks that began last, and how many rows they take."""
        now = time.monotonic()
        title = Text("aictl ", style="bold cyan", no_wrap=True, overflow="ellipsis").append(self._title, style="bold")
        top = _sides(title, Text(f"{clock(now - self._began)} elapsed", style=FAINT))
        running = list(self._tasks.values())[-max(1, min(_TASK_ROWS, height // 6)) :]
        return Group(top, _progress(running, width, now)), 1 + len(running) + (height >= _AIRY)

    def _tiles(self, width: int, boxed: bool) -> RenderableType:
        shown = in_order(self._latest)[: max(1, width // (13 if boxed else 10))]
        spare = max(0, _FEWEST_TILES - len(shown))
        each = width // (len(shown) + spare)
        grid = Table.grid(expand=True)
        cells: list[RenderableType] = []
        for name in shown:
            grid.add_column(ratio=1)
            head = label(name)
            if len(head) + (6 if boxed else 1) > each:
                head = _SHORT.get(head, head)
            value = Text(written(name, self._latest[name]), style="bold", no_wrap=True, overflow="ellipsis")
            if boxed:
                cells.append(_frame(value, Text(head)))
            else:
                cells.append(Group(Text(head, style=FAINT, no_wrap=True, overflow="ellipsis"), value))
        for _ in range(spare):
            grid.add_column(ratio=1)
        grid.add_row(*cells)
        return grid

    def _charts(self, width: int, rows: int) -> list[RenderableType]:
        """The charts that there is something for, the first of them the large one."""
        curves = {name: tuple(series.points) for name, series in self._series.items() if series.points}
        if "loss" not in curves or rows < _CHART_ROWS:
            return []
        held_out = curves.get("held_out_loss", ())
        title = Text("loss  ").append("━", style="cyan").append(" training", style="default")
        if held_out:
            title.append(f"  {MARK}", style="yellow").append(" held out", style="default")
        found: list[RenderableType] = [_frame(Chart(curves["loss"], held_out, rough=True), title)]
        small = [("learning_rate", "magenta"), ("gradient_norm", "green")]
        room = 2 if width >= _BESIDE else 1 if rows >= 3 * _CHART_ROWS else 0
        if width >= _BESIDE and rows < 2 * _CHART_ROWS + 2:
            room = 1
        for name, colour in [one for one in small if len(curves.get(one[0], ())) > 1][:room]:
            points: Sequence[Point] = curves[name]
            found.append(_frame(Chart(points, colour=colour, rough=name == "gradient_norm"), Text(label(name))))
        return found

    def _notes(self, boxed: bool, *, most: int, fill: bool) -> tuple[RenderableType, int]:
        """The last lines, and how many rows they take."""
        rows = most - 2 if boxed and fill else most
        last = list(self.lines)[-rows:] if rows > 0 else []
        if not last:
            return Text(), most if fill else 0
        texts = [line.drawn() for line in last]
        for text in texts:
            text.no_wrap, text.overflow = True, "ellipsis"
        if boxed:
            return _frame(Group(*texts), Text("notes")), most if fill else len(last) + 2
        return Group(*texts), most if fill else len(last)


def _progress(tasks: Sequence[Task], width: int, now: float) -> RenderableType:
    """A row for each: the task, its bar, where it is and how long it has to go."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=max(8, width // 4))
    grid.add_column(ratio=1)
    for _ in range(3):
        grid.add_column(no_wrap=True, justify="right")
    for task in tasks:
        left = task.left_s(now)
        bar = ProgressBar(
            total=task.total, completed=task.done, pulse=not task.total, complete_style="cyan", finished_style="green"
        )
        share = f"{min(1.0, task.done / task.total):.0%}".replace("%", " %") if task.total else ""
        times = [clock(now - task.began)] if width >= _BOXED[0] else []
        times += [f"{clock(left)} left"] if left is not None else []
        where = Text(task.counted() if width >= _COUNTED else "")
        grid.add_row(
            Text(printable(task.name)), bar, Text(share, style="bold"), where, Text(" · ".join(times), style=FAINT)
        )
    return grid


def _sides(left: Text, right: Text) -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(no_wrap=True, justify="right")
    grid.add_row(left, right)
    return grid


def _frame(content: RenderableType, title: Text) -> Panel:
    return Panel(content, title=title, title_align="left", border_style=FAINT, padding=(0, 1))


def _arranged(charts: Sequence[RenderableType], width: int, rows: int) -> Layout:
    """The first chart large, the others beside it in a column, or below it where the screen is narrow."""
    first, *others = charts
    whole = Layout(size=rows)
    if not others:
        whole.update(first)
    elif width >= _BESIDE:
        side = Layout(ratio=1)
        side.split_column(*map(Layout, others))
        whole.split_row(Layout(first, ratio=2), side)
    else:
        whole.split_column(Layout(first, ratio=2), *(Layout(one, ratio=1) for one in others))
    return whole
