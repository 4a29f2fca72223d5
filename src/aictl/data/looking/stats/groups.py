"""Documents counted by what they have in common, such as a label or where they are from, in a table of bounded size."""

from __future__ import annotations

MOST = 10_000  # groups that are kept apart; with twice as many the smaller half is put together


class Groups:
    """Of each group how many there are, and how large they are together."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.other_count = self.other_size = 0  # of groups that were too many to be told apart

    def add(self, name: str, count: int, size: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + count
        self.sizes[name] = self.sizes.get(name, 0) + size
        if len(self.counts) > 2 * MOST:
            self._shrink()

    def merge(self, other: Groups) -> None:
        for name, count in other.counts.items():
            self.add(name, count, other.sizes[name])
        self.other_count += other.other_count
        self.other_size += other.other_size

    def largest(self, most: int | None = None) -> list[tuple[str, int, int]]:
        """``(name, count, size)``, the largest first."""
        order = sorted(self.sizes, key=lambda name: (-self.sizes[name], -self.counts[name], name))
        return [(name, self.counts[name], self.sizes[name]) for name in order[:most]]

    def rest(self, shown: int) -> tuple[int, int, int]:
        """How many groups there are beside the largest ``shown``, at least, and their count and size together."""
        rows = self.largest()[shown:]
        count = self.other_count + sum(count for _, count, _ in rows)
        size = self.other_size + sum(size for _, _, size in rows)
        return len(rows) + (self.other_count > 0), count, size

    def _shrink(self) -> None:
        for name, count, size in self.largest()[MOST:]:
            self.other_count += count
            self.other_size += size
            del self.counts[name], self.sizes[name]
