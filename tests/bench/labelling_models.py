"""Label models of others on given votes, in a process that sees .venv/labelling-peers.

``python labelling_models.py MODEL VOTES.npy LABELS OUT.npy`` writes the probabilities, float64 (documents,
labels); the process's own CPU time, imports left out, goes to stdout in seconds.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import numpy as np


def snorkel(votes: np.ndarray, labels: int, *, by_majority: bool) -> np.ndarray:
    """As its documentation fits it: 500 epochs; uniform classes, unless their shares of the votes are given."""
    from snorkel.labeling.model import LabelModel

    model: Any = LabelModel(cardinality=labels, verbose=False)
    shares = np.bincount(votes[votes >= 0], minlength=labels) + 1.0
    balance = list(shares / shares.sum()) if by_majority else None
    model.fit(votes.astype(int), n_epochs=500, seed=0, progress_bar=False, class_balance=balance)
    return model.predict_proba(votes.astype(int))


def crowdkit(votes: np.ndarray, labels: int, *, one_coin: bool) -> np.ndarray:
    """Dawid and Skene's model, with a whole confusion matrix or one accuracy for each function."""
    import pandas
    from crowdkit.aggregation import DawidSkene, OneCoinDawidSkene

    rows, columns = np.nonzero(votes >= 0)
    said = pandas.DataFrame({"task": rows, "worker": columns, "label": votes[rows, columns].astype(int)})
    model: Any = OneCoinDawidSkene(n_iter=100) if one_coin else DawidSkene(n_iter=100)
    found = model.fit(said).probas_
    probabilities = np.full((len(votes), labels), 1 / labels)
    probabilities[np.ix_(found.index.to_numpy(), found.columns.to_numpy())] = found.to_numpy()
    return probabilities


MODELS = {
    "snorkel": lambda votes, labels: snorkel(votes, labels, by_majority=False),
    "snorkel-shares": lambda votes, labels: snorkel(votes, labels, by_majority=True),
    "dawid-skene": lambda votes, labels: crowdkit(votes, labels, one_coin=False),
    "one-coin": lambda votes, labels: crowdkit(votes, labels, one_coin=True),
}


def main() -> None:
    model, votes, labels, out = sys.argv[1:]
    warnings.simplefilter("ignore")
    given = np.load(votes, allow_pickle=False)
    MODELS[model](given[:5], int(labels)) if model in ("dawid-skene", "one-coin") else __import__("snorkel.labeling")
    began = time.process_time()
    found = MODELS[model](given, int(labels))
    print(time.process_time() - began)
    np.save(out, found)


if __name__ == "__main__":
    main()
