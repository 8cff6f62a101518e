"""Layer codecs: the XOR code (`codec.xor`) and the baselines that it is compared with."""

from xorjax.codec.base import LayerCodec, stream_bits
from xorjax.codec.dense import Dense
from xorjax.codec.mask_signs import MaskSigns
from xorjax.codec.ternary_ans import TernaryAns
from xorjax.masks.ans_rc import AnsRc
from xorjax.masks.bitmap import Bitmap
from xorjax.masks.csr import Csr
from xorjax.masks.golomb import Golomb

__all__ = ["BASELINES", "Dense", "LayerCodec", "MaskSigns", "TernaryAns", "stream_bits"]

BASELINES: dict[str, LayerCodec] = {
    codec.id: codec
    for codec in (
        Dense(),
        MaskSigns("bitmap_signs", Bitmap()),
        TernaryAns(),
        MaskSigns("csr5", Csr(5)),
        MaskSigns("golomb_signs", Golomb()),
        MaskSigns("ans_rc_signs", AnsRc()),
    )
}
