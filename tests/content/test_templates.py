"""Where templates are found."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from newsletter.content import templates
from newsletter.errors import SettingsError


def write(root: Path, name: str, text: str) -> Path:
    path = root / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_the_built_in_templates_are_there() -> None:
    assert (templates.builtin() / "email" / "letter.mjml").is_file()
    assert templates.folders(None) == (templates.builtin(),)


def test_a_publications_own_wins_by_name(tmp_path: Path) -> None:
    mine = write(tmp_path, "email/mail.css", "mine")
    assert templates.find("email/mail.css", tmp_path) == mine
    assert templates.environment(tmp_path).get_template("email/mail.css").render() == "mine"
    assert templates.find("email/letter.mjml", tmp_path) == templates.builtin() / "email" / "letter.mjml"


def test_a_changed_template_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, "pages/a.html", "one")
    assert templates.environment(tmp_path).get_template("pages/a.html").render() == "one"
    path = write(tmp_path, "pages/a.html", "two, later")
    import os

    os.utime(path, (1, 1))
    assert templates.environment(tmp_path).get_template("pages/a.html").render() == "two, later"


@pytest.mark.parametrize(("name", "shown"), [("a.html", "&lt;b&gt;"), ("a.mjml", "&lt;b&gt;"), ("a.txt", "<b>")])
def test_markup_is_escaped_where_markup_is_written(tmp_path: Path, name: str, shown: str) -> None:
    write(tmp_path, name, "{{ value }}")
    assert templates.environment(tmp_path).get_template(name).render(value="<b>") == shown


def test_promise_11_an_undefined_name_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "{{ nothing }}")
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        templates.environment(tmp_path).get_template("a.txt").render()


def test_a_missing_template_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"pages/none\.html") as refusal:
        templates.find("pages/none.html", tmp_path)
    assert str(tmp_path / "templates") in refusal.value.todo
