"""Sessions that are shared by what runs in parallel, found in source that is not run."""
