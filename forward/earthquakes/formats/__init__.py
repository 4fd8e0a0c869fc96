"""Files of seismology, one format a file, read and written side by side."""
