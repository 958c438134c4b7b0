"""The demonstration's processes: watched, ended in order, and none left behind however it ends."""

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from simulators.district import children
from simulators.district.children import ChildFailed, Children
from tests.support.waiting import until

PYTHON = sys.executable


def program(code: str) -> list[str]:
    return [PYTHON, "-c", textwrap.dedent(code)]


SLEEPER = program("import time; print('up', flush=True); time.sleep(600)")
STUBBORN = program(
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
PARENT = program(
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print('up', flush=True); time.sleep(600)"
)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def in_session(leader: int) -> list[int]:
    """The processes of a session that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found.append(int(path.parent.name))
    return found


async def up(child: children.Child) -> None:
    await until(lambda: "up" in child.log.read_text(), f"{child.name} up")


async def test_all_end_when_the_block_does(tmp_path: Path) -> None:
    async with Children(tmp_path / "logs") as family:
        started = [await family.start(f"sleeper-{n}", SLEEPER) for n in range(3)]
        for child in started:
            await up(child)
        assert all(alive(pid) for pid in family.pids.values())
    assert not any(alive(child.process.pid) for child in started)


async def test_one_that_does_not_want_to_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "STOP_WITHIN_S", 0.3)
    async with Children(tmp_path / "logs") as family:
        child = await family.start("stubborn", STUBBORN)
        await up(child)
    assert not alive(child.process.pid)


async def test_what_a_child_started_itself_ends_with_it(tmp_path: Path) -> None:
    async with Children(tmp_path / "logs") as family:
        child = await family.start("parent", PARENT)
        await up(child)
        assert len(in_session(child.process.pid)) == 2
    await until(lambda: not in_session(child.process.pid), "the grandchild to end")


async def test_the_last_started_ends_first_and_those_of_a_kind_together(tmp_path: Path) -> None:
    order = tmp_path / "order"
    late = program(f"""
        import signal, sys, time
        def end(*_):
            open({str(order)!r}, "a").write(sys.argv[1] + "\\n")
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        print("up", flush=True)
        time.sleep(600)
    """)
    async with Children(tmp_path / "logs") as family:
        for name in ("broker", "central", "agent-a", "agent-b"):
            await up(await family.start(name, [*late, name]))
    said = order.read_text().split()
    assert sorted(said[:2]) == ["agent-a", "agent-b"]
    assert said[2:] == ["central", "broker"]


async def test_a_death_is_told_with_how_and_the_last_words(tmp_path: Path) -> None:
    async with Children(tmp_path / "logs") as family:
        await family.start("healthy", SLEEPER)
        await family.start("weak", program("import sys; print('the disk is full'); sys.exit(3)"))
        with pytest.raises(ChildFailed, match=r"weak ended with 3(.|\n)*the disk is full"):
            async with asyncio.timeout(30):
                await family.died()


async def test_one_killed_from_outside_is_told_with_the_signal(tmp_path: Path) -> None:
    async with Children(tmp_path / "logs") as family:
        child = await family.start("victim", SLEEPER)
        await up(child)
        os.kill(child.process.pid, signal.SIGKILL)
        with pytest.raises(ChildFailed, match="victim was ended by SIGKILL"):
            async with asyncio.timeout(30):
                await family.died()


async def test_a_program_that_is_to_finish_gets_its_input_and_is_waited_for(tmp_path: Path) -> None:
    async with Children(tmp_path / "logs") as family:
        await family.finish("reader", program("print('heard', input())"), b"a secret\n")
    assert (tmp_path / "logs" / "reader.log").read_text() == "heard a secret\n"


async def test_a_program_that_finishes_badly_is_told_with_its_last_words(tmp_path: Path) -> None:
    async with Children(tmp_path / "logs") as family:
        with pytest.raises(ChildFailed, match=r"reader ended with 1(.|\n)*no such user"):
            await family.finish("reader", program("raise SystemExit('no such user')"), b"")


async def test_a_program_that_is_not_waited_for_any_more_is_ended(tmp_path: Path) -> None:
    """Else it would go on in the folder of a demonstration that is over."""
    async with Children(tmp_path / "logs") as family:
        pid_file = tmp_path / "pid"
        code = f"import os, time; open({str(pid_file)!r}, 'w').write(f'{{os.getpid()}}.'); time.sleep(600)"
        task = asyncio.create_task(family.finish("slow", program(code), b""))
        await until(lambda: pid_file.exists() and pid_file.read_text().endswith("."), "it to run")
        pid = int(pid_file.read_text()[:-1])
        assert alive(pid)
        task.cancel()
        await asyncio.wait([task])
        assert not alive(pid)


async def test_being_told_to_stop_twice_leaves_no_orphan(tmp_path: Path) -> None:
    """Ctrl-C, and again while the children still end."""
    pids: list[int] = []
    started = asyncio.Event()

    async def family() -> None:
        async with Children(tmp_path / "logs") as children_:
            child = await children_.start("sleeper", SLEEPER)
            await up(child)
            pids.append(child.process.pid)
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(family())
    await started.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])
    assert not alive(pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_they_end_even_if_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    starter = program(f"""
        import asyncio, sys
        from pathlib import Path
        from simulators.district.children import Children
        async def main():
            async with Children(Path({str(tmp_path)!r})) as family:
                child = await family.start("sleeper", {SLEEPER!r})
                while "up" not in child.log.read_text():
                    await asyncio.sleep(0.01)
                print(child.process.pid, flush=True)
                await asyncio.Event().wait()
        asyncio.run(main())
    """)
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(*starter, stdout=asyncio.subprocess.PIPE, cwd=root)
    try:
        assert process.stdout is not None
        pid = int(await process.stdout.readline())
        assert alive(pid)
    finally:
        process.kill()
        await process.communicate()
    await until(lambda: not alive(pid), "the child to end")
