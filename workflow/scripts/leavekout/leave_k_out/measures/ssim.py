"""SSIM: structural similarity of the two pictures, by scikit-image."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.base.errors import InputError
from leavekout.leave_k_out.measures.measure import Encoder, Measure

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome

_SMALLEST = 11  # pixels of a side: the Gaussian window


def structural_similarities(
    outcome: "Outcome", source: "Outcome", encoder: Encoder | None = None
) -> np.ndarray:
    """Mean SSIM [Q] with the Gaussian window of Wang et al. (2004), the mean over colours.

    Raises:
        InputError: the pictures are smaller than the window.
    """
    from skimage.metrics import structural_similarity  # here: every workflow imports this module

    side = min(source.pictures.shape[1:3])
    if side < _SMALLEST:
        raise InputError(
            f"measures: 'ssim' needs pictures of at least {_SMALLEST} pixels a side, not {side}."
        )
    return np.array(
        [
            structural_similarity(
                before,
                after,
                channel_axis=2,
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for after, before in zip(outcome.pictures, source.pictures, strict=True)
        ]
    )


MEASURE = Measure(
    name="ssim",
    label="SSIM",
    meaning="structural similarity of the two pictures (Wang et al., 2004)",
    direction=-1,
    unchanged=1.0,
    effect="more changed",
    values=structural_similarities,
    range=(-1, 1),
)
