"""A package with entry points, as an installer leaves it behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["install"]


def install(
    folder: Path, package: str, groups: Mapping[str, Mapping[str, str]], *, version: str = "1.0"
) -> None:
    """Write the metadata of a distribution into `folder`, which the caller puts on the path.

    Args:
        folder: The directory.
        package: The name of the distribution.
        groups: For each entry-point group, the object behind each name: `module:object`.
        version: The version of the distribution.
    """
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata)
    sections = [
        "\n".join([f"[{group}]", *(f"{name} = {place}" for name, place in points.items())])
        for group, points in groups.items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(sections))
