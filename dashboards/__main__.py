"""Writes the dashboards to the chart: ``python -m dashboards``."""

from dashboards.shipped import FOLDER, shipped


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in shipped().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
