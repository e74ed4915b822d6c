"""The dead letters that a command names."""

from collections.abc import Sequence

from nats.aio.client import Client

from turnwire_chassis.administration.dead_letters import read_letters
from turnwire_contracts.administration.dead_letters import Letter


class NoLetterError(Exception):
    """There is no such letter; the text says how to find those that there are."""

    def __init__(self, number: int) -> None:
        """`number`: what was asked for."""
        super().__init__(
            f"There is no dead letter {number}. Those that there are: turnwire dead list"
        )


async def chosen(client: Client, numbers: Sequence[int]) -> list[Letter]:
    """Give some letters, or all if none is named. Raises `NoLetterError`, `LogUnavailableError`."""
    letters = await read_letters(client)
    if not numbers:
        return letters
    by_number = {letter.number: letter for letter in letters}
    for number in numbers:
        if number not in by_number:
            raise NoLetterError(number)
    return [by_number[number] for number in numbers]
