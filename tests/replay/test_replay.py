"""The replay is deterministic, its table is current, and adaptive scaling keeps what the table says of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import replay_table  # noqa: E402
from replay_table import OURS, THRESHOLDS, Cell  # noqa: E402


@pytest.fixture(scope="module")
def generated() -> list[Cell]:
    return replay_table.run()


def ours(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.rule == OURS]


def test_the_table_is_current() -> None:
    assert replay_table.problems() == []


def test_the_table_of_traces_is_current() -> None:
    if not replay_table.traces():
        pytest.skip("needs PREFORKD_TRACES, a folder with conv.csv and code.csv of AzurePublicDataset")
    assert replay_table.problems() == []


def test_nothing_is_left_to_chance(generated: list[Cell]) -> None:
    assert replay_table.run() == generated


def test_every_rule_is_tried_in_every_cell(generated: list[Cell]) -> None:
    cells = {(cell.load, cell.start_ms, cell.price_s) for cell in generated}
    assert len(cells) == 6 * 2 * 3
    assert len(generated) == len(cells) * len(replay_table.rules_of(generated))


@pytest.mark.parametrize(("start_ms", "most"), [(1, 1.5), (150, 1.8)])
def test_near_the_optimum(generated: list[Cell], start_ms: int, most: float) -> None:
    assert [cell for cell in ours(generated) if cell.start_ms == start_ms and not 1 <= cell.cost <= most] == []


def test_few_wait_and_nobody_long(generated: list[Cell]) -> None:
    cells = ours(generated)
    assert [cell for cell in cells if cell.wait_most_ms > 2 * cell.start_ms] == []
    assert [cell for cell in cells if cell.start_ms == 150 and cell.price_s >= 10 and cell.late > 0.05] == []
    assert [cell for cell in cells if cell.price_s == 10 and cell.starts > 0.1] == []


def test_the_master_sleeps_at_steady_load(generated: list[Cell]) -> None:
    assert [cell for cell in ours(generated) if cell.load == "steady" and cell.price_s >= 10 and cell.turns > 0.05] == []


def test_no_worse_than_thresholds_on_both_axes(generated: list[Cell]) -> None:
    thresholds = {(cell.load, cell.start_ms, cell.price_s): cell for cell in generated if cell.rule == THRESHOLDS}
    for cell in ours(generated):
        other = thresholds[cell.load, cell.start_ms, cell.price_s]
        assert cell.cost <= other.cost or cell.late <= other.late


def test_a_goal_that_is_missed_is_named() -> None:
    cell = Cell("load", 1, 10, OURS, 1.7, 0, 0, 0, 0, 0)
    assert replay_table.goal("words", [cell], lambda cell: cell.cost <= 1.5, lambda cell: f"({cell.cost:.2f})") == (
        "- words: reached in 0 of 1 cells, not in load at 10 s (1.70).\n")


def test_what_a_pool_has_served_is_replayed(tmp_path: Path) -> None:
    """Two requests, one after the other, and a start of a millisecond: one worker serves both, the first waits for it."""
    served = tmp_path / "served"
    served.write_text("0 500000\n1000000 500000\n")
    start_us, cpu_us, worker_bytes, machine_bytes, cpus = 1000, 700, 1 << 20, 8000 << 20, 1  # 8 s
    done = subprocess.run([replay_table.built("replay_served"), served,
                           *map(str, (start_us, cpu_us, worker_bytes, machine_bytes, cpus))],
                          stdout=subprocess.PIPE, check=True, text=True, timeout=60)
    cost, area, starts, late, _, optimum, price = map(float, done.stdout.split())
    assert (price, starts, late) == (8, 0.5, 0.5)
    assert area == pytest.approx(1.5, abs=0.01)
    assert cost == pytest.approx(area + 8) and optimum == pytest.approx(8 + 1.5)
