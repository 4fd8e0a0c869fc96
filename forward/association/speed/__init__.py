"""Velocities that are not known: their code, travel times by it, and its fit together with the events."""
