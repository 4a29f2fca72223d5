"""Driving a builder: its log, its parser, its shape profiles, and the build itself.

The builder works in a thread of its own while this one passes on what it says. So SIGINT and
SIGTERM are heard at once, and stop the build at its next step.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aictl.core.errors import BadRequest, MachineLacks, WorkFailed
from aictl.core.events import Events
from aictl_tensorrt.builders import Builder
from aictl_tensorrt.profiles import Profile, profiles
from aictl_tensorrt.spec import TrtSpec

SHOWN_LINES = 8  # of the builder's own words in an error; the journal has them all
CANCEL_S = 60.0  # how long an interrupted build may take to come to its next step
TASK = "build"


@dataclass(frozen=True)
class Plan:
    """An engine as bytes, with what it was built for."""

    engine: bytes
    profiles: list[Profile]
    targets: list[str]


class Log:
    """What the builder said: kept, and passed on in the thread that asks for it."""

    def __init__(self, api: Any) -> None:
        self.errors: list[str] = []
        self.waiting: queue.SimpleQueue[Callable[[Events], None]] = queue.SimpleQueue()
        severity = api.ILogger.Severity
        grave = (severity.ERROR, severity.INTERNAL_ERROR)

        class Logger(api.ILogger):  # type: ignore[misc]
            def log(logger, level: Any, message: str) -> None:
                if level == severity.VERBOSE:
                    return
                if level in grave:
                    self.errors.append(message.strip())
                # Token ids are 64 bits wide, which the parser warns of and nobody need change.
                harmless = level == severity.INFO or message.rstrip().endswith("has Int64 binding.")
                shown = "detail" if harmless else "warning"
                self.waiting.put(lambda events: events.noted(message.strip(), level=shown))  # type: ignore[arg-type]

        self.logger = Logger()

    def tell(self, events: Events, timeout_s: float = 0.0) -> None:
        """Pass on what has been said, waiting at most ``timeout_s`` for the first word."""
        try:
            self.waiting.get(timeout=timeout_s)(events) if timeout_s else self.waiting.get_nowait()(events)
            while True:
                self.waiting.get_nowait()(events)
        except queue.Empty:
            return

    def words(self) -> str:
        """The builder's last errors, one after another."""
        return "; ".join(self.errors[-SHOWN_LINES:]) or "it said nothing"


def build(builder: Builder, graph: Path, spec: TrtSpec, max_sequence: int, events: Events) -> Plan:
    """Compile ``graph``. Raises as :func:`aictl_tensorrt.compile.compile_engine` says."""
    api, log = builder.api, Log(builder.api)
    try:
        maker = _maker(builder, log)
        network = maker.create_network(_strongly_typed(api))
        parser = api.OnnxParser(network, log.logger)
        if not parser.parse_from_file(str(graph)):
            raise WorkFailed(f"{builder.offer.title} cannot read {graph}: {_parser_errors(parser)}")
        config = maker.create_builder_config()
        _precision(api, config, spec)
        targets = _targets(builder, config, spec.compute_capability)
        shapes = {one.name: tuple(one.shape) for one in map(network.get_input, range(network.num_inputs))}
        ways = profiles(shapes, spec.max_batch, max_sequence, apart=builder.offer.name == "tensorrt")
        for way in ways:
            _add_profile(maker, config, way, log)
        stop = threading.Event()
        config.progress_monitor = monitor = _monitor(api, log, stop)
        try:
            serialized = _heard(lambda: maker.build_serialized_network(network, config), stop, log, events)
        finally:
            config.progress_monitor = None
            del monitor
    finally:
        log.tell(events)
    if serialized is None:  # how both builders say that there is no engine; they raise nothing
        raise WorkFailed(f"{builder.offer.title} {builder.version} built no engine: {log.words()}")
    return Plan(bytes(serialized), ways, targets)


def _maker(builder: Builder, log: Log) -> Any:
    try:
        return builder.api.Builder(log.logger)
    except Exception as error:  # a null pointer, as a TypeError: the reason stands in the log alone
        raise MachineLacks(
            f"{builder.offer.title} {builder.version} cannot start here: {'; '.join(log.errors) or error}",
            cure="build where the NVIDIA GPU and its driver are, or without a GPU for GeForce and RTX: "
            "pip install 'aictl-tensorrt[rtx]' and --builder rtx",
        ) from error


def _strongly_typed(api: Any) -> int:
    # Later versions know no other network and have dropped the flag.
    flag = getattr(api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _parser_errors(parser: Any) -> str:
    rows = []
    for error in map(parser.get_error, range(parser.num_errors)):
        where = (
            f"node {error.node()} '{error.node_name()}' ({error.node_operator()}): " if error.node_operator() else ""
        )
        rows.append(f"{where}{error.desc().strip()}")
    shown = rows[:SHOWN_LINES] + ([f"and {len(rows) - SHOWN_LINES} more"] if len(rows) > SHOWN_LINES else [])
    return "; ".join(shown) or "it does not say why"


def _precision(api: Any, config: Any, spec: TrtSpec) -> None:
    if spec.precision == "fp32":
        config.clear_flag(api.BuilderFlag.TF32)
    else:
        config.set_flag(api.BuilderFlag.TF32)


def _targets(builder: Builder, config: Any, wanted: Sequence[str]) -> list[str]:
    """Set the GPU generations to build for; an empty list leaves them to the builder."""
    known = getattr(builder.api, "ComputeCapability", None)
    if not wanted:
        return []
    if known is None:
        raise BadRequest(
            f"{builder.offer.title} builds for the GPU of this machine, so it takes no --compute-capability",
            cure="leave it out, or use --builder rtx",
        )
    offered = [name for name in known.__members__ if name.startswith("SM")]
    for one in wanted:
        if one.upper() not in offered:
            raise BadRequest(
                f"{builder.offer.title} {builder.version} does not build for '{one}'",
                cure=f"--compute-capability takes {', '.join(name.lower() for name in offered)}",
            )
    names = sorted({one.upper() for one in wanted})
    config.num_compute_capabilities = len(names)
    for index, name in enumerate(names):
        config.set_compute_capability(known.__members__[name], index)
    return [name.lower() for name in names]


def _add_profile(maker: Any, config: Any, way: Profile, log: Log) -> None:
    profile = maker.create_optimization_profile()
    for name, shapes in way.ranges.items():
        profile.set_shape(name, shapes.least, shapes.usual, shapes.largest)
    if config.add_optimization_profile(profile) < 0:
        raise WorkFailed(f"the shapes for {way.name} are refused: {log.words()}")


def _heard(work: Callable[[], Any], stop: threading.Event, log: Log, events: Events) -> Any:
    """Do ``work`` in a thread and pass on what is said meanwhile; an interruption sets ``stop``.

    Raises :class:`WorkFailed` for whatever the builder raised.
    """
    result: list[Any] = []
    failure: list[Exception] = []

    def run() -> None:
        try:
            result.append(work())
        except Exception as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="engine build", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            log.tell(events, timeout_s=0.1)
    except BaseException:
        stop.set()
        thread.join(CANCEL_S)
        raise
    if failure:
        raise WorkFailed(f"the builder failed: {failure[0]}; {log.words()}") from failure[0]
    return result[0]


def _monitor(api: Any, log: Log, stop: threading.Event) -> Any:
    """Tells how far the outermost phase of a build is, and ends the build once ``stop`` is set."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.outermost: str | None = None

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            if parent is None:
                self.outermost = phase
                log.waiting.put(lambda events: events.started(TASK, steps, "steps"))

        def step_complete(self, phase: str, step: int) -> bool:
            if phase == self.outermost:
                log.waiting.put(lambda events: events.advanced(TASK, step + 1))
            return not stop.is_set()

        def phase_finish(self, phase: str) -> None:
            if phase == self.outermost and not stop.is_set():  # a phase also ends by being stopped
                log.waiting.put(lambda events: events.finished(TASK))

    return Monitor()
