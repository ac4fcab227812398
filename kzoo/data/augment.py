"""Random shifts, rotations, zooms and flips of a batch of images, fast enough for the training loop.

Each image gets one affine map, and one bilinear reading of the image through it. Beyond its border an image
is zero, so its edge fades out over one pixel (scipy.ndimage calls this mode "grid-constant").
"""

import math

import numpy as np

from kzoo.data.checks import check_number

# Numbers worked on at a time: the dozen arrays that it takes should stay in a core's second-level cache.
_CHUNK = 2**15


def augment(images, rng, *, shift=0, rotate=0.0, scale=0.0, flip=False):
    """Moves each image of a batch at random.

    What is seen is flipped, then zoomed and rotated about the centre of the image, then shifted.

    Arguments:
        images: float32 array (b, h, w, c).
        rng: `numpy.random.Generator`, such as `batch_rng(seed, epoch, batch)`. Five numbers are drawn for
            each image whatever the options, so that switching one off leaves the others as they were.
        shift: largest translation along each axis, in pixels; fractions are allowed.
        rotate: largest rotation, in degrees from 0 to 180. A positive angle turns the image
            counter-clockwise as it is displayed, as `np.rot90` does.
        scale: largest relative zoom, from 0 to below 1: the factor is uniform in 1 ± scale, and above 1 the
            content grows.
        flip: whether to mirror each image left to right with probability 1/2.

    Returns: float32 array (b, h, w, c), new unless every option is off, when it is `images` itself.
    Raises: ValueError for another shape or dtype, or an option out of range.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.float32:
        raise ValueError(
            "`images` must be a float32 array of shape (b, h, w, c). "
            f"Received: {images.dtype} of shape {images.shape}. Convert it with images.astype('float32')."
        )
    check_number("shift", shift, lambda v: 0 <= v < math.inf, "a number of pixels, 0 or more")
    check_number("rotate", rotate, lambda v: 0 <= v <= 180, "an angle in degrees, from 0 to 180")
    check_number("scale", scale, lambda v: 0 <= v < 1, "a relative zoom, from 0 to below 1")
    draws = rng.random((len(images), 5))
    if not (shift or rotate or scale or flip):
        return images

    symmetric = 2 * draws - 1
    angle = np.deg2rad(rotate) * symmetric[:, 0]
    zoom = 1 + scale * symmetric[:, 1]
    down, right = shift * symmetric[:, 2], shift * symmetric[:, 3]
    mirror = np.where(flip & (draws[:, 4] < 0.5), -1.0, 1.0)
    # From a place in the output to the place in the input that is seen there: every step undone, last first.
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.stack([cos, sin, -mirror * sin, mirror * cos], axis=1).reshape(-1, 2, 2)
    return warp(images, matrix, -np.einsum("bij,bj->bi", matrix, np.stack([down, right], axis=1)))


def warp(images, matrix, offset):
    """Reads each image through an affine map of its pixel coordinates, with bilinear interpolation.

    output[b, p] = images[b, centre + matrix[b] (p - centre) + offset[b]], with p = (row, column) and
    centre = ((h - 1) / 2, (w - 1) / 2); zero beyond the border.

    Arguments:
        images: float32 array (b, h, w, c).
        matrix: array (b, 2, 2), without units.
        offset: array (b, 2), rows and columns, in pixels.

    Returns: a new float32 array (b, h, w, c).
    """
    b, h, w, c = images.shape
    matrix = np.asarray(matrix, np.float32)
    rows = np.arange(h, dtype=np.float32) - (h - 1) / 2
    columns = np.arange(w, dtype=np.float32) - (w - 1) / 2
    # One pixel of zeros above and left and two below and right: whatever is clamped to the margin reads 0.
    height, width = h + 3, w + 3
    origin = np.asarray(offset, np.float32) + np.float32([(h + 1) / 2, (w + 1) / 2])

    chunk = max(1, min(b, _CHUNK // max(1, h * w * c)))
    padded = np.zeros((chunk, height, width, c), np.float32)
    first = (np.arange(chunk) * (height * width))[:, None, None]
    output = np.empty(images.shape, np.float32)
    for start in range(0, b, chunk):
        part = slice(start, min(start + chunk, b))
        n = part.stop - start
        padded[:n, 1 : h + 1, 1 : w + 1] = images[part]
        y = _coordinate(matrix[part, 0], rows, columns, origin[part, 0], h + 1)  # (n, h, w)
        x = _coordinate(matrix[part, 1], rows, columns, origin[part, 1], w + 1)
        top, left = np.floor(y), np.floor(x)
        y -= top
        x -= left
        index = top.astype(np.intp)  # not in float32, which counts only to 2**24
        index *= width
        index += left.astype(np.intp)
        index += first[:n]
        # Views that begin one pixel on, or one row on, give the four neighbours by one array of indices.
        flat = padded.reshape(-1, c) if c > 1 else padded.reshape(-1)
        upper, upper_right, lower, lower_right = (
            flat[k:].take(index, axis=0, mode="clip") for k in (0, 1, width, width + 1)
        )
        if c > 1:
            y, x = y[..., None], x[..., None]
        _mix(upper, upper_right, x)
        _mix(lower, lower_right, x)
        _mix(upper, lower, y)
        output[part] = upper.reshape(n, h, w, c)
    return output


def _coordinate(row_of_matrix, rows, columns, origin, limit):
    """One coordinate, in the padded image, of the place that each output pixel (n, h, w) reads."""
    by_row = row_of_matrix[:, :1] * rows
    by_column = row_of_matrix[:, 1:] * columns + origin[:, None]
    place = by_row[:, :, None] + by_column[:, None, :]
    return np.clip(place, 0, limit, out=place)


def _mix(a, b, weight):
    """a <- a + weight (b - a), in place; `b` is spent."""
    b -= a
    b *= weight
    a += b
