"""Earthquake locations from picks of P and S."""
