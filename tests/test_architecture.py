"""The import table of the house: who may import whom. It reads the code, it runs none of it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = {
    path.stem if path.is_file() else path.name
    for path in (ROOT / "app").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").exists()
} - {"__init__"}

GROUND = {"errors", "config", "clock", "logs", "metrics", "stopping"}
FACE = {"services", "identity", "bodies", "failures", "languages", "extensions"} | GROUND
MAY_IMPORT: dict[str, set[str]] = {
    "config": set(),
    "clock": set(),
    "errors": set(),
    "metrics": set(),
    "stopping": set(),
    "logs": {"config"},
    "prepared": set(),
    "extensions": {"config"},
    "models": {"extensions", "clock"},
    "telegram": {"config", "errors", "logs"},
    "delivery": {"telegram", "models", "extensions", "prepared"} | GROUND,
    "services": {"delivery", "models", "extensions", "prepared"} | GROUND,
    "identity": {"services", "extensions"} | GROUND,
    "bodies": {"errors"},
    "languages": {"errors"},
    "failures": {"errors", "logs"},
    "wire": {"config", "extensions", "logs"},
    "housekeeping": {"services", "logs"},
    "api": FACE,
    "dialects": FACE,
    "web": FACE,
    "bot": FACE | {"telegram"},
    "cli": FACE,
}


def imports_of(path: Path) -> Iterator[str]:
    """Top-level names of ours that a file imports: `app.models` as `models`, others as they are."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            head, _, rest = name.partition(".")
            if head == "app":
                yield rest.partition(".")[0] or "app"
            elif head in ("sandbox", "embedded", "tests"):
                yield head


def files_of(part: str) -> list[Path]:
    single = ROOT / "app" / f"{part}.py"
    return [single] if single.exists() else sorted((ROOT / "app" / part).rglob("*.py"))


def test_every_part_of_the_application_stands_in_the_table() -> None:
    assert set(MAY_IMPORT) == PARTS


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_the_table_allows(part: str) -> None:
    allowed = MAY_IMPORT[part] | {part}
    for path in files_of(part):
        wrong = set(imports_of(path)) - allowed
        assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("package", ["sandbox", "embedded"])
def test_sandbox_and_embedded_servers_import_nothing_of_the_product(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        assert set(imports_of(path)) <= {package}, path


@pytest.mark.parametrize("name", ["retries", "pacing", "splitting"])
def test_pure_modules_have_no_clock_and_no_database(name: str) -> None:
    tree = ast.parse((ROOT / "app" / "delivery" / f"{name}.py").read_text(encoding="utf-8"))
    modules = {
        n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names
    }
    for node in ast.walk(tree):
        # The names of the states are words, not the database.
        if isinstance(node, ast.ImportFrom) and [n.name for n in node.names] != ["Status"]:
            modules.add(str(node.module))
    assert not modules & {"time", "random", "datetime", "app.clock", "app.models", "app.extensions"}
    assert not any(module.startswith("sqlalchemy") for module in modules)
