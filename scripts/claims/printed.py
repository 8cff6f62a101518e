"""Numbers in what a benchmark or a command has printed."""

from .claim import Command, NotMeasuredError, Results
from .documents import NUMBER, body, parse, tables


def python(name: str, minutes: float, line: str, **needs) -> Command:
    return Command(name, f"python {line}", minutes, **needs)


def table_of(results: Results, command: Command, first: str) -> list[list[str]]:
    """The cells of the table that a command printed, by the beginning of its heading."""
    for _, *lines in tables(results.output(command)):
        if lines[0].startswith(first):
            return body(lines)
    raise NotMeasuredError(f"{command.name} printed no table that begins with {first!r}")


def numbers_after(results: Results, command: Command, words: str) -> list[float]:
    """The numbers that follow these words on the line where they are printed first."""
    for line in results.output(command).splitlines():
        _, found, rest = line.partition(words)
        if found:
            return [parse(number) for number in NUMBER.findall(rest)]
    raise NotMeasuredError(f"{command.name} printed no {words!r}")


def numbers_in(*cells: str) -> list[float]:
    return [parse(number) for cell in cells for number in NUMBER.findall(cell)]
