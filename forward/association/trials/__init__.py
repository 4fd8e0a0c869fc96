"""Picks that were made from known events, and how right an association of them is."""
