"""NonLinLoc: control files, phases and locations, grids (Lomax et al. 2000; http://alomax.free.fr/nlloc)."""
