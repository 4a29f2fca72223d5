"""What is counted, in Prometheus' words (https://prometheus.io/docs/practices/naming/)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from aictl.serve.admission import Admission

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Seconds: from a cached reply of a tiny model to a long answer of a large one on a CPU.
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """One server's numbers, in a registry of its own so that two servers in a process stay apart."""

    def __init__(self, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "aictl_requests", "Requests that were answered or refused.", ["endpoint", "status"], registry=self._registry
        )
        self.prompt_tokens = Counter("aictl_prompt_tokens", "Tokens that were read.", registry=self._registry)
        self.completion_tokens = Counter(
            "aictl_completion_tokens", "Tokens that were generated.", registry=self._registry
        )
        self.seconds = Histogram(
            "aictl_request_seconds",
            "Time from a completion's request to the end of its answer.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.first_token_seconds = Histogram(
            "aictl_time_to_first_token_seconds",
            "Time from a completion's request to the first text of its answer.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        running = Gauge("aictl_requests_running", "Generations that run now.", registry=self._registry)
        running.set_function(lambda: admission.running)
        waiting = Gauge("aictl_requests_waiting", "Requests that wait for their turn.", registry=self._registry)
        waiting.set_function(lambda: admission.waiting)

    def text(self) -> bytes:
        return generate_latest(self._registry)
