from __future__ import annotations

from aictl.model.card.figures import Figure, figures


def test_figures_are_measured_numbers_by_their_paths_and_counts_are_none():
    metrics = {
        "perplexity": 12.5,
        "steps": 300,
        "tokens_per_second": 1200.5,
        "held_out": {"accuracy": 0.9, "documents": 40, "loss_before": 4.0},
        "parity": {"worst": 1e-6, "tolerance": 1e-4, "random": False},
        "precision": "bf16",
        "nothing": None,
        "broken": float("nan"),
    }
    assert list(figures(metrics)) == [
        Figure("perplexity", 12.5),
        Figure("held_out.accuracy", 0.9),
        Figure("held_out.loss_before", 4.0),
        Figure("parity.worst", 1e-6),
    ]


def test_an_interval_belongs_to_its_value_however_it_is_written():
    metrics = {
        "a": {"value": 0.9, "low": 0.8, "high": 0.95},
        "b": {"value": 1, "interval": [0.5, 2]},
        "c": {"value": 0.3, "confidence_interval": ["x", 1]},
    }
    assert list(figures(metrics)) == [
        Figure("a", 0.9, (0.8, 0.95)),
        Figure("b", 1.0, (0.5, 2.0)),
        Figure("c", 0.3),
    ]
    assert Figure("a", 0.9, (0.8, 0.95)).shown() == "0.9 (0.8 to 0.95)"
