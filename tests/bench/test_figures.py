import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import cli
from bench.figures import p50_p99, percentile
from bench.raw_mqtt import publish_packet, topic_and_payload


def test_percentiles_are_measurements_that_were_made() -> None:
    assert percentile([5, 1, 3], 50) == 3
    assert percentile([5, 1, 3], 99) == 5
    assert percentile([7], 1) == 7
    assert p50_p99("badge_ms", list(range(1, 101))) == {"badge_ms_p50": 50, "badge_ms_p99": 99}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_at_least_that_share_lies_at_or_below_a_percentile(values: list[float], percent: int) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)


def test_the_table_says_which_bar_is_not_met() -> None:
    shown = cli.table({"closure_ratio": 7.5, "ingest_ratio": 0.4, "closure_doors": 32000})
    met, missed, plain = (next(line for line in shown.splitlines() if name in line) for name in (
        "ingest_ratio", "closure_ratio", "closure_doors"))  # fmt: skip
    assert "NOT MET" in missed
    assert met.endswith("  met")
    assert "met" not in plain.lower()


def test_every_bar_names_a_measurement_that_can_be_asked_for() -> None:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    assert parser.parse_args(["--only", "badge"]).only == ["badge"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--only", "nonsense"])


@given(st.binary(max_size=400), st.sampled_from([0, 1]))
def test_a_raw_packet_is_taken_apart_as_it_was_put_together(payload: bytes, qos: int) -> None:
    packet = publish_packet("doorward/v1/oak/east/state", payload, qos=qos)
    body = packet[2:] if packet[1] < 128 else packet[3:]
    assert topic_and_payload(packet[0], body) == (b"doorward/v1/oak/east/state", payload)
