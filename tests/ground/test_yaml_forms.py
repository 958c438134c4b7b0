"""The one reader of YAML: every mistake at once, where it stands, and no file that exhausts the machine."""

from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct, field

from ground import yaml_forms
from ground.problems import ConfigError, Problem, Report


class Door(Struct, kw_only=True):
    door: Annotated[str, Meta(pattern="^[a-z]+$", description="letters from a to z")]
    unlock_ms: Annotated[int, Meta(ge=500, le=60_000)] = 5_000


class Form(Struct, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=10)]
    doors: Annotated[list[Door], Meta(max_length=3)] = field(default_factory=list)
    wait_s: Annotated[float, Meta(extra={"make": float})] = field(default=1.0, name="wait")
    titles: dict[Annotated[str, Meta(pattern="^[a-z]+$")], str] = field(default_factory=dict)


def read(folder: Path, text: str) -> tuple[Form, tuple[Problem, ...]]:
    path = folder / "form.yaml"
    path.write_text(text)
    report = Report(path)
    return yaml_forms.read(path, Form, report), report.problems


def test_a_file_without_mistakes_is_read_whole(tmp_path: Path) -> None:
    form, problems = read(tmp_path, "name: a\ndoors:\n  - {door: gym, unlock_ms: 700}\nwait: '2.5'\ntitles: {a: b}\n")
    assert problems == ()
    assert form == Form(name="a", doors=[Door(door="gym", unlock_ms=700)], wait_s=2.5, titles={"a": "b"})


def test_every_mistake_is_reported_at_once_on_its_line(tmp_path: Path) -> None:
    text = (
        "name: much too long\ndoors:\n  - door: Gym\n    unlock_ms: 7\n"
        "  - unlok_ms: 700\nwait: soon\ntitles: {A: 1}\n"
    )
    _, problems = read(tmp_path, text)
    assert [(each.line, each.field) for each in problems] == [
        (1, "name"),
        (3, "doors[0].door"),
        (4, "doors[0].unlock_ms"),
        (5, "doors[1].unlok_ms"),
        (5, "doors[1].door"),
        (6, "wait"),
        (7, "titles.A"),
    ]
    assert [each for each in problems if not each.cure] == []


def test_a_field_that_stands_twice_is_reported_where_it_stands_again(tmp_path: Path) -> None:
    form, [problem] = read(tmp_path, "name: a\ndoors: []\nname: b\n")
    assert (problem.line, problem.field, form.name) == (3, "name", "a")


def test_aliases_may_stand_for_what_is_written_once(tmp_path: Path) -> None:
    form, problems = read(tmp_path, "name: a\ndoors: [&gym {door: gym}, *gym]\n")
    assert (len(form.doors), problems) == (2, ())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\ntitles: " + "{a: " * 60 + "b" + "}" * 60, "more than 50 brackets"),
        ("name: a\ntitles: " + "{a: " * 3000, "more than 50 brackets"),
        ("- " * 100_000, "more than 50 brackets"),
        ("#" * (yaml_forms.LARGEST + 1), "larger than 1 MiB"),
        ("name: [", "not YAML"),
        ("name: a\n---\nname: b\n", "not YAML"),
        ("", "begin with a sample: name"),
        ("name: *nothing", "not YAML"),
    ],
)
def test_what_is_no_file_of_ours_is_refused_with_a_line_and_a_cure(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        read(tmp_path, text)
    assert [each for each in refused.value.problems if not each.cure or each.line < 1] == []


def test_a_few_lines_of_aliases_cannot_fill_the_memory(tmp_path: Path) -> None:
    class Deep(Struct):
        a: list[list[list[list[str]]]]

    path = tmp_path / "bomb.yaml"
    inner = "[" + ", ".join("x" * 100) + "]"
    path.write_text(f"a:\n- &c\n  - &b\n    - &a {inner}\n" + "    - *a\n" * 100 + "  - *b\n" * 100 + "- *c\n" * 100)
    with pytest.raises(ConfigError, match=r"aliases .* repeat too much"):
        yaml_forms.read(path, Deep, Report(path))


def test_an_alias_within_itself_is_reported_and_ends(tmp_path: Path) -> None:
    _, problems = read(tmp_path, "name: a\ndoors: &a [*a]\n")
    assert [each.field for each in problems] == ["doors[0]"]
