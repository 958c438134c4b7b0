"""Keeps on the disk, after each step, what a walk test has found, so that it can be resumed.

One file, its owner's alone, replaced whole: a power cut leaves the one before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.storage.key_files import write_whole
from edge_agent.walk_test.words import Step, StepResult, Verdict

FILE = "walk-test.json"
FORMAT = 1


@dataclass(slots=True)
class Progress:
    """Results by door and step."""

    wiring: str  # digest of what was tested
    by: str
    began_ms: int  # UTC
    asked: list[str]  # the doors to be walked, in order
    doors: dict[str, dict[str, StepResult]] = field(default_factory=dict)
    format: int = FORMAT

    def add(self, step: Step, result: StepResult) -> None:
        self.doors.setdefault(step.door, {})[step.key] = result

    def forget_unfinished(self) -> None:
        """Forget what must be tested again: what was skipped, and the whole of a door where something failed, whose
        mending may have disturbed what had passed."""
        self.doors = {
            door: {key: result for key, result in results.items() if result.verdict is Verdict.PASSED}
            for door, results in self.doors.items()
            if all(result.verdict is not Verdict.FAILED for result in results.values())
        }

    def result(self, step: Step) -> StepResult | None:
        """How a step came out, if it was done."""
        return self.doors.get(step.door, {}).get(step.key)


def wiring_digest(config: AgentFile) -> str:
    """A digest of what a walk test tests: doors, readers and inputs as they are wired. Keys are not part of it."""
    keyless = [(line.device, line.baud, [_keyless(one) for one in line.readers]) for line in config.reader_lines]
    tested = (
        config.site,
        config.agent,
        config.doors,
        keyless,
        config.wiegand_readers,
        config.serial_readers,
        config.adcs,
        config.power,
        config.fire,
        config.panic,
    )
    return hashlib.sha256(repr(tested).encode()).hexdigest()


def _keyless(reader: object) -> tuple[object, ...]:
    return tuple(getattr(reader, name) for name in ("reader", "address", "door", "passage"))


def load(folder: Path) -> Progress | None:
    """The progress kept in a data folder; None if there is none. ValueError says why it cannot be used."""
    path = folder / FILE
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Progress)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: cannot be read ({error}); start again without --resume") from None
    if kept.format != FORMAT:
        raise ValueError(f"{path}: format {kept.format}, this program knows {FORMAT}; start again without --resume")
    return kept


def save(folder: Path, progress: Progress) -> None:
    """Replace the progress kept. On the disk when it returns; raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / FILE, msgspec.json.encode(progress))
