"""Size of the Earth: of a sphere where that is exact enough, and of the ellipsoid WGS84."""

from __future__ import annotations

import math

RADIUS = 6371.0
"""Radius of the sphere, km."""
KM_PER_DEGREE = math.radians(1) * RADIUS
"""Length of one degree of a great circle on the sphere, 111.195 km."""
EQUATOR = 6378.137
"""Equatorial radius of WGS84, km."""
ECCENTRICITY_SQUARED = 0.00669437999014
"""Square of the first eccentricity of WGS84."""
