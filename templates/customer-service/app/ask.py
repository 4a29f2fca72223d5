"""One question from a terminal: ``python -m app.ask "How do I ...?"``. What `make ask` runs."""

import asyncio
import sys

from app import retrieval, settings
from app.answer import Answerer


async def ask(question: str) -> int:
    """Print the answer as it is spoken, then the passages it may cite; returns the exit status."""
    answerer = Answerer(retrieval.read(settings.DOCUMENTS), settings.from_environment())
    passages: list[dict[str, object]] = []
    try:
        async for event in answerer.answer(question):
            passages = event.get("passages", passages)
            print(event.get("text", ""), end="", flush=True)
            if "error" in event:
                print(event["error"], file=sys.stderr)
                return 1
    finally:
        await answerer.close()
    print("\n")
    for passage in passages:
        print(f"[{passage['number']}] {passage['source']}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: python -m app.ask "a question"')
    sys.exit(asyncio.run(ask(sys.argv[1])))
