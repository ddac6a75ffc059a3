"""File formats of data sets, one file each: a reader gives rows or raises `DataError` in prose. `tasks.files` holds the registry."""
