"""Packed images as plain arrays and back, for the references that are written in the packed layout."""

import numpy as np


def images_of(packed: np.ndarray, border: int) -> np.ndarray:
    """Packed images as (tiles * 16, channels, rows, columns) in float64, without their border."""
    tiles, channels, height, width, lanes = packed.shape
    images = packed.transpose(0, 4, 1, 2, 3).reshape(tiles * lanes, channels, height, width)
    return images[:, :, border : height - border, border : width - border].astype(np.float64)


def packed_images(images: np.ndarray, border: int, lanes: int = 16) -> np.ndarray:
    """Bring (tiles * 16, channels, rows, columns) into the packed layout with a border of zeros, in float32."""
    padded = np.pad(images, ((0, 0), (0, 0), (border, border), (border, border)))
    tiles = padded.reshape(-1, lanes, *padded.shape[1:])
    return np.ascontiguousarray(tiles.transpose(0, 2, 3, 4, 1), np.float32)
