"""Every sentence that can be said in two languages, read from the code: templates, pages, services,
errors, what is wrong with a body."""

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import nodes

from app import errors, languages
from app.web import describe, rendering, times

APP = Path(languages.__file__).parent
TEMPLATES = APP / "web" / "templates"

# Calls of ours whose literal arguments are said to people: the places of those arguments.
_SAID_BY = {"say": (0,), "Sentence": (0,), "_refuse": (1,), "go": (1,), "_done": (2,), "Part": (1,)}


def said() -> set[str]:
    """What `Language.say` is given, as far as the code spells it out."""
    return {*_in_templates("_"), *_in_code(), *_kinds(errors.ServiceError), *_described()}


def counted() -> set[str]:
    """What `Language.count` is given, by its singular."""
    return set(_in_templates("_n"))


def _in_templates(function: str) -> Iterator[str]:
    for path in TEMPLATES.rglob("*.html"):
        tree = rendering.environment().parse(path.read_text(encoding="utf-8"))
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == function:
                yield from _constants(call.args[0])


def _constants(said: nodes.Expr) -> Iterator[str]:
    if isinstance(said, nodes.Const):
        yield said.value
    elif isinstance(said, nodes.CondExpr):
        for branch in (said.expr1, said.expr2):
            assert isinstance(branch, nodes.Const)
            yield branch.value


def _in_code() -> Iterator[str]:
    for path in (APP / "bodies.py", *(APP / "web").glob("*.py"), *(APP / "services").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield from _said_by(node)


def _said_by(call: ast.Call) -> Iterator[str]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    for place in _SAID_BY.get(name, ()):
        if place < len(call.args):
            yield from _literals(call.args[place])
    for keyword in call.keywords:
        if keyword.arg == "fields":
            yield from _in_lists(keyword.value)
    if isinstance(getattr(errors, name, None), type) and call.args:
        yield from _literals(call.args[0])


def _literals(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def _in_lists(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.List):
            for item in inner.elts:
                yield from _literals(item)


def _kinds(kind: type[errors.ServiceError]) -> Iterator[str]:
    yield (kind.__doc__ or "").strip()
    for child in kind.__subclasses__():
        yield from _kinds(child)


def _described() -> Iterator[str]:
    yield from times.MONTHS
    for words in (describe.DIRECTIONS, describe.REASONS, describe.EVENTS, describe.PARTS):
        yield from words.values()
    yield from describe.FAILURES.values()
    for toned in (describe.STATUSES, describe.OUTCOMES, describe.HEALTH):
        yield from (word for word, _ in toned.values())
