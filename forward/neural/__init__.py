"""What plugins share of torch: devices and threads, training, optimisers, saved networks."""
