"""From misfit to samples: priors, transforms, the log-posterior and the loop. No files, no configuration."""
