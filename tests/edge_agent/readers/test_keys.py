"""The keys readers were given in service: on the disk before on the wire, and nobody else's to read."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.readers.keys import Held, ReaderKeys

FIRST = bytes.fromhex("8f1c0a5be2774d9630c4a8f35d1e62b9")


def kept(folder: Path) -> ReaderKeys:
    return ReaderKeys(folder / "reader-keys")


def test_a_reader_without_a_rotated_key_has_that_of_its_file(tmp_path: Path) -> None:
    assert kept(tmp_path).load("front", FIRST) == Held(FIRST)
    assert not (tmp_path / "reader-keys").exists(), "nothing is written before it is needed"


def test_a_candidate_survives_a_power_cut_until_it_is_confirmed_or_dropped(tmp_path: Path) -> None:
    keys = kept(tmp_path)
    keys.load("front", FIRST)
    new = keys.propose("front")
    assert kept(tmp_path).load("front", FIRST) == Held(FIRST, new)
    keys.confirm("front", new)
    assert kept(tmp_path).load("front", FIRST) == Held(new)
    again = keys.propose("front")
    assert kept(tmp_path).load("front", FIRST) == Held(new, again)
    keys.drop("front")
    assert kept(tmp_path).load("front", FIRST) == Held(new)


def test_a_key_file_replaced_later_counts_again(tmp_path: Path) -> None:
    keys = kept(tmp_path)
    keys.load("front", FIRST)
    keys.confirm("front", keys.propose("front"))
    exchanged = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert kept(tmp_path).load("front", exchanged) == Held(exchanged)


def test_only_the_agent_may_read_them_and_no_first_key_is_among_them(tmp_path: Path) -> None:
    keys = kept(tmp_path)
    keys.load("front", FIRST)
    keys.confirm("front", keys.propose("front"))
    folder = tmp_path / "reader-keys"
    assert folder.stat().st_mode & 0o777 == 0o700
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert FIRST.hex() not in file.read_text()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": "12"}', "\x00", "key", "weak"])
def test_a_damaged_file_is_said_so_and_the_first_key_used(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = kept(tmp_path)
    keys.load("front", FIRST)
    new = keys.propose("front")
    (file,) = (tmp_path / "reader-keys").iterdir()
    instead = {"key": "12", "weak": "00" * 16}.get(damage)
    file.write_text(damage if instead is None else json.dumps(json.loads(file.read_text()) | {"key": instead}))
    assert kept(tmp_path).load("front", FIRST) == Held(FIRST)
    assert "reader front gets its first key" in caplog.text
    assert new.hex() not in caplog.text


def test_a_key_that_cannot_be_kept_is_not_handed_out(tmp_path: Path) -> None:
    (tmp_path / "reader-keys").write_text("a file where the folder should be")
    keys = kept(tmp_path)
    keys.load("front", FIRST)
    with pytest.raises(OSError, match="exists"):
        keys.propose("front")
    assert "8f1c" not in repr(keys.load("front", FIRST))


@contextlib.contextmanager
def no_disk(folder: Path, *, refuses: bool = True) -> Iterator[None]:
    """The keys' folder takes no file meanwhile, and keeps what it has."""
    if not refuses:
        yield
        return
    keys, aside = folder / "reader-keys", folder / "aside"
    there = keys.is_dir()
    if there:
        keys.rename(aside)
    keys.write_text("a file where the folder should be")
    try:
        with contextlib.suppress(OSError):  # as the agent does: it logs that, and goes on
            yield
    finally:
        keys.unlink()
        if there:
            aside.rename(keys)


def test_a_confirmation_the_disk_refused_does_not_cost_the_key_at_the_next_rotation(tmp_path: Path) -> None:
    keys = kept(tmp_path)
    keys.load("front", FIRST)
    new = keys.propose("front")
    with no_disk(tmp_path):
        keys.confirm("front", new)
    assert kept(tmp_path).load("front", FIRST) == Held(FIRST, new)
    with no_disk(tmp_path):
        keys.propose("front")
    assert kept(tmp_path).load("front", FIRST) == Held(FIRST, new)
    another = keys.propose("front")
    assert kept(tmp_path).load("front", FIRST) == Held(new, another), "the power goes before the reader hears of it"
    keys.drop("front")
    assert kept(tmp_path).load("front", FIRST) == Held(new)


LIVES = st.lists(  # of a reader: what is done, whether it takes a key, what of the two writes the disk refuses
    st.tuples(st.sampled_from(["rotate", "restart"]), st.booleans(), st.booleans(), st.booleans()),
    min_size=8,
    max_size=16,
)


@settings(max_examples=60, deadline=None)
@given(LIVES)
def test_whatever_the_disk_refuses_the_key_of_the_reader_is_always_on_it(
    life: list[tuple[str, bool, bool, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, reader = Path(name), FIRST
        keys = kept(folder)
        keys.load("front", FIRST)
        for act, willing, refuses_first, refuses_then in life:
            candidate, takes = None, willing
            if act == "restart":
                keys = kept(folder)
                candidate = keys.load("front", FIRST).candidate
                takes = reader == candidate
            else:
                with no_disk(folder, refuses=refuses_first):
                    candidate = keys.propose("front")
            if candidate is not None:
                reader = candidate if takes else reader
                held = kept(folder).load("front", FIRST)
                assert reader in (held.key, held.candidate), "the power may go at any time"
                with no_disk(folder, refuses=refuses_then):
                    if takes:
                        keys.confirm("front", candidate)
                    else:
                        keys.drop("front")
            held = kept(folder).load("front", FIRST)
            assert reader in (held.key, held.candidate)
