"""Parts that use torch and that plugins share: devices and threads, training, optimisers, saved networks."""
