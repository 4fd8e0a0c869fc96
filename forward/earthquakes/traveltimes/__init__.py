"""Travel times of first arrivals, from tables or from trained networks."""
