"""Where an event was and how it moved, from whole seismograms in a 3-D elastic earth."""
