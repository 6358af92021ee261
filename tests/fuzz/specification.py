"""What every public kernel is given in a fuzz, and what has to come of it, by `tinyticket.kernels.reference` in float64."""

from tests.fuzz.features import FEATURES
from tests.fuzz.image_kernels import IMAGES

KERNELS = {**FEATURES, **IMAGES}
"""By name: what draws the arguments of a call, and what its results, and then what it wrote into, have to be; NaN for anything."""
