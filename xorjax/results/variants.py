"""What tells apart the settings of a sweep, and its quantized models, beyond the columns of the result rows."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from xorjax.results.configs import plain, setting
from xorjax.results.names import approximate_masks, code_name, mask_name, trained_codes

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
    `model_variant`: what tells apart quantized models of one prune rate, their seeds aside. The settings of a code that
    they are trained in and of an approximate mask codec do, those of an exact one and of other codes do not.
    `approximate`: whether the point's mask codec chooses the mask, and with it the quantized model.
    """
    configs = rows["config"]
    lossy = approximate_masks(rows)
    coded_as = list(zip(setting(configs, "code"), setting(configs, "mask.codec"), strict=True))
    said = {
        key: [f"{key}={plain(value, key)}" for value in setting(configs, key).to_list()]
        for key in sorted(set().union(*varied.values()))
    }
    # What makes the models of a coding: a code that they are trained in, a mask codec that chooses the mask.
    trained = trained_codes()
    makers = {
        coding: [*({coding[0]} & trained), *({coding[1]} & lossy)] for coding in dict.fromkeys(coded_as)
    }
    several = len({tuple(made) for made in makers.values()}) > 1
    coded = {key for coding, keys in varied.items() if not makers.get(coding) for key in keys}
    shapes = _shapes(configs, [code in trained for code, _ in coded_as])
    # For each coding its keys, those of its models, and what its models are called beyond them.
    of_coding: dict[tuple, tuple[list[str], list[str], str]] = {}
    for coding, made in makers.items():
        own = varied.get(coding, frozenset[str]())
        of_code = () if coding[0] in trained else ("code.",)
        of_mask = () if coding[1] in lossy else ("mask.",)
        of_model = sorted(key for key in (own if made else coded) if not key.startswith((*of_code, *of_mask)))
        of_coding[coding] = sorted(own), of_model, (", ".join(made) or "exact") if several else ""
    variants, models = [], []
    for i, coding in enumerate(coded_as):
        own, of_model, name = of_coding[coding]
        variants.append(", ".join(said[key][i] for key in own))
        models.append(", ".join(filter(None, (name, shapes[i], *(said[key][i] for key in of_model)))))
    return rows.with_columns(
        variant=pl.Series(variants, dtype=pl.String),
        model_variant=pl.Series(models, dtype=pl.String),
        approximate=pl.Series([mask in lossy for _, mask in coded_as], dtype=pl.Boolean),
    )


def _shapes(configs: pl.Series, are_trained: list[bool]) -> list[str]:
    """The n_in and n_out of the points whose code is trained, "" for the others or if all are alike."""
    numbers = [setting(configs, f"code.{name}").to_list() for name in ("n_in", "n_out")]
    shapes = [
        f"{n_in} → {n_out}" if trained else ""
        for trained, n_in, n_out in zip(are_trained, *numbers, strict=True)
    ]
    return shapes if len({*shapes} - {""}) > 1 else [""] * len(shapes)


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
