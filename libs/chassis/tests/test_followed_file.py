"""A file of the operator that changes while a process runs."""

import asyncio
from pathlib import Path

import pytest

from turnwire_chassis.lifecycle.followed_file import FileKind, FollowedFile, NotTakenError
from turnwire_chassis.yaml_place import read_yaml
from turnwire_testing.waiting import eventually


def number(text: str, file: str) -> int:
    """Read `number: 7`."""
    return read_yaml(text, file).fields(known=("number",), required=("number",))["number"].whole()


NUMBERS = FileKind("numbers", "TURNWIRE_NUMBERS", number)


def says(path: Path, text: str | None) -> None:
    """Change the file, or take it away."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


class Taken:
    """What was taken; 13 is not."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    async def take(self, said: int) -> None:
        if said == 13:
            raise NotTakenError("13 brings no luck")
        self.numbers.append(said)

    async def ends_in(self, said: int) -> None:
        """Wait until that is what was taken last."""

        async def is_last() -> bool:
            return self.numbers[-1:] == [said]

        await eventually(is_last)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.yaml"
    path.write_text("number: 1")
    return path


async def test_what_a_file_says_is_taken_when_its_content_changes(path: Path) -> None:
    taken = Taken()
    file = FollowedFile(NUMBERS, path, taken.take)
    await file.look()
    await file.look()
    assert taken.numbers == [1]
    beside = path.with_name("new")
    beside.write_text("number: 2")
    beside.replace(path)
    await file.look()
    assert taken.numbers == [1, 2]
    assert (file.problem, file.detail) == (None, "as the file says")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("number: many", "numbers.yaml:1"),
        ("numbr: 1", "numbers.yaml:1"),
        ("number: 13", "no luck"),
        (None, "TURNWIRE_NUMBERS"),
    ],
)
async def test_what_cannot_be_taken_is_told_until_it_is_mended(
    path: Path, text: str | None, problem: str
) -> None:
    taken = Taken()
    file = FollowedFile(NUMBERS, path, taken.take)
    await file.look()
    says(path, text)
    await file.look()
    assert taken.numbers == [1]
    assert problem in (file.problem or "")
    assert file.detail == f"file ignored: {file.problem}"
    says(path, "number: 3")
    await file.look()
    assert (taken.numbers, file.problem) == ([1, 3], None)


async def test_a_file_is_watched_until_that_is_cancelled(path: Path) -> None:
    taken = Taken()
    watching = asyncio.create_task(FollowedFile(NUMBERS, path, taken.take, poll_s=0.01).watch())
    await taken.ends_in(1)
    says(path, "number: 2")
    await taken.ends_in(2)
    watching.cancel()


async def test_without_a_file_there_is_nothing_to_watch() -> None:
    taken = Taken()
    file = FollowedFile(NUMBERS, None, taken.take)
    await file.watch()
    await file.look()
    assert (taken.numbers, file.detail) == ([], "no file")
