"""transformers without its progress bars and advice, for as long as one call lasts."""

from __future__ import annotations

import logging as standard_logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging

# peft imports it where it is installed, and it warns of kernels that it could not fetch and does without.
standard_logging.getLogger("bitsandbytes").setLevel(standard_logging.ERROR)


@contextmanager
def quiet() -> Iterator[None]:
    """What a library tells on stderr would spoil what the command line shows there."""
    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
