"""Broken configurations, each told with file, line, field and cure; and all mistakes of one file at once."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config_file import ConfigError, Problem, examine, load
from protocol.signing import SigningKey

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
    path = folder / "agent.yaml"
    path.write_text(text)
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


def test_no_key_stands_in_any_message(folder: Path) -> None:
    for name in ("short.key", "default.key", "sequence.key", "open.key"):
        path = folder / "agent.yaml"
        path.write_text(GOOD.replace("main-in.key", name))
        assert KEYS[name] not in "".join(map(str, examine(path)))
