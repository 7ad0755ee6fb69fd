"""Tables in and out: files, rows, and DataFrames of pandas or polars where these are installed."""

import csv
import dataclasses
import importlib.util
import io
import os
from pathlib import Path
from typing import Any, Iterable

# A path, a DataFrame of pandas or polars, or rows.
Table = Any


def as_bytes(table: Table) -> tuple[str, bytes]:
    """A name for errors, and the table as a file that the platforms read: a path's own bytes, or CSV.

    A DataFrame's columns count by their names. Raises TypeError for what is no table.
    """
    if isinstance(table, (str, os.PathLike)):
        return os.fspath(table), Path(table).read_bytes()
    if hasattr(table, "write_csv"):
        return "a polars DataFrame", table.write_csv().encode()
    if hasattr(table, "to_csv"):
        return "a pandas DataFrame", table.to_csv(index=False).encode()
    if not isinstance(table, Iterable):
        raise TypeError(f"expected a path, a DataFrame or rows, not {type(table).__name__}")
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(table)
    return "rows", text.getvalue().encode()


def to_frame(rows: Iterable[Any], library: str | None = None) -> Any:
    """A DataFrame of dataclasses, by pandas or polars: the one that is named, or installed.

    Raises ModuleNotFoundError where neither is.
    """
    columns = [dataclasses.asdict(row) for row in rows]
    for name in [library] if library else ["pandas", "polars"]:
        if importlib.util.find_spec(name):
            return importlib.import_module(name).DataFrame(columns)
    wanted = library or "pandas or polars"
    raise ModuleNotFoundError(f"install {wanted} for DataFrames: pip install 's3rec[pandas]' or 's3rec[polars]'")
