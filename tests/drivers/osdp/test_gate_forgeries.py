"""Replies that are not the reader's: each attack is played against our panel, where it must fail, and against libosdp
used by its manual, where it must succeed, or it would prove nothing."""

import asyncio
import secrets

import pytest

from drivers.osdp import Forged, KeyKept, KeySet, LineRestored, LineSilent, ReaderOffline, ReplyRefused
from drivers.osdp.frames import Block, CommandCode, Frame, ReplyCode, build
from simulators.hardware.line import VirtualLine
from simulators.hardware.osdp_reader import VirtualOsdpReader
from tests.conftest import Until
from tests.drivers.osdp.attacker import Middle, PlainReader, passed
from tests.drivers.osdp.rig import CARD, hold
from tests.drivers.osdp.victims import MakeVictim, Naive, Ours, Victim
from tests.support.waiting import until_after

ROGUE = bytes.fromhex("deadbe40")
ADDRESS = 10
LOOK_S = 0.25
"""How long a defence is watched once the attack has been played: five polls."""


def raw(card: bytes, *, answers: Frame, block: bytes = b"") -> bytes:
    """A card reply of an attacker, who has no key: the sequence number is all that he must get right."""
    data = bytes([0, 1, 26, 0]) + card
    return build(ADDRESS, ReplyCode.RAW, data, sequence=answers.sequence, reply=True, block=block)


async def outcome(until: Until, victim: Victim, *, succeeds: bool) -> None:
    """The rogue card was believed, or it was not although there was time."""
    if succeeds:
        await until(lambda: ROGUE in victim.cards, within=5)
    else:
        await hold(lambda: ROGUE not in victim.cards, seconds=LOOK_S)


VICTIMS = [pytest.param(Ours, False, id="ours"), pytest.param(Naive, True, id="naive")]
PLAIN_VICTIMS = [pytest.param(Ours, False, id="ours"), pytest.param(Naive.plaintext, True, id="naive")]


@pytest.mark.parametrize(("make", "succeeds"), VICTIMS)
@pytest.mark.parametrize("block", [b"\x03\x12\x01", b"\x03\x14\x01", b"\x02\x11"], ids=["SCS_12", "SCS_14", "SCS_11"])
async def test_a_card_dressed_as_part_of_a_handshake_is_not_believed_within_a_session(
    until: Until, make: MakeVictim, succeeds: bool, block: bytes
) -> None:
    """libosdp checks no MAC on a frame whose block says handshake, also while the secure channel is up."""
    key = secrets.token_bytes(16)
    with VirtualLine() as line:
        VirtualOsdpReader(line, address=ADDRESS, key=key)
        with Middle(line.path) as middle, make(middle.path, ADDRESS, key) as victim:
            await until(lambda: middle.protected)
            middle.on_reply = middle.once(lambda reply: raw(ROGUE, answers=reply, block=block))
            await outcome(until, victim, succeeds=succeeds)
            if isinstance(victim, Ours):
                assert victim.of(ReplyRefused)[0].reason is Forged.UNPROTECTED


@pytest.mark.parametrize(("make", "succeeds"), VICTIMS)
async def test_a_plaintext_card_before_the_handshake_is_not_told_when_the_reader_comes_up(
    until: Until, make: MakeVictim, succeeds: bool
) -> None:
    """libosdp keeps it, and tells it as soon as the true reader's session is up."""
    key = secrets.token_bytes(16)
    with VirtualLine() as line:
        VirtualOsdpReader(line, address=ADDRESS, key=key)
        with Middle(line.path) as middle:
            middle.on_reply = middle.once(lambda reply: raw(ROGUE, answers=reply))
            with make(middle.path, ADDRESS, key) as victim:
                await until(lambda: middle.replies)
                await asyncio.sleep(0.05)
                victim.heal()
                await until(lambda: middle.protected)
                await outcome(until, victim, succeeds=succeeds)
                if isinstance(victim, Ours):
                    assert victim.of(ReplyRefused)[0].reason is Forged.OUT_OF_PLACE
                    assert victim.bus.stale_reads == 0, "libosdp has not even seen it"


@pytest.mark.parametrize(("make", "succeeds"), PLAIN_VICTIMS)
async def test_a_reader_made_to_say_that_it_has_no_secure_channel_is_not_spoken_to_in_plaintext(
    until: Until, make: MakeVictim, succeeds: bool
) -> None:
    """Capability downgrade: the attacker changes the reader's answer, and then answers for it."""
    key = secrets.token_bytes(16)

    def downgrade(reply: Frame) -> bytes:
        if reply.code != ReplyCode.PDCAP:
            return reply.raw
        entries = [reply.data[at : at + 3] for at in range(0, len(reply.data), 3)]
        without = b"".join(bytes([9, 0, 0]) if entry[0] == 9 else entry for entry in entries)
        return build(ADDRESS, ReplyCode.PDCAP, without, sequence=reply.sequence, reply=True)

    with VirtualLine() as line:
        VirtualOsdpReader(line, address=ADDRESS, key=key)
        with Middle(line.path, on_reply=downgrade) as middle:

            def answer_polls(command: Frame) -> bytes | None:
                if command.code == CommandCode.POLL and not command.block:
                    middle.to_panel(raw(ROGUE, answers=command))
                    return None
                return command.raw

            middle.on_command = answer_polls
            with make(middle.path, ADDRESS, key) as victim:
                await until(lambda: any(reply.code == ReplyCode.PDCAP for reply in middle.replies))
                await outcome(until, victim, succeeds=succeeds)


@pytest.mark.parametrize(("make", "succeeds"), PLAIN_VICTIMS)
async def test_a_plaintext_reader_in_the_place_of_a_secure_one_is_not_believed(
    until: Until, make: MakeVictim, succeeds: bool
) -> None:
    with VirtualLine() as line:
        rogue = PlainReader(line, ADDRESS)
        with Middle(line.path) as middle, make(middle.path, ADDRESS, secrets.token_bytes(16)) as victim:
            rogue.swipe(26, ROGUE)
            await until(lambda: len(middle.replies) >= 2)
            await outcome(until, victim, succeeds=succeeds)


@pytest.mark.parametrize(("make", "succeeds"), PLAIN_VICTIMS)
async def test_a_rogue_reader_in_install_mode_is_neither_believed_nor_given_the_key(
    until: Until, make: MakeVictim, succeeds: bool
) -> None:
    """SCBK-D, the key printed in the standard: libosdp left in install mode hands the real key to whoever asks."""
    key = secrets.token_bytes(16)
    with VirtualLine() as line:
        rogue = VirtualOsdpReader(line, address=ADDRESS, key=None)
        with Middle(line.path) as middle, make(middle.path, ADDRESS, key) as victim:
            await until(lambda: any(command.code == CommandCode.CHLNG for command in middle.commands))
            if succeeds:
                await until(lambda: rogue.key == key)
                rogue.swipe(26, ROGUE)
            await outcome(until, victim, succeeds=succeeds)
            assert (rogue.key == key) is succeeds
            challenges = [command for command in middle.commands if command.code == CommandCode.CHLNG]
            with_default_key = [command for command in challenges if command.block[2] == 0]
            assert bool(with_default_key) is succeeds
            assert not any(key in command.raw for command in middle.commands)


@pytest.mark.parametrize(("make", "succeeds"), PLAIN_VICTIMS)
async def test_a_card_changed_on_its_way_is_not_believed(until: Until, make: MakeVictim, succeeds: bool) -> None:
    """The frame's CRC is made good again; the MAC cannot be. Against the naive panel the reader speaks plaintext."""
    key = secrets.token_bytes(16)

    def change(reply: Frame) -> bytes:
        if reply.code != ReplyCode.RAW:
            return reply.raw
        data = bytes(a ^ b for a, b in zip(reply.data[4:8], _difference(), strict=True))
        changed = reply.data[:4] + data + reply.data[8:]
        return build(ADDRESS, ReplyCode.RAW, changed, sequence=reply.sequence, reply=True, block=reply.block)

    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=key) if not succeeds else PlainReader(line, ADDRESS)
        with Middle(line.path, on_reply=change) as middle, make(middle.path, ADDRESS, key) as victim:
            await until(lambda: victim.online)
            reader.swipe(26, CARD)
            await until(lambda: any(reply.code == ReplyCode.RAW for reply in middle.replies))
            await hold(lambda: succeeds or not victim.cards, seconds=LOOK_S)
            assert victim.cards == ([ROGUE] if succeeds else [])


def _difference() -> bytes:
    return bytes(a ^ b for a, b in zip(CARD, ROGUE, strict=True))


@pytest.mark.parametrize(("make", "succeeds"), PLAIN_VICTIMS)
async def test_a_reply_recorded_and_played_again_within_the_session_opens_nothing(
    until: Until, make: MakeVictim, succeeds: bool
) -> None:
    """Each MAC is chained to the one before. Against the naive panel the reader speaks plaintext."""
    key = secrets.token_bytes(16)
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=key) if not succeeds else PlainReader(line, ADDRESS)
        with Middle(line.path) as middle, make(middle.path, ADDRESS, key) as victim:
            await until(lambda: victim.online)
            reader.swipe(26, CARD)
            await until(lambda: victim.cards)
            recorded = next(reply for reply in middle.replies if reply.code == ReplyCode.RAW)
            played: list[Frame] = []

            def play(reply: Frame) -> bytes:
                if played or reply.sequence != recorded.sequence:
                    return reply.raw
                played.append(reply)
                return recorded.raw

            middle.on_reply = play
            await until(lambda: played)
            await hold(lambda: succeeds or len(victim.cards) == 1, seconds=LOOK_S)
            assert len(victim.cards) == (2 if succeeds else 1)


@pytest.mark.parametrize(("make", "succeeds"), VICTIMS)
async def test_a_true_card_held_back_for_seconds_is_too_old_when_it_comes(
    until: Until, make: MakeVictim, succeeds: bool
) -> None:
    """libosdp repeats the question for eight seconds, and the MAC of the reply that was kept is good as long."""
    key = secrets.token_bytes(16)
    held: list[Frame] = []
    asked_again: list[Frame] = []

    def keep(reply: Frame) -> bytes | None:
        if held or reply.block_type != Block.SCS_18:
            return reply.raw
        held.append(reply)
        return None

    def stall(command: Frame) -> bytes | None:
        if held:
            asked_again.append(command)
        return None if held else command.raw

    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=key)
        with Middle(line.path) as middle, make(middle.path, ADDRESS, key) as victim:
            await until(lambda: middle.protected)
            middle.on_reply, middle.on_command = keep, stall
            reader.swipe(26, ROGUE)
            await until(lambda: held)
            if isinstance(victim, Ours):
                await until(lambda: victim.of(LineSilent), within=5)
                assert victim.of(ReaderOffline)
            else:
                await until(lambda: len(asked_again) >= 2, within=5)
            middle.to_panel(held[0].raw)
            await outcome(until, victim, succeeds=succeeds)


async def test_a_cut_line_on_which_an_attacker_answers_busy_is_silent_all_the_same(until: Until) -> None:
    """BUSY needs no MAC, so it shows nobody's presence."""
    key = secrets.token_bytes(16)
    with VirtualLine() as line:
        VirtualOsdpReader(line, address=ADDRESS, key=key)
        with Middle(line.path) as middle, Ours(middle.path, ADDRESS, key) as victim:
            await until(lambda: victim.online)
            middle.on_command = lambda _command: middle.to_panel(build(ADDRESS, ReplyCode.BUSY, reply=True))
            await until(lambda: victim.of(LineSilent), within=5)
            assert not victim.online


async def test_a_splice_is_told_and_what_is_spliced_in_is_not_believed(until: Until) -> None:
    """The line is cut, and bridged to a reader of the attacker's before the alarm would end."""
    key = secrets.token_bytes(16)
    with VirtualLine() as line, VirtualLine() as rogue_line:
        VirtualOsdpReader(line, address=ADDRESS, key=key)
        rogue = VirtualOsdpReader(rogue_line, address=ADDRESS, key=secrets.token_bytes(16))
        with Middle(line.path, rogue_line.path) as middle, Ours(middle.path, ADDRESS, key) as victim:
            rogue.unplug()
            await until(lambda: victim.online)
            line.cut()
            await until(lambda: victim.of(LineSilent), within=5)
            rogue.plug()
            rogue.swipe(26, ROGUE)
            await until(lambda: victim.of(LineRestored), within=5)
            await outcome(until, victim, succeeds=False)
            assert not victim.online


async def test_a_key_acknowledged_by_an_attacker_does_not_lose_the_reader(until: Until) -> None:
    """The new key never reaches the reader, and the panel is told that it did: it finds the former one to be true."""
    key = secrets.token_bytes(16)
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=key)
        with Middle(line.path) as middle, Ours(middle.path, ADDRESS, key) as victim:
            await until(lambda: victim.online)
            stolen: list[Frame] = []

            def acknowledge(command: Frame) -> bytes | None:
                if stolen or command.code != CommandCode.KEYSET:
                    return command.raw
                stolen.append(command)
                middle.to_panel(build(ADDRESS, ReplyCode.ACK, sequence=command.sequence, reply=True))
                return None

            middle.on_command = acknowledge
            new = secrets.token_bytes(16)
            assert victim.bus.set_key("r", new)
            await until(lambda: victim.of(KeyKept), within=6)
            assert not victim.of(KeySet)
            assert new not in stolen[0].raw, "it went over the secure channel"
            reader.swipe(26, CARD)
            await until(lambda: victim.cards)


async def test_a_second_reader_at_the_address_is_not_believed_and_is_told(until: Until) -> None:
    key = secrets.token_bytes(16)
    with VirtualLine() as line, VirtualLine() as rogue_line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=key)
        rogue = PlainReader(rogue_line, ADDRESS)
        with Middle(line.path, rogue_line.path) as middle, Ours(middle.path, ADDRESS, key) as victim:
            for _ in range(5):
                rogue.swipe(26, ROGUE)
            await until(lambda: victim.of(ReplyRefused))
            assert victim.of(ReplyRefused)[0].reason is Forged.UNASKED
            await hold(lambda: ROGUE not in victim.cards, seconds=LOOK_S)
            rogue_line.cut()
            await until(lambda: victim.online, within=4)
            await until_after(lambda: reader.swipe(26, CARD), lambda: victim.cards)
            assert set(victim.cards) == {CARD}


@pytest.mark.parametrize("dressed", [False, True], ids=["as they are", "as replies"])
async def test_commands_reflected_to_the_panel_are_not_taken_for_replies(until: Until, dressed: bool) -> None:
    key = secrets.token_bytes(16)
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=key)
        with Middle(line.path) as middle, Ours(middle.path, ADDRESS, key) as victim:

            def reflect(command: Frame) -> bytes:
                block = command.block[:1] + bytes([command.block[1] + 1]) + command.block[2:] if dressed else b""
                middle.to_panel(
                    build(ADDRESS, command.code, command.data, sequence=command.sequence, reply=True, block=block)
                    if dressed
                    else command.raw
                )
                return command.raw

            await until(lambda: victim.online)
            middle.on_command = reflect
            await hold(lambda: not victim.cards, seconds=LOOK_S)
            assert dressed or not victim.of(ReaderOffline), "an echo does not even disturb"
            middle.on_command = passed
            await until(lambda: victim.online)
            await until_after(lambda: reader.swipe(26, CARD), lambda: victim.cards)
            assert set(victim.cards) == {CARD}
