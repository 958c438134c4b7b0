"""Broken configurations, each told with file, line, field and cure; and all mistakes of one file at once."""

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.agent_yaml import boards, machine
from edge_agent.agent_yaml.boards import Stack
from edge_agent.agent_yaml.config_file import ConfigError, Problem, examine, load
from ground.problems import Report
from protocol.signing import SigningKey
from protocol.words import KeyRole

CASES = Path(__file__).parent / "broken_configs"
GOOD = (CASES / "good.yaml").read_text()

KEYS = {
    "credential.key": "5b" * 8 + "a41c07e2936fd850" * 3,
    "main-in.key": "00f1c4a5b6978812fe03d94c7a215b6e",
    "main-out.key": "9b07e2d41c5a8833f06b21947eda4c10",
    "short.key": "9b07e2d4",
    "default.key": bytes(range(0x30, 0x40)).hex(),
    "sequence.key": bytes(range(0x10, 0x20)).hex(),
    "constant.key": "ab" * 16,
    "open.jwk": "{}",
    "open.key": "77c2d41c5a8833f06b21947eda4c1009",
    "broker.password": "a password",
    "open.password": "a password",
    "ca.crt": "a certificate",
}


def cases(*names: str) -> list[Any]:
    return [
        pytest.param(case, id=case["name"])
        for name in names
        for case in yaml.safe_load((CASES / f"{name}.yaml").read_text())
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agent")
    (folder / "open.folder").mkdir(mode=0o755)
    SigningKey.generate("east").save(folder / "agent.jwk")
    for name, text in KEYS.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644 if name.startswith("open.") else 0o600)
    return folder


def broken(folder: Path, case: dict[str, Any]) -> Path:
    text = GOOD
    for before, after in ({case["before"]: case["after"]} | case.get("also", {})).items():
        assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in good.yaml"
        text = text.replace(before, after)
    own = SigningKey.load(folder / "agent.jwk").trusted(KeyRole.AGENT).x
    path = folder / "agent.yaml"
    path.write_text(text.replace("OWN-KEY", own))
    return path


def line_of(path: Path, words: str) -> int:
    text = path.read_text()
    assert text.count(words) == 1, f"{words!r} stands {text.count(words)} times in the broken file"
    return text[: text.index(words)].count("\n") + 1


def told(problem: Problem) -> tuple[int, str]:
    return problem.line, problem.field


@pytest.mark.parametrize("case", cases("form", "pins", "doors", "readers", "files"))
def test_a_mistake_is_told_with_file_line_field_and_cure_and_nothing_else_is(
    folder: Path, case: dict[str, Any]
) -> None:
    path = broken(folder, case)
    with pytest.raises(ConfigError) as found:
        load(path)
    [problem] = found.value.problems
    assert told(problem) == (line_of(path, case["line"]), case["field"])
    assert case["problem"] in problem.problem
    assert case["cure"] in problem.cure
    assert str(found.value).startswith(f"{path}:{problem.line}: {problem.field or 'the file'}: ")


@pytest.mark.parametrize("case", cases("dubious"))
def test_what_is_dubious_is_told_and_the_file_loads(folder: Path, case: dict[str, Any]) -> None:
    path = broken(folder, case)
    [problem] = examine(path)
    assert problem.warning
    assert told(problem) == (line_of(path, case["line"]), case["field"])
    assert case["problem"] in problem.problem
    assert case["cure"] in problem.cure
    load(path)


def test_a_good_configuration_has_nothing_to_tell(folder: Path) -> None:
    path = folder / "agent.yaml"
    path.write_text(GOOD)
    assert examine(path) == ()


def test_five_mistakes_are_told_at_once(folder: Path) -> None:
    path = folder / "agent.yaml"
    text = GOOD
    for before, after in {
        "site: lincoln-high": "site: Lincoln High",
        "rex: {pin: 6}": "rex: {pin: 17}",
        "kind: maglock": "kind: magnet",
        "baud: 115200": "baud: 14400",
        "[h10301, district-40]": "[h10310, district-40]",
    }.items():
        text = text.replace(before, after)
    path.write_text(text)
    with pytest.raises(ConfigError) as found:
        load(path)
    assert [problem.field for problem in found.value.problems] == [
        "site",
        "doors[0].rex.pin",
        "doors[1].lock.kind",
        "reader_lines[0].baud",
        "wiegand_readers[0].formats[0]",
    ]
    assert len(str(found.value).splitlines()) == 5


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield (*path, name)
        yield from places(each, (*path, name))


def test_whatever_stands_wherever_is_answered_with_a_cure(folder: Path) -> None:
    path = folder / "agent.yaml"
    rng = random.Random(3)
    everywhere = list(places(yaml.safe_load(GOOD)))
    for *around, last in rng.sample(everywhere, 60):
        document = inner = yaml.safe_load(GOOD)
        for name in around:
            inner = inner[name]
        inner[last] = rng.choice([None, "", [], {}, -1, 1.5, True, "x", 99_999, [[]], {"a": 1}, date(2026, 1, 1)])
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        assert [str(problem) for problem in examine(path) if not problem.cure] == []


def test_on_another_pi_than_the_file_says_the_check_names_the_right_board(tmp_path: Path) -> None:
    stack = Stack(boards.board("pi-4"))
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    report = Report(tmp_path / "agent.yaml")
    machine.check_model(report, stack, tmp_path / "model")
    [problem] = report.problems
    assert (problem.warning, problem.cure) == (True, "write 'board: pi-5'")
    report = Report(tmp_path / "agent.yaml")
    (tmp_path / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.5\0")
    machine.check_model(report, stack, tmp_path / "model")
    machine.check_model(report, stack, tmp_path / "no-pi")
    assert report.problems == ()


def test_no_key_stands_in_any_message(folder: Path) -> None:
    for name in ("short.key", "default.key", "sequence.key", "open.key"):
        path = folder / "agent.yaml"
        path.write_text(GOOD.replace("main-in.key", name))
        assert KEYS[name] not in "".join(map(str, examine(path)))
