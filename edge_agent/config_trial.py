"""Whether a configuration that was newly taken up has proven itself: a trial that ends well, or is rolled back.

Pure. A configuration is confirmed once the agent has worked with it for half a minute without a break. It is rolled
back if the program ended twice in the midst of it (see `edge_agent.configuration` for who counts), or if it was not
confirmed in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

HEALTHY_AFTER_MS = 30_000
"""How long the agent must have worked without a break: doors held, the beat kept, a snapshot made with each."""

LONGEST_GAP_MS = 2_000
"""A beat is due every half second. After a longer gap the half minute begins anew."""

CONFIRM_WITHIN_MS = 180_000
"""A configuration with which the agent runs and does not get there is rolled back after this."""

LOOKS = 18
"""So many times within it the agent looks whether it is over: a suspended machine misses one look at most."""

FAILED_STARTS = 2
"""The program may end once in the midst of a trial: the power may have gone. Twice is the configuration's doing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial under way; monotonic ms. ``last_ms`` None: no beat yet."""

    version: int
    healthy_since_ms: int = 0
    last_ms: int | None = None


def beat(trial: Trial, now_ms: int) -> Trial:
    """The trial after another beat of a healthy agent."""
    gap = trial.last_ms is None or now_ms - trial.last_ms > LONGEST_GAP_MS
    return replace(trial, healthy_since_ms=now_ms if gap else trial.healthy_since_ms, last_ms=now_ms)


def proven(trial: Trial) -> bool:
    """Whether it is to be confirmed."""
    return trial.last_ms is not None and trial.last_ms - trial.healthy_since_ms >= HEALTHY_AFTER_MS


def failed(unclean_ends: int) -> bool:
    """Whether, at a start, a trial has ended often enough by the program's death to be rolled back."""
    return unclean_ends >= FAILED_STARTS
