"""Rows of figures as files, for the pages of docs/ that benchmarks make."""

import csv
from pathlib import Path


def write_csv(path: Path, rows: list[dict]) -> None:
    """Rows of one form, four digits a number."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()})
