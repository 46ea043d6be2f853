from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
import yaml
from pydantic import BaseModel

from coordinator.configuration import Configuration
from coordinator.configuration_file import load_configuration
from coordinator.errors import Misconfigured
from coordinator.init.writing import Done, place
from tests.cli.support import PROJECT, snapshot
from tests.support import git, make_repository

if TYPE_CHECKING:
    from tests.cli.support import Ended, Shell

WORKFLOW = ".gitea/workflows/coordinator.yml"
CONFIGURATION = ".coordinator.yml"
OURS = (PROJECT / WORKFLOW).read_text(encoding="utf-8")
SCHEMA = json.loads((PROJECT / "docs" / "coordinator.schema.json").read_text(encoding="utf-8"))
SECTIONS = {"Configuration": SCHEMA, **SCHEMA["$defs"]}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "checkout", {"README.md": "# Tool\n"})


def init(shell: Shell, folder: Path, *arguments: str) -> Ended:
    return shell.run("init", "--repo", folder, *arguments)


def states(ended: Ended) -> dict[str, str]:
    return {one["path"]: one["state"] for one in ended.document["files"]}


def test_both_files_are_written_and_nothing_else_changes(shell: Shell, checkout: Path) -> None:
    before = snapshot(checkout)
    ended = init(shell, checkout)
    assert (ended.code, ended.err) == (0, "")
    assert set(snapshot(checkout)) - set(before) == {".gitea", ".gitea/workflows", WORKFLOW, CONFIGURATION}
    assert before.items() <= snapshot(checkout).items()
    assert (checkout / WORKFLOW).read_text("utf-8") == OURS
    assert git(checkout, "status", "--porcelain") == f"?? {CONFIGURATION}\n?? .gitea/"
    assert ended.out.splitlines()[:4] == [f"written    {WORKFLOW}", f"written    {CONFIGURATION}", "", STEPS]


STEPS = "What is left to do:"


def test_new_files_get_the_mode_that_the_umask_gives(shell: Shell, checkout: Path) -> None:
    before = os.umask(0o027)
    try:
        init(shell, checkout)
    finally:
        os.umask(before)
    assert {(checkout / path).stat().st_mode & 0o777 for path in (WORKFLOW, CONFIGURATION)} == {0o640}


def test_the_steps_that_are_left_name_what_has_to_be_made(shell: Shell, checkout: Path) -> None:
    ended = init(shell, checkout)
    steps = ended.out.partition(f"{STEPS}\n")[2]
    numbers = re.findall(r"(?m)^  (\d)\. ", steps)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    for word in (
        "ACTION_REPOSITORY",
        "account coordinator",
        "write:repository, write:issue and read:user",
        "COORDINATOR_TOKEN",
        "ANTHROPIC_API_KEY",
        "label agent",
        f"git add {WORKFLOW} {CONFIGURATION}",
        "coordinator doctor --forge gitea",
    ):
        assert word in steps


def test_the_action_is_filled_in(shell: Shell, checkout: Path) -> None:
    ended = init(shell, checkout, "--action-repository", "tools/coordinator", "--action-ref", "release/v0.1.0")
    assert "ACTION_REPOSITORY" not in ended.out
    written = (checkout / WORKFLOW).read_text("utf-8")
    env = yaml.safe_load(written)["jobs"]["coordinator"]["steps"][0]["env"]
    assert env == {
        "ACTION_REPOSITORY": "tools/coordinator",
        "ACTION_REF": "release/v0.1.0",
        "FETCH_TOKEN": "${{ github.token }}",
    }
    changed = [
        (ours, theirs) for ours, theirs in zip(OURS.splitlines(), written.splitlines(), strict=True) if ours != theirs
    ]
    assert len(changed) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("coordinator", "a/b/c", "https://example.com/a/b", "a b/c", "../x", "a/..", "-a/b", "a/${{ github.token }}"),
        *('a/b"', "a/b\n", "a/ü", "", "./b"),
    ],
)
def test_a_repository_of_the_action_that_is_none_writes_nothing(shell: Shell, checkout: Path, name: str) -> None:
    ended = init(shell, checkout, f"--action-repository={name}")
    assert ended.code == 2
    assert "--action-repository" in ended.complaint()
    assert not (checkout / WORKFLOW).exists()


@pytest.mark.parametrize("ref", ["-x", "a..b", "$(id)", 'v1"', "v 1", "", "v1\n", "${{ x }}", "x" * 201])
def test_a_ref_of_the_action_that_is_none_writes_nothing(shell: Shell, checkout: Path, ref: str) -> None:
    ended = init(shell, checkout, f"--action-ref={ref}")
    assert ended.code == 2
    assert "--action-ref" in ended.complaint()
    assert not (checkout / WORKFLOW).exists()


@pytest.mark.parametrize(
    ("there", "arguments", "expected"),
    [
        ((), (), ".gitea"),
        ((".github",), (), ".github"),
        ((".github", ".gitea"), (), ".gitea"),
        ((".github", ".gitea", ".forgejo"), (), ".forgejo"),
        ((".forgejo",), ("--forge", "gitea"), ".gitea"),
        ((), ("--forge", "forgejo"), ".forgejo"),
        ((".gitea",), ("--forge", "github"), ".github"),
    ],
)
def test_the_folder_of_the_workflow(
    shell: Shell, checkout: Path, there: tuple[str, ...], arguments: tuple[str, ...], expected: str
) -> None:
    for folder in there:
        (checkout / folder / "workflows").mkdir(parents=True)
    ended = init(shell, checkout, "--format", "json", *arguments)
    assert states(ended) == {f"{expected}/workflows/coordinator.yml": "written", CONFIGURATION: "written"}


@pytest.mark.parametrize(
    ("there", "forge", "hidden"),
    [
        ((".github",), "gitea", [".github"]),
        ((".github", ".gitea"), "forgejo", [".gitea", ".github"]),
        ((".github", ".gitea"), "gitea", []),
        ((".forgejo",), "gitea", []),
        ((".gitea",), "github", []),
    ],
)
def test_a_new_folder_that_hides_others_is_noted(
    shell: Shell, checkout: Path, there: tuple[str, ...], forge: str, hidden: list[str]
) -> None:
    for folder in there:
        (checkout / folder / "workflows").mkdir(parents=True)
    notes = init(shell, checkout, "--forge", forge, "--format", "json").document["notes"]
    assert [re.findall(r"hides (\S+)/workflows:", note)[0] for note in notes] == hidden
    again = init(shell, checkout, "--forge", forge, "--format", "json")
    assert again.document["notes"] == []


@pytest.mark.parametrize(
    ("there", "arguments", "words"),
    [
        (".github", (), ["on Gitea the scopes", "on Github read and write", "--forge gitea or coordinator"]),
        (".github", ("--forge", "github"), ["with read and write for Actions", "doctor --forge github."]),
        (".gitea", ("--forge", "forgejo"), ["with the scopes write:repository", "doctor --forge gitea."]),
    ],
)
def test_the_steps_are_those_of_the_forge(
    shell: Shell, checkout: Path, there: str, arguments: tuple[str, ...], words: list[str]
) -> None:
    (checkout / there / "workflows").mkdir(parents=True)
    steps = " ".join(init(shell, checkout, "--format", "json", *arguments).document["steps"])
    assert [word for word in words if word not in steps] == []


def test_what_is_there_stays_and_the_rest_is_written(shell: Shell, checkout: Path) -> None:
    (checkout / CONFIGURATION).write_text("attempts: 9\n", encoding="utf-8")
    ended = init(shell, checkout)
    assert ended.code == 2
    assert (checkout / CONFIGURATION).read_text("utf-8") == "attempts: 9\n"
    assert (checkout / WORKFLOW).read_text("utf-8") == OURS
    assert f"refused    {CONFIGURATION}" in ended.out
    assert STEPS in ended.out
    assert ended.complaint() == (
        f"coordinator: error: not written: {CONFIGURATION}: it is there already. Give --force to overwrite it."
    )
    assert init(shell, checkout, "--force").code == 0
    assert (checkout / CONFIGURATION).read_text("utf-8").startswith("## Configuration")


def test_the_same_command_again_has_nothing_to_do(shell: Shell, checkout: Path) -> None:
    init(shell, checkout)
    before = snapshot(checkout)
    ended = init(shell, checkout, "--format", "json")
    assert (ended.code, states(ended)) == (0, {WORKFLOW: "unchanged", CONFIGURATION: "unchanged"})
    assert snapshot(checkout) == before


def test_the_document_of_json(shell: Shell, checkout: Path) -> None:
    (checkout / CONFIGURATION).write_text("", encoding="utf-8")
    ended = init(shell, checkout, "--format", "json")
    document = ended.document
    assert set(document) == {"exit_code", "files", "notes", "steps"}
    assert document["exit_code"] == ended.code == 2
    assert document["files"] == [
        {"path": WORKFLOW, "state": "written", "reason": ""},
        {"path": CONFIGURATION, "state": "refused", "reason": "it is there already. Give --force to overwrite it"},
    ]


def test_a_folder_inside_a_checkout_stands_for_the_checkout(shell: Shell, checkout: Path) -> None:
    (checkout / "src").mkdir()
    assert init(shell, checkout / "src").code == 0
    assert (checkout / WORKFLOW).exists()
    assert not any((checkout / "src").iterdir())


def test_what_is_no_checkout_is_refused(shell: Shell, tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "plain").mkdir()
    git(tmp_path, "init", "--quiet", "--bare", "bare")
    for folder, word in (("plain", "not in a git repository"), ("bare", "no checkout"), ("gone", "no folder")):
        before = snapshot(tmp_path)
        ended = init(shell, tmp_path / folder)
        assert ended.code == 2
        assert word in ended.complaint()
        assert snapshot(tmp_path) == before
    assert init(shell, checkout / ".git").code == 2


@pytest.mark.parametrize("link", [".gitea", ".gitea/workflows", WORKFLOW])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_nothing_is_written_through_a_symbolic_link(
    shell: Shell, checkout: Path, tmp_path: Path, link: str, force: tuple[str, ...]
) -> None:
    outside = tmp_path / "outside"
    (outside / "workflows").mkdir(parents=True)
    (outside / "file").write_text("mine\n", encoding="utf-8")
    path = checkout / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(outside / {".gitea": "", ".gitea/workflows": "workflows", WORKFLOW: "file"}[link])
    before = snapshot(outside)
    ended = init(shell, checkout, "--forge", "gitea", *force)
    assert ended.code == 2
    assert f"{link} is a symbolic link" in ended.complaint()
    assert snapshot(outside) == before
    assert path.is_symlink()
    assert (checkout / CONFIGURATION).exists()


def test_a_dangling_link_is_not_written_through_either(shell: Shell, checkout: Path, tmp_path: Path) -> None:
    (checkout / CONFIGURATION).symlink_to(tmp_path / "new")
    assert init(shell, checkout, "--force").code == 2
    assert not (tmp_path / "new").exists()


def test_what_is_no_file_is_not_replaced(shell: Shell, checkout: Path) -> None:
    (checkout / CONFIGURATION).mkdir()
    (checkout / ".gitea").write_text("a file", encoding="utf-8")
    ended = init(shell, checkout, "--force")
    assert ended.code == 2
    assert "a file stands where its folder belongs" in ended.complaint()
    assert "what is there is no file" in ended.complaint()
    assert (checkout / ".gitea").read_text("utf-8") == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(shell: Shell, checkout: Path) -> None:
    checkout.chmod(0o555)
    try:
        ended = init(shell, checkout)
    finally:
        checkout.chmod(0o755)
    assert ended.code == 2
    assert "cannot be written" in ended.complaint()


def test_a_disk_without_room_leaves_nothing_half_written(checkout: Path) -> None:
    """A process that may write files of no more than 100 bytes: the kernel refuses the rest."""
    (checkout / CONFIGURATION).write_text("attempts: 9\n", encoding="utf-8")
    before = snapshot(checkout)
    limit = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); from coordinator.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", limit, "init", "--repo", str(checkout), "--force"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot be written (File too large). Make the checkout writable" in done.stderr
    assert {path: kept for path, kept in snapshot(checkout).items() if path in before} == before
    assert {path for path in snapshot(checkout) if Path(path).suffix} <= set(before)


def test_a_file_is_replaced_in_one_step(checkout: Path) -> None:
    """Whoever reads the old one meanwhile reads it to its end."""
    (checkout / "file").write_text("the old text", encoding="utf-8")
    with (checkout / "file").open(encoding="utf-8") as reading:
        assert place(checkout, "file", "new", force=True).state is Done.WRITTEN
        assert reading.read() == "the old text"
    assert (checkout / "file").read_text("utf-8") == "new"


def test_a_path_that_the_disk_refuses_is_told_in_words(checkout: Path) -> None:
    with pytest.raises(Misconfigured, match=r"cannot be written \(File name too long\)"):
        place(checkout, "x" * 300, "ours", force=False)


def test_a_file_that_appears_meanwhile_is_not_overwritten(checkout: Path) -> None:
    """The name is taken by a hard link, which replaces nothing: the check before it is only for the message."""
    (checkout / "taken").write_text("theirs", encoding="utf-8")
    assert place(checkout, "taken", "ours", force=False).state is Done.REFUSED
    assert (checkout / "taken").read_text("utf-8") == "theirs"
    assert [path.name for path in checkout.iterdir() if path.name.endswith(".new")] == []


# What is written.


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^# ?", "", re.sub(r"(?m)^##", "# #", text))


def written_configuration(shell: Shell, checkout: Path) -> str:
    init(shell, checkout)
    return (checkout / CONFIGURATION).read_text("utf-8")


def test_the_configuration_as_written_is_all_defaults(shell: Shell, checkout: Path) -> None:
    text = written_configuration(shell, checkout)
    assert all(line.startswith("#") or not line for line in text.splitlines())
    assert load_configuration(text.encode(), file="x") == Configuration()


def test_uncommented_the_configuration_has_every_key_with_its_default(shell: Shell, checkout: Path) -> None:
    text = uncommented(written_configuration(shell, checkout))
    assert load_configuration(text.encode(), file="x") == Configuration()
    assert yaml.safe_load(text) == Configuration().model_dump(mode="json")


def entries(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in entries(inner)]


def documented(section: type[BaseModel]) -> list[tuple[str, str]]:
    """All keys below a section, with their explanations as the published schema has them."""
    found = []
    for name, field in section.model_fields.items():
        found.append((name, SECTIONS[section.__name__]["properties"][name]["description"]))
        found += [pair for inner in entries(field.annotation) for pair in documented(inner)]
    return found


def test_every_key_is_explained_in_one_line(shell: Shell, checkout: Path) -> None:
    text = written_configuration(shell, checkout)
    assert len(documented(Configuration)) > 50
    for name, explanation in documented(Configuration):
        assert explanation
        above = rf"(?m)^## +{re.escape(explanation)}\n# +{name}:"
        beside = rf"(?m)^## +{name}( \(default: [^)]+\))?: {re.escape(explanation)}$"
        assert re.search(above, text) or re.search(beside, text), name
    assert "enabled (default: true): False takes the profile" in text
    assert max(map(len, text.splitlines())) <= 120


def test_one_key_can_be_taken_out_of_its_comment(shell: Shell, checkout: Path) -> None:
    text = written_configuration(shell, checkout)
    changed = (
        text.replace("# budget:", "budget:").replace("#   run:", "  run:").replace("#     turns: 200", "    turns: 7")
    )
    assert load_configuration(changed.encode(), file="x").budget.run.turns == 7


def test_the_template_is_the_workflow_of_this_repository() -> None:
    assert (files("coordinator.init") / "coordinator.yml").read_bytes() == (PROJECT / WORKFLOW).read_bytes()


def test_the_template_is_in_an_installed_package(tmp_path: Path, checkout: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the package; it comes with the extra `dev`")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    start = "import sys; sys.path.insert(0, sys.argv.pop(1)); from coordinator.cli import main; sys.exit(main())"
    command = [sys.executable, "-P", "-c", start, str(tmp_path / "installed"), "init", "--format", "json"]
    done = subprocess.run(command, cwd=checkout, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [one["state"] for one in json.loads(done.stdout)["files"]] == ["written", "written"]
    assert (checkout / WORKFLOW).read_text("utf-8") == OURS
