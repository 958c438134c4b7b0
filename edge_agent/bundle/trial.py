"""Whether a configuration that was newly taken up has proven itself: a trial that ends well, or is rolled back.

Pure. A configuration is confirmed once the agent has worked with it for half a minute without a break. It is rolled
back if the program died twice in the midst of it while the machine ran on, or if it was not confirmed in time and the
agent is not well now. A power cut says nothing of a configuration, however often the power goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

HEALTHY_AFTER_MS = 30_000
"""How long the agent must have worked without a break: doors held, the beat kept, a snapshot made with each."""

LONGEST_GAP_MS = 2_000
"""A beat is due every half second. After a longer gap the half minute begins anew."""

CONFIRM_WITHIN_MS = 180_000
"""A configuration with which the agent runs and does not get there is rolled back after this, unless it is well at
that time: on a slow card or a busy machine half a minute without a break may take long."""

LOOKS = 18
"""So many times within it the agent looks whether it is over: a suspended machine misses one look at most."""

FAILED_STARTS = 2
"""The program may die once in the midst of a trial, for another reason. Twice is the configuration's doing."""


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


def beating(trial: Trial, now_ms: int) -> bool:
    """Whether there were beats of late: the machine may have stood still just now, and this be asked before the next
    beat."""
    return trial.last_ms is not None and now_ms - trial.last_ms <= 2 * CONFIRM_WITHIN_MS // LOOKS


def unclean_ends(before: int, ran_in: str | None, boot: str) -> int:
    """How often the program has died in the midst of a trial, asked at its start; ``before``: as was known so far.

    ``ran_in`` is the boot in which it ran last and did not end well (None: it did), ``boot`` the present one. If they
    differ, the machine went down with it: by a power cut, and not by a crash or for want of a beat.
    """
    return before + (ran_in == boot)


def failed(unclean_ends: int) -> bool:
    """Whether, at a start, a trial has ended often enough by the program's death to be rolled back."""
    return unclean_ends >= FAILED_STARTS
