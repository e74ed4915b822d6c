"""The kill matrix has a cell for every process and every point, each with a name of its own."""

from chaos.cells import CELLS
from chaos.rig.scenes import SCENES
from chaos.rig.stage import PROCESSES
from chaos.test_short_form import SAMPLE
from turnwire_chassis.crash_points import POINTS

FEWEST = 140


def test_every_process_is_killed_and_every_point_is_passed() -> None:
    assert {cell.victim for cell in CELLS} == set(PROCESSES)
    assert {cell.point for cell in CELLS} == set(POINTS)
    assert {cell.scene for cell in CELLS} <= set(SCENES)


def test_a_cell_is_found_by_its_name() -> None:
    names = [str(cell) for cell in CELLS]
    assert len(names) == len(set(names)) >= FEWEST


def test_the_short_form_kills_every_process() -> None:
    sample = [cell for cell in CELLS if str(cell) in SAMPLE]
    assert len(sample) == len(SAMPLE)
    assert {cell.victim for cell in sample} == set(PROCESSES)
