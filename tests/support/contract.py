#!/usr/bin/env python3
"""Holds what the service answers against what `openapi.json` promises."""

import json
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple

from jsonschema import Draft202012Validator

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PROBLEM = "application/problem+json"
METHODS = ("get", "put", "post", "delete", "patch")
# Headers by which an answer says what no other part of it says: one that is
# sent and not documented is as wrong as the other way round.
TELLING_HEADERS = ("X-Request-Id", "Set-Cookie", "Location", "Allow",
                   "Retry-After", "WWW-Authenticate", "ETag",
                   "Vestibule-User", "Vestibule-Email")


class Operation(NamedTuple):
    """A method of a path, with its documented answers by status."""

    id: str
    method: str
    path: str
    content: Dict[str, Any]
    answers: Dict[int, Any]
    needs_session: bool


class Contract:
    """An OpenAPI 3.1 document, read for checking answers against it."""

    def __init__(self, document: Dict[str, Any]) -> None:
        """Read the document; its references are followed when needed."""
        self.document = document
        # References are looked up in it, whatever schema it is given.
        self._validator: Any = Draft202012Validator(
            {"components": document["components"]})
        self.operations = {
            operation.id: operation for operation in self._operations()}

    def follow(self, node: Any) -> Any:
        """Return what a reference points to; all else is itself.

        Raises ``KeyError`` for a reference that points nowhere.
        """
        while isinstance(node, dict) and "$ref" in node:
            place, *names = node["$ref"].split("/")
            assert place == "#", f"{node['$ref']} leaves the document"
            node = self.document
            for name in names:
                node = node[name]
        return node

    def component(self, name: str) -> Any:
        """Return an answer that no operation gives: 404, 405, 500."""
        return self.document["components"]["responses"][name]

    def faults(self, documented: Any, answer: Any) -> List[str]:
        """Return what is wrong with an answer, or not in the document."""
        return [*self._header_faults(documented, answer),
                *self._body_faults(documented, answer)]

    def errors(self, schema: Any, value: Any) -> List[str]:
        """Return where a value does not fit a schema of the document.

        Members that the schema does not name are faults too.
        """
        whole: Dict[str, Any] = {"allOf": [schema]}
        if isinstance(value, dict):
            whole["unevaluatedProperties"] = False
        return [f"{error.json_path}: {error.message}" for error
                in self._validator.evolve(schema=whole).iter_errors(value)]

    def media(self) -> Iterator[Tuple[str, Any]]:
        """Yield each place where a body is described, and its description.
        """
        for operation in self.operations.values():
            for kind, media in operation.content.items():
                yield f"{operation.id} takes {kind}", media
            for status, answer in operation.answers.items():
                for kind, media in answer.get("content", {}).items():
                    yield f"{operation.id} gives {status} {kind}", media
        for name, answer in self.document["components"]["responses"].items():
            for kind, media in answer["content"].items():
                yield f"{name} {kind}", media

    def _operations(self) -> Iterator[Operation]:
        """Yield the operations of all paths."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method not in item:
                    continue
                said = item[method]
                answers = {int(status): self.follow(answer)
                           for status, answer in said["responses"].items()}
                yield Operation(
                    said["operationId"], method.upper(), path,
                    said.get("requestBody", {}).get("content", {}), answers,
                    {} not in said.get("security", [{}]))

    def _header_faults(self, documented: Any, answer: Any) -> Iterator[str]:
        """Yield what is wrong with the headers of an answer."""
        promised = documented.get("headers", {})
        for name in TELLING_HEADERS:
            if name in answer.headers and name not in promised:
                yield f"{name} is sent, but not documented"
        for name, node in promised.items():
            header = self.follow(node)
            values = answer.headers.getlist(name)
            if header.get("required") and not values:
                yield f"{name} is documented, but missing"
            for text in values:
                schema = header["schema"]
                value = int(text) if schema.get("type") == "integer" else text
                yield from (f"{name}: {error}"
                            for error in self.errors(schema, value))

    def _body_faults(self, documented: Any, answer: Any) -> Iterator[str]:
        """Yield what is wrong with the body of an answer."""
        content = documented.get("content")
        if content is None:
            if answer.data:
                yield "there is a body, and none is documented"
        elif answer.mimetype not in content:
            yield f"{answer.mimetype} is not documented"
        else:
            schema = content[answer.mimetype]["schema"]
            yield from self.errors(schema, body_of(answer))


def body_of(answer: Any) -> Any:
    """Return the body of an answer: JSON as what it stands for, or text."""
    return json.loads(answer.text) if answer.is_json else answer.text


def examples(media: Any) -> List[Any]:
    """Return the examples in the description of a body."""
    if "example" in media:
        return [media["example"]]
    return [each["value"] for each in media.get("examples", {}).values()]


def codes(documented: Any) -> Set[str]:
    """Return the codes with which a documented refusal may come."""
    narrowed = documented["content"][PROBLEM]["schema"]["allOf"][1]
    code = narrowed["properties"]["code"]
    return set(code["enum"]) if "enum" in code else {code["const"]}


def references(node: Any) -> Iterator[str]:
    """Yield every reference inside a part of the document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)
