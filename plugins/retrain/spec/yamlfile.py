"""A YAML file that remembers on which line each key stands, and explains what is wrong with it."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from retrain.errors import RetrainError, SpecError
from retrain.spec.section import Section

Location = tuple[str | int, ...]
BOOL, TEXT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str"


class YamlFile:
    """The content of one file, and its lines.

    :param path: the file.
    :param content: its top-level mapping.
    :param lines: location → line, counted from 1.
    """

    def __init__(self, path: Path, content: dict[str, Any], lines: dict[Location, int]) -> None:
        self.path, self.content, self.lines = path, content, lines

    @classmethod
    def read(cls, path: Path) -> YamlFile:
        """Read a file. Raises :class:`SpecError` if it is missing, not YAML, or repeats a key."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SpecError(
                f"There is no {path.name}.", file=path, do="create it: `retrain init NAME --from FILE …` writes one."
            ) from None
        except UnicodeDecodeError as error:
            raise SpecError(f"{path.name} is not UTF-8 text.", file=path, do="save it as UTF-8.") from error
        try:
            lines, content = _parse(text, path)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error)
            line = mark.line + 1 if mark else None
            raise SpecError(f"{path.name} is not YAML: {problem}.", file=path, line=line, do="mend it.") from None
        if not isinstance(content, dict):
            raise SpecError(f"{path.name} is not a mapping.", file=path, line=1, expected="keys and values")
        return cls(path, content, lines)

    def explain(self, error: ValidationError, model: type[BaseModel]) -> SpecError:
        """The first mistake pydantic found, as ours; the others in its ``also``."""
        details = error.errors()
        deeper = {detail["loc"][:cut] for detail in details for cut in range(1, len(detail["loc"]))}
        mistakes = [self._mistake(detail, model) for detail in details if detail["loc"] not in deeper]
        mistakes.sort(key=lambda mistake: mistake.line or 0)
        mistakes[0].also = tuple(mistakes[1:])
        return mistakes[0]

    def error(self, key: str, value: object, expected: str) -> SpecError:
        """A mistake at a dotted key."""
        return SpecError(
            f"{key} is {_show(value)}, but should be {expected}.",
            file=self.path,
            line=self.line(key),
            key=key,
            value=value,
            expected=expected,
        )

    def line(self, key: str) -> int:
        """The line of a dotted key, or of the nearest one around it that is there."""
        return self._line(tuple(int(part) if part.isdigit() else part for part in key.split(".")))

    def _mistake(self, detail: Any, model: type[BaseModel]) -> SpecError:
        location: Location = tuple(detail["loc"])
        message = str(detail["msg"]).removeprefix("Value error, ")
        if not location and ": " in message:  # a rule across keys names its key itself
            key, _, expected = message.partition(": ")
            return self.error(key, self._value(tuple(key.split("."))), expected)
        key = ".".join(str(part) for part in location)
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, RetrainError):  # it says in its own words what is wrong and what to do
            return SpecError(
                cause.what,
                file=self.path,
                line=self._line(location),
                key=key,
                value=detail["input"],
                expected=cause.do,
                do=cause.do,
            )
        if detail["type"] == "extra_forbidden":
            expected = _known_keys(model, location, self.content)
            return SpecError(
                f"Unknown key `{key}`.",
                file=self.path,
                line=self._line(location),
                key=key,
                value=detail["input"],
                expected=expected,
                do=expected,
            )
        if detail["type"] == "missing":
            return SpecError(
                f"The key `{key}` is missing.",
                file=self.path,
                line=self._line(location[:-1]),
                key=key,
                expected=f"`{location[-1]}:` and its value",
            )
        return self.error(key, detail["input"], message[:1].lower() + message[1:])

    def _line(self, location: Location) -> int:
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def _value(self, location: Location) -> object:
        value: Any = self.content
        for part in location:
            value = _inside(value, part)
        return value


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _parse(text: str, path: Path) -> tuple[dict[Location, int], Any]:
    """Where every key stands, and the content; read once, by libyaml where it is there (five times as fast)."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        lines = dict(_lines(root, (), path))  # before construction, which rewrites merged mappings
        return lines, loader.construct_document(root) if root is not None else None
    finally:
        loader.dispose()


def _lines(node: yaml.Node | None, location: Location, path: Path) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[object] = set()
        for key, value in node.value:
            if key.tag == BOOL and key.value == "on":  # a key like any other; YAML 1.1 takes it for `true:`
                key.tag = TEXT
            if key.value in seen:
                raise SpecError(
                    f"The key `{key.value}` stands twice.",
                    file=path,
                    line=key.start_mark.line + 1,
                    key=".".join(map(str, (*location, key.value))),
                    do="keep one of them.",
                )
            seen.add(key.value)
            yield (*location, key.value), key.start_mark.line + 1
            yield from _lines(value, (*location, key.value), path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*location, index), value.start_mark.line + 1
            yield from _lines(value, (*location, index), path)


def _known_keys(model: type[BaseModel], location: Location, content: Any) -> str:
    """The keys that may stand where an unknown one was found, the likeliest first."""
    section: Any = model
    for part in location[:-1]:
        content = _inside(content, part)
        if isinstance(part, str):
            section = _section(section, part)
        if section is None:
            return "remove it"
        if isinstance(content, dict) and issubclass(section, Section):
            section = section.model_for(content)
    names = [field.alias or name for name, field in section.model_fields.items() if not field.exclude]
    from difflib import get_close_matches  # most files are right

    near = get_close_matches(str(location[-1]), names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"use one of: {', '.join(names)}"


def _inside(content: Any, part: str | int) -> Any:
    """What stands at a key or a place; None if nothing does."""
    try:
        return content[part]
    except (KeyError, IndexError, TypeError):
        return None


def _section(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The model class behind a key of a model class."""
    for name, field in model.model_fields.items():
        if (field.alias or name) == key:
            return next(models_in(field.annotation), None)
    return None


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The model classes inside a type annotation."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from models_in(argument)
