"""The skeleton: what is refused before the compiler, and what comes out of it."""

from __future__ import annotations

import jinja2
import pytest

from newsletter.content import mjml, templates, theme
from newsletter.content.mjml import Skeleton, skeleton
from newsletter.core.email import Escape, Site, fill
from newsletter.errors import SettingsError

HEAD = '<mj-head><mj-title>{{ slot("title") }}</mj-title></mj-head>'


def env(**sources: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.DictLoader({name.replace("_", "."): text for name, text in sources.items()}),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
    )


def letter(inside: str, head: str = HEAD) -> str:
    return (
        f'<mjml lang="en" dir="ltr">{head}<mj-body width="600px">'
        f"<mj-section><mj-column>{inside}</mj-column></mj-section></mj-body></mjml>"
    )


def compiled(inside: str) -> Skeleton:
    return skeleton(env(a_mjml=letter(inside)), "a.mjml")


def test_slots_are_filled_where_they_were_asked_for() -> None:
    whole = compiled('<mj-text>{{ slot("body") }}</mj-text><mj-raw>{{ slot("rows") }}</mj-raw>')
    html = fill(tuple(whole.fill({"title": ("T",), "body": ("one",), "rows": ("<tr><td>two</td></tr>",)})), {})
    assert "<title>T</title>" in html
    assert ">one</div>" in html
    assert "<tr><td>two</td></tr>" in html


def test_a_site_stays_a_site() -> None:
    site = Site("first_name", "friend", Escape.TEXT)
    whole = compiled('<mj-text>{{ slot("body") }}</mj-text>')
    assert site in tuple(whole.fill({"title": ("",), "body": (site,)}))


@pytest.mark.parametrize(
    "content",
    [
        "<b>a</b>\n<i>b</i>",
        'alt="❤️ say &quot;hi&quot;\nnb\u00a0sp مُ 👩‍👩‍👧"',
        "1 < 2 unclosed <p> @click <script>",
        "<div>" * 2000,
        "{{ first_name }} {% if x %} %recipient.x% *|FNAME|*",
        "zq0123456789abx00z",
    ],
)
def test_promise_11_content_never_passes_the_compiler(content: str) -> None:
    whole = compiled('<mj-text>{{ slot("body") }}</mj-text>')
    assert content in tuple(whole.fill({"title": ("",), "body": (content,)}))


def test_content_that_names_a_slot_is_not_filled_again() -> None:
    whole = compiled('<mj-raw>{{ slot("rows") }}</mj-raw>')
    again = skeleton(env(a_mjml=letter('<mj-raw>{{ slot("rows") }}</mj-raw>')), "a.mjml")
    assert whole == again
    html = fill(tuple(whole.fill({"title": ("rows",), "rows": ("title rows",)})), {})
    assert html.count("title rows") == 1


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("\n\n<mj-accordion></mj-accordion>", r"a\.mjml:3: <mj-accordion> is not a component"),
        ('\n<mj-text onclick="x">t</mj-text>', r'a\.mjml:2: <mj-text> has no attribute "onclick"'),
        ('<mj-text\n{# why #}\npadding="0 24px">t</mj-text>', r"a\.mjml:1: .*bare 0"),
        ('<mj-image src="https://e.example/a.png" width="10px" />', r'<mj-image> needs "alt"'),
        ('<mj-image src="https://e.example/a.png" alt="" />', r'<mj-image> needs "width"'),
        ("{% if true %}\n{% endif %}\n<mj-include path='x' />", r"a\.mjml:3: <mj-include>"),
    ],
)
def test_promise_11_what_the_compiler_would_take_silently_is_refused_by_line(source: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        compiled(source)


def test_a_parent_is_checked_too() -> None:
    base = letter("<mj-hero></mj-hero>{% block b %}{% endblock %}")
    with pytest.raises(SettingsError, match=r"base\.mjml:1: <mj-hero>"):
        skeleton(env(base_mjml=base, a_mjml='{% extends "base.mjml" %}'), "a.mjml")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (letter("<mj-raw><p></mj-raw>"), "not MJML the compiler can read"),
        (letter("<mj-text>{{ nothing }}</mj-text>"), "'nothing' is undefined"),
        (letter("<mj-text>{{ slot( }}</mj-text>"), r"a\.mjml:1"),
        ('{% extends "gone.mjml" %}', 'no template "gone.mjml"'),
        (letter("", HEAD.replace("</mj-head>", '<!-- {{ slot("late") }} --></mj-head>')), '"late" .* was lost'),
    ],
)
def test_a_template_that_cannot_be_used_says_why(source: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        skeleton(env(a_mjml=source), "a.mjml")


def test_a_missing_template_is_named() -> None:
    with pytest.raises(SettingsError, match=r'no template "b\.mjml"'):
        skeleton(env(a_mjml=""), "b.mjml")


def test_a_slot_nobody_fills_is_named_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match='"boddy", which does not exist') as refusal:
        compiled('<mj-text>{{ slot("boddy") }}</mj-text>').fill({"title": (), "body": ()})
    assert "body, title" in refusal.value.todo


def test_a_template_cannot_leave_out_what_is_needed() -> None:
    with pytest.raises(SettingsError, match="no place for: footer"):
        compiled("<mj-text>x</mj-text>").fill({"title": (), "footer": ()}, needed=frozenset({"footer"}))


def test_promise_7_the_compiler_adds_no_fonts_of_others() -> None:
    source = letter('<mj-text font-family="Roboto">x</mj-text><mj-text>y</mj-text>')
    html = fill(tuple(skeleton(env(a_mjml=source), "a.mjml").fill({"title": ("",)})), {})
    assert "googleapis" not in html
    assert "@import" not in html


def test_the_preview_of_the_compiler_with_its_white_letters_is_replaced() -> None:
    head = '<mj-head><mj-preview>{{ slot("title") }}</mj-preview></mj-head>'
    html = fill(tuple(skeleton(env(a_mjml=letter("", head)), "a.mjml").fill({"title": ("<i>mine</i>",)})), {})
    assert "#ffffff" not in html
    assert "><i>mine</i><div" in html


def test_every_built_in_template_passes_the_check() -> None:
    for path in templates.builtin().glob("email/*.mjml"):
        mjml.check(path.read_text("utf-8"), path.name)
    looks = theme.load("letter", None)
    for name in ("email/letter.mjml", "email/notice.mjml"):
        assert skeleton(templates.environment(None), name, lang="en", dir="ltr", theme=looks).parts
