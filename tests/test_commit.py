"""Which commit this program is of: read from the files of a repository as git leaves them, or as a build wrote it down."""

import pytest

from tinyticket.commit import commit

HASH, OTHER = "0123456789abcdef" * 2 + "01234567", "f" * 40


@pytest.fixture
def package(tmp_path):
    (tmp_path / "tinyticket").mkdir()
    return tmp_path / "tinyticket"


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_refs", "-refs")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def test_a_branch(package):
    git = package.parent / ".git"
    write(git, HEAD="ref: refs/heads/main", refs__heads__main=HASH, packed_refs=f"# pack\n{OTHER} refs/heads/main")
    assert commit(package) == HASH


def test_a_packed_branch(package):
    write(
        package.parent / ".git",
        HEAD="ref: refs/heads/main",
        packed_refs=f"# pack\n{OTHER} refs/x\n{HASH} refs/heads/main",
    )
    assert commit(package) == HASH


def test_a_branch_of_a_worktree(package):
    main = package.parent / "main"
    write(main / "worktrees" / "w", HEAD="ref: refs/heads/w", commondir="../..")
    write(main, refs__heads__w=HASH)
    write(package.parent, **{".git": f"gitdir: {main}/worktrees/w"})
    assert commit(package) == HASH


def test_what_was_built_says_what_it_was_built_of(package):
    write(package, COMMIT=HASH)
    assert commit(package) == HASH


@pytest.mark.parametrize("files", [{}, {"HEAD": "ref: refs/heads/unborn"}, {"HEAD": "nonsense"}])
def test_nothing_tells(package, files):
    write(package.parent / ".git", **files)
    assert commit(package) == ""
