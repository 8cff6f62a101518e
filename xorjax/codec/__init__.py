"""Layer codecs: the XOR code (`codec.xor`) and the baselines that it is compared with, one codec a file."""

from xorjax.codec.base import LayerCodec, stream_bits
from xorjax.codec.bitmap_signs import BitmapSigns
from xorjax.codec.csr import Csr5
from xorjax.codec.dense import Dense
from xorjax.codec.ternary_ans import TernaryAns

__all__ = ["BASELINES", "BitmapSigns", "Csr5", "Dense", "LayerCodec", "TernaryAns", "stream_bits"]

BASELINES: dict[str, LayerCodec] = {
    codec.id: codec for codec in (Dense(), BitmapSigns(), TernaryAns(), Csr5())
}
