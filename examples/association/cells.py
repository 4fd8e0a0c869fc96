"""A table of numbers as a picture, which figures 8 and 9 of Shi et al. (2024) share."""

import numpy as np


def heat(ax, values, rows, columns, title: str, low: float, high: float, cmap: str = "cividis", digits: int = 1) -> None:
    """Cells with their numbers; rows go up, and numbers are black on bright cells."""
    image = ax.imshow(values, origin="lower", cmap=cmap, vmin=low, vmax=high, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        bright = 0.3 * red + 0.6 * green + 0.1 * blue > 0.5
        ax.text(j, i, f"{value:.{digits}f}", ha="center", va="center", color="black" if bright else "white")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(title=title)
    ax.figure.colorbar(image, ax=ax)
