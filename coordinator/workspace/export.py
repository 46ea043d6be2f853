"""Writing a tree into a folder, byte for byte as it was committed.

No attribute, filter, line-ending rule or ``export-ignore`` has a say, so the bytes that are judged are those that are
pushed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.workspace.beneath import Beneath
from coordinator.workspace.objects import LINK, TreeEntry, TrustedRepository
from coordinator.workspace.paths import is_git_name, link_stays_inside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def export(repository: TrustedRepository, tree: str, folder: Path) -> frozenset[str]:
    """Write all files of a tree or commit into a folder, which is created or has to be empty.

    Left out, and returned: submodules, symbolic links that lead out of the tree, names that some file system takes for
    ``.git``. Files get mode 0644 or 0755. Raises like `TrustedRepository.blobs`, and `FileExistsError` for a folder
    that holds one of the files already.
    """
    entries = repository.entries(tree)
    targets = repository.link_targets(entries)
    exported = [entry for entry in entries if _may_stand(entry, targets)]
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    files = [entry for entry in exported if entry.is_file]
    with Beneath(folder) as inside:
        for entry, blob in zip(files, repository.blobs([entry.object_id for entry in files]), strict=True):
            with inside.create_file(entry.path, executable=entry.is_executable) as file:
                blob.copy_to(file)
        for entry in exported:
            if entry.mode == LINK:
                inside.create_link(entry.path, targets[entry.path])
    return frozenset(entry.path for entry in entries) - {entry.path for entry in exported}


def _may_stand(entry: TreeEntry, targets: Mapping[str, bytes]) -> bool:
    if any(part in {"", ".", ".."} or is_git_name(part) for part in entry.path.split("/")):
        return False
    return entry.is_file or (entry.mode == LINK and link_stays_inside(entry.path, targets[entry.path]))
