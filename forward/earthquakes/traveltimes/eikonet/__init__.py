"""EikoNet: travel times by a network trained on the eikonal equation."""
