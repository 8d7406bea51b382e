#!/usr/bin/env python3
"""`openapi.json` says what the service does: all of it, and nothing else."""

import copy
import json
import re
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

import pytest
from jsonschema import Draft202012Validator

import vestibule
from tests.support.client import BOB, Client
from tests.support.contract import (
    FORM, JSON, PROBLEM, Contract, body_of, codes, examples, references)
from tests.support.contract_cases import Case, all_cases, provoke
from tests.support.contract_cases_rights import RIGHTS_CASES
from tests.support.contract_cases_throttle import THROTTLE_CASES
from tests.support.databases import SQLITE
from vestibule.base.config import Settings, load
from vestibule.features.api_document.routes import DOCUMENT, FILE

CONTRACT = Contract(DOCUMENT)
CASES = [*all_cases(CONTRACT), *RIGHTS_CASES, *THROTTLE_CASES]
# What stands in the router and, on purpose, not in the document.
STATIC = {"/static/{filename}"}
PAGES = {("GET", "/forgot"), ("POST", "/forgot"), ("GET", "/reset"),
         ("POST", "/reset"), ("GET", "/verify"), ("POST", "/verify"),
         ("POST", "/verify/letter"), ("GET", "/undo"),
         ("GET", "/account/restore"), ("POST", "/account/restore")}
DEVELOPMENT = {"/dev/mailbox", "/dev/mailbox/{letter_id}"}
AUTOMATIC_METHODS = {"HEAD", "OPTIONS"}
# Answers that belong to no operation, told of in the introduction.
EVERYWHERE = {"NotFound", "MethodNotAllowed", "InternalError"}
TASKS = {
    "basic_flask_app": 6, "register_user": 7, "log_in": 11, "log_out": 14,
    "user_profile": 15, "get_reset_password_token": 17,
    "update_password": 19}
# What is different each time, and what stands for it in the examples.
TOKEN = "yCpQmbgLBBoCI9_iz_Njzam5bYlLeTWLGd5_b-AYTOY"
REQUEST_ID = "3f9a6c1e-5b7d-4e2a-9c48-0d1e2f3a4b5c"
SESSION_ID = "bb9c4bc0-8692-45b3-b838-b8514e0fc583"
USER_ID = "0d5c1a4e-8f0e-4f0b-9a51-2c1c6f1f7f0a"

Answers = Dict[int, List[Any]]


@pytest.fixture(name="answers", scope="module")
def fixture_answers(
        tmp_path_factory: pytest.TempPathFactory,
        pytestconfig: Any) -> Answers:
    """Provoke every case once, each on a service of its own."""
    found: Answers = {}
    for number, case in enumerate(CASES):
        folder = tmp_path_factory.mktemp("case")
        url = pytestconfig.databases.empty(SQLITE, folder)
        found[number] = provoke(case, CONTRACT.operations[case.operation],
                                _settings(url, case.production), folder)
    return found


def _settings(url: str, production: bool) -> Settings:
    """Return the settings of a service that hashes at the least cost."""
    environ = {"VESTIBULE_DATABASE_URL": url,
               "VESTIBULE_SECRET_KEY": "a key for tests, 0123456789abcdef"}
    if production:
        environ.update(VESTIBULE_BASE_URL="https://example.com",
                       VESTIBULE_SMTP_URL="smtp://127.0.0.1:9",
                       VESTIBULE_MAIL_FROM="mail@example.com")
    else:
        environ["VESTIBULE_PROFILE"] = "development"
    return load(environ).settings._replace(bcrypt_cost=4)


def _title(case: Case) -> str:
    """Return a case's name among the tests."""
    return f"{case.operation} {case.status} {case.code}"


@pytest.mark.parametrize("number", range(len(CASES)),
                         ids=[_title(case) for case in CASES])
def test_the_service_answers_as_documented(
        number: int, answers: Answers) -> None:
    """The status, the headers and the body are those that were promised."""
    case = CASES[number]
    documented = CONTRACT.operations[case.operation].answers[case.status]
    for answer in answers[number]:
        assert answer.status_code == case.status
        assert CONTRACT.faults(documented, answer) == []
        if answer.mimetype == PROBLEM:
            assert body_of(answer)["code"] == case.code


def test_every_documented_answer_is_provoked() -> None:
    """No status and no code is documented that no case shows, or missing."""
    documented: Set[Tuple[str, int, str]] = set()
    for operation in CONTRACT.operations.values():
        for status, answer in operation.answers.items():
            documented |= {(operation.id, status, code) for code in (
                codes(answer) if status >= 400 else {""})}
    assert documented == {
        (case.operation, case.status, case.code if case.status >= 400 else "")
        for case in CASES}


def test_every_code_is_in_the_list_of_codes() -> None:
    """The list holds the codes of all refusals, in order."""
    answers = [*DOCUMENT["components"]["responses"].values()]
    found = set().union(*(codes(answer) for answer in answers))
    assert DOCUMENT["components"]["schemas"]["Code"]["enum"] == sorted(found)


def test_every_example_of_an_answer_is_true(answers: Answers) -> None:
    """Each was given by the service, but for secrets and ids."""
    given: Dict[int, List[Any]] = {}
    for number, case in enumerate(CASES):
        documented = CONTRACT.operations[case.operation].answers[case.status]
        for answer in answers[number]:
            if answer.is_json:
                media = documented["content"][answer.mimetype]
                given.setdefault(id(media), []).append(_masked(answer))
    for operation in CONTRACT.operations.values():
        for answer in operation.answers.values():
            for media in answer.get("content", {}).values():
                for example in examples(media):
                    assert example in given[id(media)]


def _masked(answer: Any) -> Any:
    """Return a JSON body with what is different each time masked."""
    body = body_of(answer)
    for part, name, mask in (
            (body, "reset_token", TOKEN), (body, "request_id", REQUEST_ID),
            (body, "id", SESSION_ID), (body.get("user", {}), "id", USER_ID),
            *((each, "id", SESSION_ID) for each in body.get("sessions", ())),
            *((each, "request_id", REQUEST_ID)
              for each in body.get("events", ()))):
        if name in part:
            part[name] = mask
    return body


def test_every_example_fits_its_schema() -> None:
    """Requests and answers alike."""
    for place, media in CONTRACT.media():
        for example in examples(media):
            faults = CONTRACT.errors(media["schema"], example)
            assert (place, faults) == (place, [])


def test_the_examples_of_requests_work_as_printed(client: Client) -> None:
    """One after the other they are a story, in JSON and as forms."""
    for name, kind, status in (
            ("register_user", JSON, 200), ("log_in", FORM, 200),
            ("reauthenticate", JSON, 200), ("change_profile", JSON, 200),
            ("change_profile", FORM, 200), ("label_session", FORM, 200),
            ("ask_for_verification", JSON, 200),
            ("ask_for_verification", FORM, 200), ("change_email", JSON, 202),
            ("change_email", FORM, 202), ("reauthenticate", FORM, 200),
            ("change_password", JSON, 204)):
        operation = CONTRACT.operations[name]
        [body] = examples(operation.content[kind])
        own = client.get("/session").get_json().get("id")
        options = {"json" if kind == JSON else "data": body}
        answer = client.request(
            operation.method, operation.path.format(session_id=own),
            **options)
        assert (name, answer.status_code) == (name, status)


def test_what_no_operation_promises_is_answered_as_documented(
        client: Client) -> None:
    """The statuses 404 and 405, and the 500 that a fault of ours gives."""
    client.app.add_url_rule("/fault", view_func=lambda: 1 // 0)
    for path, name in (("/no-such-path", "NotFound"),
                       ("/users", "MethodNotAllowed"),
                       ("/fault", "InternalError")):
        documented = CONTRACT.component(name)
        for accepted in ("*/*", PROBLEM):
            answer = client.get(path, headers={"Accept": accepted})
            assert CONTRACT.faults(documented, answer) == []
            [example] = examples(documented["content"][answer.mimetype])
            assert _masked(answer) == example


def test_paths_and_methods_are_those_of_the_router(client: Client) -> None:
    """Exactly, but for pages for people, files and the mailbox."""
    found = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in client.app.url_map.iter_rules()
        for method in rule.methods - AUTOMATIC_METHODS}
    left_out = PAGES | {
        ("GET", path) for path in (*STATIC, *DEVELOPMENT)}
    assert left_out <= found
    assert found - left_out == {
        (operation.method, operation.path)
        for operation in CONTRACT.operations.values()}


def test_in_production_there_is_no_mailbox(production: Client) -> None:
    """What the document leaves out as development is only there."""
    rules = {rule.rule for rule in production.app.url_map.iter_rules()}
    assert not any(rule.startswith("/dev") for rule in rules)


def test_the_document_is_served_with_the_address(
        client: Client, production: Client) -> None:
    """``servers`` is filled in; all else is the file."""
    for service, url in ((client, "http://127.0.0.1:5000"),
                         (production, "https://example.com")):
        served = service.get("/openapi.json").get_json()
        assert served.pop("servers") == [{"url": url}]
        assert served == DOCUMENT


def test_the_file_is_kept_readable() -> None:
    """Two blanks of indentation, no escapes, a newline at the end."""
    text = Path(FILE).read_text(encoding="utf-8")
    assert text == json.dumps(DOCUMENT, indent=2, ensure_ascii=False) + "\n"


def test_the_version_is_that_of_the_service() -> None:
    """Who has the document knows what it is the document of."""
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == vestibule.__version__


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    """Each is followed, and each component is used."""
    used = set(references(DOCUMENT))
    for reference in used:
        CONTRACT.follow({"$ref": reference})
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in DOCUMENT["components"].items()
        for name in named if kind != "securitySchemes"}
    assert components - used == {
        f"#/components/responses/{name}" for name in EVERYWHERE}
    introduction = DOCUMENT["info"]["description"]
    assert all(f"`{name}`" in introduction for name in EVERYWHERE)


def test_every_operation_is_explained() -> None:
    """A name of its own, words, and a success among its answers."""
    paths = DOCUMENT["paths"]
    said = [paths[each.path][each.method.lower()]
            for each in CONTRACT.operations.values()]
    assert len(said) == sum(
        1 for item in paths.values() for key in item if key != "parameters")
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for operation in said:
        assert operation["summary"] and operation["description"].endswith(".")
        assert tags.issuperset(operation["tags"])
        assert {"200", "202", "204", "303"} & set(operation["responses"])


def test_the_tasks_are_named() -> None:
    """Who comes with the list of nineteen finds each that is a request."""
    for name, number in TASKS.items():
        operation = CONTRACT.operations[name]
        said = DOCUMENT["paths"][operation.path][operation.method.lower()]
        assert said["description"].startswith(f"Task {number}, ")


def test_every_answer_carries_its_request_id() -> None:
    """And says in words what it means."""
    answers = [answer for operation in CONTRACT.operations.values()
               for answer in operation.answers.values()]
    answers += DOCUMENT["components"]["responses"].values()
    for answer in answers:
        assert "X-Request-Id" in answer["headers"]
        assert answer["description"].endswith(".")


def test_every_schema_is_one() -> None:
    """After JSON Schema 2020-12, which OpenAPI 3.1 takes over whole."""
    schemas = [media["schema"] for _, media in CONTRACT.media()]
    schemas += DOCUMENT["components"]["schemas"].values()
    for kind in ("headers", "parameters"):
        schemas += [each["schema"]
                    for each in DOCUMENT["components"][kind].values()]
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("required, properties, fault", [
    (["email"], {"email": {}, "message": {"const": "made"}},
     "$.message: 'made' was expected"),
    (["id"], {"email": {}, "message": {}},
     "$: 'id' is a required property"),
    (["email"], {"email": {}}, "$: Unevaluated properties are not allowed "
     "('message' was unexpected)")])
def test_an_answer_that_does_not_fit_is_found(
        client: Client, required: List[str], properties: Dict[str, Any],
        fault: str) -> None:
    """The comparison sees a wrong, a missing and an undocumented member."""
    document = copy.deepcopy(DOCUMENT)
    document["components"]["schemas"]["UserCreated"] = {
        "type": "object", "required": required, "properties": properties}
    contract = Contract(document)
    documented = contract.operations["register_user"].answers[200]
    answer = client.post("/users", BOB)
    assert fault in contract.faults(documented, answer)


@pytest.mark.parametrize("header", ["X-Request-Id", "Set-Cookie"])
def test_a_header_that_is_not_documented_is_found(
        client: Client, header: str) -> None:
    """And one that is documented and missing, too."""
    client.sign_up()
    document = copy.deepcopy(DOCUMENT)
    contract = Contract(document)
    documented = contract.operations["log_in"].answers[200]
    documented["headers"]["Allow"] = documented["headers"].pop(header)
    documented["headers"]["Allow"] = {"required": True, "schema": {}}
    assert contract.faults(documented, client.sign_in()) == [
        f"{header} is sent, but not documented",
        "Allow is documented, but missing"]
