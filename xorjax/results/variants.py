"""What tells apart the settings of a sweep, and its quantized models, beyond the columns of the result rows."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from xorjax.results.configs import plain, setting
from xorjax.results.names import approximate_masks, code_name, mask_name

SETTING = ("prune_rate", "code", "n_in", "asked", "method", "patch_format", "mask_codec", "variant")
"""What one point of the sweep is, its seed aside; `variant` is for whatever else differs.

`asked` and not n_out: one that was chosen from the masks follows from the settings, and differs with the networks.
"""
BY_SETTING = (*("n_out" if name == "asked" else name for name in SETTING), "asked")
"""What settings are sorted by."""
SAID = ("prune_rate", "code", "shape", "method", "patch_format", "mask_codec", "variant")
"""What readers are told of a setting."""
Varied = Mapping[tuple[str, str | None], frozenset[str]]
"""The code and the mask codec of points -> the swept keys in which they differ."""
_CODINGS = ("n_in", "n_out", "fill", "method", "patch_format", "id", "name")
IN_COLUMNS = ("seed", "prune.rate", "mask", "mask.codec", "code", *(f"code.{name}" for name in _CODINGS))
"""Settings that a column of its own tells."""


def with_variants(rows: pl.DataFrame, varied: Varied) -> pl.DataFrame:
    """Finished rows with three more columns; `varied` as `varied_keys` gives it.

    `variant`: the swept settings that tell points apart beyond the other columns of `SETTING`, "" if none.
    `model_variant`: what tells apart quantized models of one prune rate, their seeds aside. The settings of an
    approximate mask codec do, those of an exact one and of the code do not.
    `approximate`: whether the point's mask codec chooses the mask, and with it the quantized model.
    """
    configs = rows["config"]
    lossy = approximate_masks(rows)
    coded_as = list(zip(setting(configs, "code"), setting(configs, "mask.codec"), strict=True))
    said = {
        key: [f"{key}={plain(value, key)}" for value in setting(configs, key).to_list()]
        for key in sorted(set().union(*varied.values()))
    }
    several = len({mask if mask in lossy else None for _, mask in coded_as}) > 1
    exact = {key for (_, mask), keys in varied.items() if mask not in lossy for key in keys}
    # For each coding its keys, those of its models, and what its models are called beyond them.
    of_coding: dict[tuple, tuple[list[str], list[str], str]] = {}
    for coding in dict.fromkeys(coded_as):
        own = varied.get(coding, frozenset[str]())
        approximate = coding[1] if coding[1] in lossy else None
        groups = ("code.",) if approximate else ("code.", "mask.")
        of_model = sorted(key for key in (own if approximate else exact) if not key.startswith(groups))
        of_coding[coding] = sorted(own), of_model, (approximate or "exact") if several else ""
    variants, models = [], []
    for i, coding in enumerate(coded_as):
        own, of_model, name = of_coding[coding]
        variants.append(", ".join(said[key][i] for key in own))
        models.append(", ".join([*([name] if name else []), *(said[key][i] for key in of_model)]))
    return rows.with_columns(
        variant=pl.Series(variants, dtype=pl.String),
        model_variant=pl.Series(models, dtype=pl.String),
        approximate=pl.Series([mask in lossy for _, mask in coded_as], dtype=pl.Boolean),
    )


def said(*settings: Iterable[Any]) -> str:
    """The values of `SAID` for readers, of a point's own code; of two settings, both where they differ."""
    parts = zip(*map(_parts, settings), strict=True)
    return ", ".join(
        " / ".join(dict.fromkeys(part or "none" for part in of_all)) for of_all in parts if any(of_all)
    )


def _parts(setting: Iterable[Any]) -> tuple[str | None, ...]:
    rate, code, shape, method, patches, mask, variant = setting
    coding = None if code == "xor" else code_name(code)
    return f"S {rate:g}", coding, shape, method, patches, mask and mask_name(mask), variant


def varied_keys(*tables: tuple[pl.DataFrame, Iterable[str]]) -> Varied:
    """Of tables and what their sweeps varied: the keys without a column that differ among points coded alike.

    Of several tables, the keys of each: one that differs only between them is none.
    """
    found: dict[tuple[str, str | None], frozenset[str]] = {}
    for table, swept in tables:
        keys = [key for key in swept if key not in IN_COLUMNS]
        configs = table.filter(pl.col("status") == "ok", ~pl.col("baseline"))["config"]
        coded_as = list(zip(setting(configs, "code"), setting(configs, "mask.codec"), strict=True))
        for key in keys:
            seen: dict[tuple[str, str | None], set[str]] = {}
            for coding, value in zip(coded_as, setting(configs, key).to_list(), strict=True):
                seen.setdefault(coding, set()).add(plain(value, key))
            for coding, values in seen.items():
                if len(values) > 1:
                    found[coding] = found.get(coding, frozenset()) | {key}
    return found
