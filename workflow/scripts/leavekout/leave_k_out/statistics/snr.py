"""SNR-LDS: the linear datamodeling score of those scores alone that stand out from the noise.

After the published code of SNR-LDS (Lin, 2026). Most scores of a query are taken for noise around
0; the width of this bulk is fitted, and scores within three of it count as 0. (There, DAS's squares
are chosen by their signed roots, which score files do not have; here they are scores as any.)
"""

import numpy as np

POINTS = 101
WIDTHS = 3.0  # of the bulk, beyond which a score counts


def bulk_width(scores: np.ndarray) -> float:
    """The standard deviation of the bulk of scores [N] about 0; NaN if it has no such form.

    A Gaussian kernel density with Silverman's bandwidth, at points within 1.4826 median absolute
    deviations of 0, is fitted by log f = a + c x² with weights f; the width is √(−1 / 2c).
    """
    quarter, three_quarters = np.quantile(scores, [0.25, 0.75])
    spread = min(scores.std(ddof=1), (three_quarters - quarter) / 1.34)
    reach = 1.4826 * float(np.median(np.abs(scores - np.median(scores))))
    if spread <= 0 or reach <= 0:
        return np.nan
    x = np.linspace(-reach, reach, POINTS)
    bandwidth = 0.9 * spread * len(scores) ** -0.2
    # One point at a time, since a set may have a hundred thousand images.
    density = np.array([np.exp(-0.5 * np.square((p - scores) / bandwidth)).sum() for p in x])
    if not density.all():
        return np.nan
    root = np.sqrt(density / density.max())
    fit = np.linalg.lstsq(
        root[:, None] * np.stack([np.ones(POINTS), x**2], axis=1),
        root * np.log(density),
        rcond=None,
    )
    curvature = fit[0][1]
    return float(np.sqrt(-0.5 / curvature)) if curvature < 0 else np.nan


def beyond_noise(scores: np.ndarray) -> np.ndarray:
    """Scores [N] as multiples of their root mean square, 0 within the bulk; NaN without a bulk."""
    scores = scores.astype(np.float64)
    scores = scores / np.sqrt(np.square(scores).mean())
    width = bulk_width(scores)
    if np.isnan(width):
        return np.full_like(scores, np.nan)
    return np.where(np.abs(scores) > WIDTHS * width, scores, 0.0)
