"""docs/configuration.md: what it shows is what the agent takes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.agent_yaml import boards
from edge_agent.agent_yaml.config_file import examine, load
from tests.firmware_config.test_samples import with_keys
from tests.support.samples import filled

PAGE = filled((Path(__file__).parents[2] / "docs" / "configuration.md").read_text())
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


def whole(block: str) -> dict[str, Any]:
    """A block as a whole configuration: what it does not show is the first block's."""
    shown: dict[str, Any] = yaml.safe_load(block)
    first: dict[str, Any] = yaml.safe_load(BLOCKS[0])
    if "doors" in shown:
        first["reader_lines"][0]["readers"][0]["door"] = shown["doors"][0]["door"]
    return first | shown


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split(":")[0])
def test_every_piece_of_yaml_on_the_page_is_taken_as_it_stands_but_for_the_districts_key(
    block: str, tmp_path: Path
) -> None:
    page = tmp_path / "page.yaml"
    page.write_text(yaml.safe_dump(whole(block), sort_keys=False))
    folder = tmp_path / "agent"
    folder.mkdir()
    path = with_keys(page, folder)
    assert [problem for problem in examine(path) if not problem.warning] == []
    load(path)


def test_every_board_and_hat_that_has_a_profile_is_on_the_page() -> None:
    assert [name for name in [*boards.board_names(), *boards.hat_names()] if f"`{name}`" not in PAGE] == []
