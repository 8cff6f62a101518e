"""What `compress` refuses."""

from xorjax.errors import UserError


class CompressError(UserError, ValueError):
    """What cannot be compressed as asked: a checkpoint, a tensor, a mask, a setting or a directory; it is named."""
