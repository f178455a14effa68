"""What every room needs and no result depends on: errors, paths, files, seeds, progress, locks."""
