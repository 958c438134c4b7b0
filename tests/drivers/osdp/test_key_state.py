"""A reader is given another key in service: whatever is cut short, one of the two keys works, and only one."""

import secrets
from dataclasses import replace

import pytest

from drivers.osdp import KeyKept, KeySet, LineSilent, OfflineReason, OsdpBus, ReaderOffline, WeakKey, open_serial
from drivers.osdp.config import DEFAULT_KEY
from drivers.osdp.frames import ReplyCode
from drivers.osdp.key_state import FIRST_SWAP_S, LONGEST_SWAP_S, KeyState
from tests.conftest import Until
from tests.drivers.osdp.attacker import Middle, passed
from tests.drivers.osdp.rig import CARD, Rig

OLD, NEW = bytes(range(1, 33, 2)), bytes(range(2, 34, 2))


async def test_a_reader_takes_a_new_key_and_is_not_said_to_be_offline(until: Until) -> None:
    with Rig(readers=2) as rig:
        await until(rig.all_online)
        new = secrets.token_bytes(16)
        sent = bytearray()
        rig.line._on_panel_bytes = sent.extend
        assert rig.bus.set_key("reader-10", new)
        assert not rig.bus.may_set_key("reader-10"), "one at a time"
        await until(lambda: rig.of(KeySet))
        assert rig.of(KeySet)[0].key == rig.readers[0].key == new
        assert new not in sent
        assert rig.of(ReaderOffline) == []
        rig.readers[0].swipe(26, CARD)
        await until(lambda: rig.cards)
        rig.readers[0].restart()
        await until(lambda: rig.of(ReaderOffline))
        await until(rig.all_online)
        assert rig.bus.may_set_key("reader-10")


async def test_a_reader_that_refuses_its_new_key_goes_on_with_the_former(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        rig.readers[0].refuse_keys = True
        assert rig.bus.set_key("reader-10", secrets.token_bytes(16))
        await until(lambda: rig.of(KeyKept))
        assert rig.readers[0].key == rig.keys[0]
        rig.readers[0].swipe(26, CARD)
        await until(lambda: rig.cards)


@pytest.mark.parametrize("took", [True, False])
async def test_after_a_cut_rotation_the_key_that_the_reader_holds_is_found(until: Until, took: bool) -> None:
    rig = Rig(readers=2)
    candidate = secrets.token_bytes(16)
    if took:
        rig.readers[0]._key = candidate
        rig.readers[0].restart()
    configs = [replace(rig.configs[0], candidate=candidate), rig.configs[1]]
    rig.bus = OsdpBus("line-1", lambda: open_serial(rig.line.path), configs, on_event=rig.events.append)
    with rig:
        await until(rig.all_online)
        assert bool(rig.of(KeySet)) is took
        assert bool(rig.of(KeyKept)) is not took


async def test_a_reader_whose_acknowledgement_is_lost_is_found_with_its_new_key(until: Until) -> None:
    rig = Rig()
    with Middle(rig.line.path) as middle:
        rig.bus = OsdpBus("line-1", lambda: open_serial(middle.path), rig.configs, on_event=rig.events.append)
        with rig:
            await until(rig.all_online)
            new = secrets.token_bytes(16)
            middle.on_reply = lambda reply: (
                None if reply.code == ReplyCode.ACK and rig.readers[0].key == new else reply.raw
            )
            assert rig.bus.set_key("reader-10", new)
            await until(lambda: rig.of(ReaderOffline), within=5)
            middle.on_reply = passed
            await until(lambda: rig.of(KeySet), within=8)
            await until(rig.all_online)


async def test_a_reader_cut_off_while_it_takes_its_key_is_said_to_be_offline(until: Until) -> None:
    with Rig() as rig:
        await until(rig.all_online)
        new = secrets.token_bytes(16)
        assert rig.bus.set_key("reader-10", new)
        await until(lambda: rig.readers[0].key == new)
        rig.readers[0].unplug()
        await until(lambda: rig.of(LineSilent), within=5)
        assert rig.of(ReaderOffline)[0].reason is OfflineReason.SILENT
        rig.readers[0].plug()
        await until(lambda: rig.of(KeySet), within=4)


async def test_a_reader_that_is_offline_is_given_no_key(until: Until) -> None:
    with Rig() as rig:
        assert not rig.bus.set_key("reader-10", secrets.token_bytes(16))
        await until(rig.all_online)
        with pytest.raises(WeakKey, match="SCBK-D"):
            rig.bus.set_key("reader-10", DEFAULT_KEY)
        with pytest.raises(WeakKey, match="in use"):
            rig.bus.set_key("reader-10", rig.keys[0])


def test_once_the_candidate_has_served_the_former_key_is_never_tried_again() -> None:
    keys = KeyState(OLD)
    keys.begin(NEW)
    assert keys.in_use == OLD, "until the reader says that it took the new one"
    keys.acknowledged()
    assert keys.settle() is True
    assert keys.in_use == NEW
    assert not keys.swap(1e9)


def test_while_it_is_open_the_keys_take_turns_ever_more_rarely() -> None:
    keys = KeyState(OLD, NEW)
    assert keys.in_use == NEW, "what the reader was given last"
    assert keys.swap(0.0)
    assert keys.in_use == OLD
    assert not keys.swap(FIRST_SWAP_S / 2)
    now, waits = 0.0, []
    for _ in range(10):
        before = now
        while not keys.swap(now):
            now += 0.5
        waits.append(now - before)
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_SWAP_S
    assert keys.settle() is (keys.in_use == NEW)
    assert not keys.pending


def test_a_reader_with_no_open_question_settles_nothing() -> None:
    keys = KeyState(OLD)
    assert keys.settle() is None
    assert not keys.swap(1e9)
