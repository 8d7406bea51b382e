#!/usr/bin/env python3
"""Pages, used as a browser without scripts does: read, fill in, send."""

from html.parser import HTMLParser
from typing import Any, Dict, List, Optional, Tuple

from tests.support.client import Client

Attributes = Dict[str, Optional[str]]
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Form:
    """A form of a page: where it goes to, and its fields."""

    def __init__(self, attributes: Attributes) -> None:
        """Begin a form without fields."""
        self.action = attributes.get("action") or ""
        self.method = (attributes.get("method") or "get").upper()
        self.hidden: Dict[str, str] = {}
        self.visible: Dict[str, Attributes] = {}
        self.buttons = 0


class Page(HTMLParser):
    """What a browser makes of a page; a page that it must not run fails."""

    def __init__(self, answer: Any) -> None:
        """Read the answer to a request."""
        super().__init__()
        assert answer.mimetype == "text/html"
        self.status: int = answer.status_code
        self.html: str = answer.get_data(as_text=True)
        self.forms: List[Form] = []
        self.links: List[str] = []
        self.labelled: List[Optional[str]] = []
        self.ids: List[Optional[str]] = []
        self.tags: List[str] = []
        self.alert = ""
        self._in_alert = False
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str,
                        attrs: List[Tuple[str, Optional[str]]]) -> None:
        """Note a tag, and what matters of it."""
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), "an attribute stands twice"
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        scripted = [name for name in attributes if name.startswith("on")]
        assert tag != "script" and not scripted and "style" not in attributes
        if attributes.get("role") == "alert":
            self._in_alert = True
        if tag == "form":
            self.forms.append(Form(attributes))
        elif tag == "label":
            self.labelled.append(attributes.get("for"))
        elif tag == "a":
            self.links.append(attributes.get("href") or "")
        elif tag == "button":
            self.forms[-1].buttons += 1
        elif tag == "input":
            self._note_field(attributes)

    def handle_endtag(self, tag: str) -> None:
        """Note the end of the paragraph that says what is wrong."""
        if tag == "p":
            self._in_alert = False

    def handle_data(self, data: str) -> None:
        """Keep the words of the alert."""
        if self._in_alert:
            self.alert += data

    def _note_field(self, attributes: Attributes) -> None:
        """Put a field into the form at hand."""
        name = str(attributes.get("name"))
        if attributes.get("type") == "hidden":
            self.forms[-1].hidden[name] = attributes.get("value") or ""
        else:
            self.forms[-1].visible[name] = attributes

    def check(self) -> None:
        """Assert what every page keeps to, for whoever reads it and how."""
        assert self.tags.count("h1") == 1 and self.tags.count("title") == 1
        assert len(set(self.ids)) == len(self.ids)
        for form in self.forms:
            assert form.method == "POST" and form.buttons == 1
            for field in form.visible.values():
                assert field.get("id") in self.labelled
                assert field.get("autocomplete")
                described = field.get("aria-describedby")
                assert described is None or described in self.ids

    def send(self, client: Client, number: int = 0, **typed: str) -> Any:
        """Fill in a form and press its button; return the answer."""
        form = self.forms[number]
        sent = dict(form.hidden)
        for name, field in form.visible.items():
            sent[name] = typed.pop(name, field.get("value") or "")
            assert sent[name] or "required" not in field
        assert not typed, f"there is no field for {typed}"
        return client.request(form.method, form.action, data=sent,
                              headers=dict(HTML, **{
                                  "Sec-Fetch-Site": "same-origin"}))


def open_page(client: Client, path: str) -> Page:
    """Open a page and check it."""
    page = Page(client.get(path, headers=HTML))
    page.check()
    return page
