"""What the networks for images ask of their input."""

from __future__ import annotations

from tinyticket.errors import InputError


def image_shape(name: str, input_shape: tuple[int, ...], pools: int = 0) -> tuple[int, int, int]:
    """Return (channels, height, width) of an input that is an image and can be halved `pools` times.

    Raises
    ------
    InputError
        If it is no image, or its sides cannot be halved so often.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise InputError(f"{name} takes images of shape (channels, height, width); the data have shape {input_shape}")
    channels, height, width = input_shape
    if height % 2**pools or width % 2**pools:
        raise InputError(
            f"{name} halves its images {pools} time{'s' * (pools > 1)}, so their height and width are multiples of "
            f"{2**pools}; the data have images of {height} x {width}"
        )
    return channels, height, width
