"""What a search may choose for a setting, in plain values: known to those who search and know no Hydra."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Choice:
    """One of `values`, texts as they stand behind `key=`."""

    values: tuple[str, ...]

    def text(self, value: str) -> str:
        """The value as it stands behind `key=`; the same text for values that mean the same."""
        return value


@dataclass(frozen=True)
class Steps:
    """`low`, `low + step`, ... up to `high`, one of them; integers if `step` is one."""

    low: int | float
    high: int | float
    step: int | float

    def text(self, value: int | float) -> str:
        if isinstance(self.step, int):
            return str(int(value))
        # In decimals: a sum of binary fractions would end in ...0001 and name a stage of its own.
        n_steps = round((value - self.low) / self.step)
        return str(float(Decimal(str(self.low)) + n_steps * Decimal(str(self.step))))


@dataclass(frozen=True)
class LogScale:
    """A number from `low` to `high`, all its magnitudes equally likely: to two digits, or an integer."""

    low: int | float
    high: int | float

    def text(self, value: int | float) -> str:
        return str(int(value)) if isinstance(self.low, int) else str(float(f"{value:.1e}"))


Axis = Choice | Steps | LogScale
