"""The metrics of views and of functions."""

from __future__ import annotations

from tiered_cache.stats.output.metric import COMPUTE_OUTCOMES, OUTCOMES, Kind, Metric, Part

__all__ = ["group_metrics"]


def group_metrics(part: Part, subject: str) -> tuple[Metric, ...]:
    """The metrics of views or of functions; `subject` names them in the descriptions."""
    name = part.value
    return (
        Metric(
            part,
            f"{name}.lookups",
            Kind.COUNTER,
            "{lookup}",
            f"Lookups of {subject}, by outcome.",
            OUTCOMES,
            "outcome",
        ),
        Metric(
            part,
            f"{name}.computes",
            Kind.COUNTER,
            "{computation}",
            f"Computations for {subject}, by outcome.",
            COMPUTE_OUTCOMES,
            "outcome",
        ),
        Metric(
            part,
            f"{name}.compute.time",
            Kind.COUNTER,
            "s",
            f"Time spent computing for {subject}.",
            {"": "compute_seconds"},
        ),
        Metric(
            part,
            f"{name}.saved",
            Kind.SUM,
            "s",
            f"Costs of the hits of {subject}, less the time that they took.",
            {"": "seconds_saved"},
        ),
        Metric(
            part,
            f"{name}.compute.latency",
            Kind.HISTOGRAM,
            "s",
            f"Times of computations for {subject}.",
            {"": "compute_latency"},
        ),
    )
