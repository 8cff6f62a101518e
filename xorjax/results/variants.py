"""What tells apart the settings of a sweep, and its quantized models, beyond the columns of the result rows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from xorjax.results.flat import determines_nothing, flat_config
from xorjax.results.names import APPROXIMATE_MASKS, MASK_NAMES, codec_name

# What one point of the sweep is, its seed aside; `variant` is for whatever else differs.
SETTING = ("prune_rate", "n_in", "n_out", "method", "patch_format", "mask_codec", "variant")
Varied = Mapping[str, frozenset[str]]
"""Mask codec -> the config keys that `varied_keys` finds."""
_IN_COLUMNS = ("seed", "xor.method", "xor.patch_format", "mask.codec")


def with_variants(rows: pl.DataFrame, varied: Varied | None = None) -> pl.DataFrame:
    """Finished rows with two more columns; `varied` are the keys that tell points apart, by default `varied_keys`.

    `variant`: the config values that tell apart XOR points equal in all other columns of `SETTING`, "" if none.
    `model_variant`: what tells apart quantized models of one prune rate, their seeds aside. The settings of an
    approximate mask codec do, those of an exact one and of the XOR code do not.
    """
    if varied is None:
        varied = varied_keys(rows)
    configs = rows["config"].unique().to_list()
    approximate = {c: codec if (codec := _mask_codec(c)) in APPROXIMATE_MASKS else None for c in configs}
    several = len(set(approximate.values())) > 1
    exact_keys = {key for codec, keys in varied.items() if codec not in APPROXIMATE_MASKS for key in keys}

    def of_model(config: str) -> str:
        codec = approximate[config]
        keys = exact_keys if codec is None else varied.get(codec, frozenset())
        coding = ("xor.", "mask.") if codec is None else ("xor.",)
        text = _values(config, (key for key in keys if not key.startswith(coding)))
        return ", ".join(part for part in ((codec or "exact") if several else "", text) if part)

    variants = {config: _values(config, varied.get(_mask_codec(config), frozenset())) for config in configs}
    models = {config: of_model(config) for config in configs}
    return rows.with_columns(
        variant=pl.col("config").replace_strict(variants, return_dtype=pl.String),
        model_variant=pl.col("config").replace_strict(models, return_dtype=pl.String),
    )


def said(setting: Iterable[Any]) -> str:
    """The values of `SETTING` for readers, of an XOR point or of another codec."""
    rate, n_in, n_out, method, patches, mask, variant = setting
    if n_out is None:
        parts = (f"S {rate:g}", codec_name(method), variant)
    else:
        parts = (f"S {rate:g}", f"{n_in} → {n_out}", method, patches, MASK_NAMES.get(mask, mask), variant)
    return ", ".join(part for part in parts if part)


def varied_keys(*tables: pl.DataFrame) -> Varied:
    """For each mask codec the config keys of several values among XOR points equal in the columns of `SETTING`.

    Of several tables, the keys of each: one that differs only between them is none.
    """
    found: dict[str, frozenset[str]] = {}
    for rows in tables:
        for codec, keys in _varied_keys(rows.filter(pl.col("status") == "ok")).items():
            found[codec] = found.get(codec, frozenset()) | keys
    return found


def _varied_keys(rows: pl.DataFrame) -> dict[str, set[str]]:
    columns = [name for name in SETTING if name != "variant"]
    # For each setting the (key, value) pairs of any config, and those of all of them.
    groups: dict[tuple, tuple[set[tuple], set[tuple]]] = {}
    codes = rows.filter(pl.col("n_out").is_not_null()).select(*columns, "config")
    for *setting, config in codes.unique(maintain_order=True).iter_rows():
        pairs = flat_config(config).items()
        some, every = groups.setdefault(tuple(setting), (set(pairs), set(pairs)))
        some.update(pairs)
        every.intersection_update(pairs)
    varied: dict[str, set[str]] = {}
    for setting, (some, every) in groups.items():
        counts = Counter(key for key, _ in some - every)
        keys = {key for key, n in counts.items() if n > 1 and not determines_nothing(key)}
        varied.setdefault(setting[columns.index("mask_codec")], set()).update(keys - set(_IN_COLUMNS))
    return varied


def _mask_codec(config: str) -> str:
    return flat_config(config)["mask.codec"]


def _values(config: str, keys: Iterable[str]) -> str:
    flat = flat_config(config)
    return ", ".join(f"{key}={plain(flat.get(key))}" for key in sorted(keys))


def plain(value: object) -> str:
    """A value of a config for readers."""
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
