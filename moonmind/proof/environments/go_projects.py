"""Go: the modules, or the workspace that joins them."""

from moonmind.proof.environments.found_project import FoundProject, Search, TestCommand
from moonmind.proof.environments.project_tree import MOST_PROJECTS, ProjectTree, is_below

MANIFESTS = frozenset({"go.mod", "go.work"})


def find_go(tree: ProjectTree) -> Search:
    """Find the modules; those below a go.work belong to it."""
    projects: list[FoundProject] = []
    workspaces: list[str] = []
    for folder in tree.with_any(MANIFESTS):
        if any(is_below(folder, one) for one in workspaces):
            continue
        if len(projects) >= MOST_PROJECTS:
            break
        found = FoundProject(folder, "go")
        source = tree.has(folder, "go.work", "go.mod") or "go.mod"
        if source == "go.work":
            workspaces.append(folder)
        vendored = f"{folder}/vendor" if folder else "vendor"
        if tree.has(vendored, "modules.txt"):
            found.notes.append(
                "vendor/modules.txt is there: the packages are in the repository, and nothing is fetched"
            )
        else:
            found.step(
                "go mod download",
                source,
                "go.sum pins the packages" if tree.has(folder, "go.sum") else f"{source} names the packages",
            )
        names = ("go.work", "go.work.sum", "go.mod", "go.sum")
        found.key_files += [name for name in names if tree.has(folder, name)]
        found.key_files += ["**/go.mod", "**/go.sum"] if source == "go.work" else []
        found.tests += [
            TestCommand(one.command, one.source)
            for one in tree.commands(folder)
            if one.purpose == "test" and one.command.startswith("go ")
        ]
        projects.append(found)
    return Search(tuple(projects))
