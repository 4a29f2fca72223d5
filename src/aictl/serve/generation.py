"""One text, generated in a worker thread and read on the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress

from aictl.core.errors import AictlError, BadRequest
from aictl.inference.generator import Piece, Sampling, TextGenerator
from aictl.serve.refusal import SERVER, Refusal


class Generation:
    """Starts on creation. :meth:`pieces` gives what comes; :meth:`cancel` ends it after the token
    in hand. ``done`` is called on the event loop once the thread is free again, cancelled or not.
    """

    def __init__(
        self,
        generator: TextGenerator,
        prompt: Callable[[], Sequence[int]],
        sampling: Sampling,
        threads: Executor,
        done: Callable[[], None],
    ) -> None:
        """``prompt`` makes the prompt's token ids; it is called in the thread, since rendering and
        tokenizing a long conversation takes a while, and may raise :class:`Refusal`."""
        self.prompt_tokens = 0
        self._generator = generator
        self._prompt = prompt
        self._sampling = sampling
        self._loop = asyncio.get_running_loop()
        self._cancelled = threading.Event()
        self._arrived: asyncio.Queue[Piece | BaseException | None] = asyncio.Queue()
        self._done = done
        threads.submit(self._work)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces as they come; the last has a finish reason. Raises :class:`Refusal` for what
        the request is to blame for, and whatever else went wrong as it is."""
        while (item := await self._arrived.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def cancel(self) -> None:
        self._cancelled.set()

    def _work(self) -> None:
        try:
            prompt = self._prompt()
            self.prompt_tokens = len(prompt)
            for piece in self._generator.generate(prompt, self._sampling, self._cancelled.is_set):
                self._tell(piece)
            self._tell(None)
        except BadRequest as error:
            self._tell(Refusal(400, _told(error)))
        except AictlError as error:
            self._tell(Refusal(500, _told(error), type=SERVER, code="generation_failed"))
        except BaseException as error:
            self._tell(error)
        finally:
            self._on_loop(self._done)

    def _tell(self, item: Piece | BaseException | None) -> None:
        self._on_loop(self._arrived.put_nowait, item)

    def _on_loop(self, call: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: the server is going down and nobody listens
            self._loop.call_soon_threadsafe(call, *arguments)


def _told(error: AictlError) -> str:
    return f"{error.message}; {error.cure}" if error.cure else error.message
