"""The peers' programs, run in an environment of their own: ``data_peers.py PROGRAM IN OUT``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

source, out = Path(sys.argv[2]), Path(sys.argv[3])


def gopher() -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    steps = [
        JsonlReader(str(source.parent), glob_pattern=source.name),
        GopherQualityFilter(),
        GopherRepetitionFilter(),
        JsonlWriter(str(out / "kept"), compression=None),
    ]
    LocalPipelineExecutor(steps, tasks=1, workers=1, logging_dir=str(out / "logs")).run()


def minhash() -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    config = MinhashConfig()
    reader = JsonlReader(str(source.parent), glob_pattern=source.name)
    stages = [
        ([reader, MinhashDedupSignature(str(out / "signatures"), config=config)], 1),
        ([MinhashDedupBuckets(str(out / "signatures"), str(out / "buckets"), config=config)], config.num_buckets),
        ([MinhashDedupCluster(str(out / "buckets"), str(out / "remove"), config=config)], 1),
        ([reader, MinhashDedupFilter(str(out / "remove")), JsonlWriter(str(out / "kept"), compression=None)], 1),
    ]
    for number, (steps, tasks) in enumerate(stages):
        LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(out / f"logs{number}")).run()


def rensa() -> None:
    import orjson
    from rensa import RMinHash, RMinHashDeduplicator

    seen = RMinHashDeduplicator(threshold=0.8, num_perm=128, use_lsh=True, num_bands=16, seed=1)
    out.mkdir()
    with source.open("rb") as file, (out / "kept.jsonl").open("wb") as kept:
        for number, line in enumerate(file):
            row = orjson.loads(line)
            words = row["text"].lower().split()
            sketch = RMinHash(num_perm=128, seed=1)
            sketch.update([" ".join(words[at : at + 5]) for at in range(max(1, len(words) - 4))])
            if seen.add(str(number), sketch):
                kept.write(orjson.dumps(row) + b"\n")


def unique() -> None:
    import polars

    out.mkdir()
    rows = polars.scan_ndjson(source, schema={"text": polars.String, "source": polars.String})
    rows.unique(subset="text", keep="first", maintain_order=True).sink_ndjson(out / "kept.jsonl")


def sketch() -> None:
    import daft

    text = daft.col("text").normalize(remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    rows = daft.read_json(str(source)).with_column("sketch", text.minhash(num_hashes=112, ngram_size=5))
    rows.exclude("text").write_parquet(str(out))


def distinct() -> None:
    import duckdb

    out.mkdir()
    duckdb.execute("set threads to 1")
    rows = f"read_ndjson('{source}', columns={{text: 'varchar', source: 'varchar'}}, maximum_object_size=100000000)"
    kept = f"select text, first(source) as source from {rows} group by text"
    duckdb.execute(f"copy ({kept}) to '{out / 'kept.jsonl'}' (format json)")


def verdicts() -> None:
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    books = {
        "gopher": GopherQualityFilter(),
        "gopher-repetition": GopherRepetitionFilter(),
        "fineweb": FineWebQualityFilter(),
        "c4": C4QualityFilter(),
    }
    found: dict[str, list[str | None]] = {name: [] for name in books}
    for number, line in enumerate(source.open()):
        for name, book in books.items():
            verdict = book.filter(Document(text=json.loads(line)["text"].strip(), id=str(number)))
            found[name].append(
                None if verdict is True else str(verdict[1]) if isinstance(verdict, tuple) else "dropped"
            )
    out.write_text(json.dumps(found))


PROGRAMS = {
    "gopher": gopher,
    "minhash": minhash,
    "rensa": rensa,
    "unique": unique,
    "sketch": sketch,
    "distinct": distinct,
    "verdicts": verdicts,
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]]()
    os._exit(0)  # Daft's threads sometimes crash the process while it ends
