"""Travel times of first arrivals: tables, or trained networks in their place."""
