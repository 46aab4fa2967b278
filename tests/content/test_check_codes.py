"""Every code: an issue that brings it about, its level, its place, what it says, how to mend it, its page.

The sign ‸ is drawn into an example where the finding must point; it is taken out before the file is written.
Examples without it are about the whole issue, or another file.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from newsletter.content import check, library
from newsletter.content.checks.codes import TITLES
from newsletter.content.issue import Issue
from newsletter.core.email import Email, Escape, Mailbox, Site
from newsletter.core.problem import Problem
from newsletter.core.publication import Author, Footer, Magnet, Publication, Sender
from newsletter.errors import ContentError

ROOT = Path(__file__).resolve().parents[2]
PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@quiet.example")},
    footer=Footer(address="4 Mill Lane, Oakham, CA 90210", phone="555-010-0199", email="desk@quiet.example"),
    topics={"workshops": "Workshops"},
    fields={"first_name": "friend"},
    magnets={"workbook": Magnet("Workbook", "Pages.", ("magnets/w.pdf",))},
    authors={"ada": Author("Ada")},
)
SUBJECT = "subject: On rest"
PREHEADER = "preheader: What an hour without a purpose can do for a working week."
PROSE = "Words to read at ease, and then again. " * 10
ELSEWHERE = {"E222", "W224", "W225", "W227"}
"""Told by the network alone: tests/flows/test_links.py."""


@dataclass(frozen=True)
class Example:
    """Lines for the top and for the text; what is expected; what else must be so."""

    code: str
    level: str
    says: str
    fix: str
    head: str = ""
    body: str = ""
    publication: Publication = PUBLICATION
    email: Email | None = None
    raw: str = ""
    beside: str = ""  # another issue's subject


def mail(html: str = "", text: str = PROSE, *, way_out: bool = True) -> Email:
    out: tuple[str | Site, ...] = (Site("unsubscribe_url", "", Escape.LINK),) if way_out else ()
    address = PUBLICATION.footer.address
    return Email(
        Mailbox("Quiet Harbour", "a@quiet.example"),
        None,
        ("On rest",),
        (f"<html><body>{html}<p>{PROSE}</p><p>{address}</p>", *out, "</body></html>"),
        (f"{text}\n{address}\n", *out),
        (("List-Id", ("Quiet Harbour <letter.quiet.example>",)),),
    )


def error(code: str, says: str, fix: str, **more: Any) -> Example:
    return Example(code, "error", says, fix, **more)


def warning(code: str, says: str, fix: str, **more: Any) -> Example:
    return Example(code, "warning", says, fix, **more)


def note(code: str, says: str, fix: str, **more: Any) -> Example:
    return Example(code, "note", says, fix, **more)


PATIENTS = replace(PUBLICATION, readership="patients")
PORTRAIT = replace(PUBLICATION, authors={"ada": Author("Ada", image="images/ada.jpg")})
EXAMPLES = [
    error("E100", "these are other signs", "---", raw="‸—\nsubject: On rest\n---\nHello"),
    error("E100", "missing at the top", "subject: The subject", raw="‸Dear all,\n\nhello"),
    error("E101", 'a second ":"', "subject: 'Rest: a beginning'", head="subject: Rest‸: a beginning"),
    error("E101", 'begins with "*"', "title: '*Rest*'", head="title: ‸*Rest*"),
    error("E102", 'everything after " #" would be cut off ("We are" would', "'We are #1'", head="title: We are ‸#1"),
    error("E103", "begins with a tab", "two spaces for each step", head="tags:\n‸\t- a"),
    error("E104", "given twice; the first is on line 4", "Keep one of the two lines", head="title: A\n‸title: B"),
    error("E105", 'did you mean "preheader"', "preheader: A line", head="‸preheadr: A line"),
    error("E105", 'did you mean "title"', "title: A line", head="‸Title: A line"),
    error("E106", "tags must be a list", "tags: [rest, work]", head="tags: ‸rest, work"),
    error(
        "E106", 'there is no audience "workshps"; did you mean', "audience: [workshops]", head="audience: [‸workshps]"
    ),
    error("E107", "12 January", "date: 2026-12-01", head="date: ‸12/01/2026"),
    error("E107", "is not a time of day", "send_at: 09:30", head="send_at: ‸noon"),
    error("E108", "curly quotes", "title: A line", head="title: ‸“A line”"),
    error("E109", "a space is missing", "title: Rest", head="title‸:Rest"),
    error("E110", "the file's name says 2026-12-01", "date: 2026-12-01", head="date: ‸2026-12-02"),
    error("E111", "invisible character here (U+0007)", "type the word anew", head="title: A‸\x07B"),
    error("E111", "invisible character here (U+0008)", "type the word anew", body="A ‸\x08word"),
    error("E111", "turns the text around (U+202E)", "type the word anew", head="title: A ‸\u202eword"),
    error("E112", 'called "other" too', "slug: other-2", head="slug: ‸other", beside="Low water"),
    error("E200", "headings begin with ##", "## Rest", body="‸# Rest"),
    error("E210", 'no file "images/none.jpg"', "There are: heavy.png", body="![a pier](‸images/none.jpg)"),
    error("E210", "says nothing to those who cannot see it", "alt:", head="‸image: {src: images/pier.png}"),
    error(
        "E211", "a picture from another site", "Save it in images/", body="‸![a pier](https://img.other.example/a.png)"
    ),
    error("E220", "is a placeholder", "https://", body="A [link](‸TODO)."),
    error(
        "E220", 'lead to "other.example"', "https://other.example/", body="‸[a](https://bank.example@other.example/)"
    ),
    error(
        "E221",
        'the words say "www.one.example"',
        "words that name no site",
        body="See ‸[www.one.example](https://two.example/)",
    ),
    error("E223", "only your own network knows", "public address", body="See ‸[it](https://192.168.0.7/a)"),
    error("E230", "<br> is HTML", "Press Enter", body="A‸<br>line"),
    error(
        "E231", 'this "::: callout" box is never closed', "a line with just ::: after line", body="‸::: callout A\nB"
    ),
    error(
        "E232",
        "at most 4 columns",
        "two tables",
        body="‸| a | b | c | d | e |\n|---|---|---|---|---|\n| 1 | 2 | 3 | 4 | 5 |",
    ),
    error("E233", 'there is no "::: calout" box; did you mean', "::: callout", body="‸::: calout A\nB\n:::"),
    error("E240", "needs a word for readers without one", '{{ first_name, "friend" }}', body="Dear ‸{{ first_name }},"),
    error("E241", "Mailchimp's way", '{{ first_name, "friend" }}', body="Dear ‸*|FNAME|*,"),
    error("E250", 'there is no magnet "wrkbook"', "magnet: workbook", head="magnet: ‸wrkbook"),
    error("E250", 'there is no author "adda"', "author: ada", head="author: ‸adda"),
    error("E250", "gives away magnets/w.pdf, and there is no such file", "newsletter.yml", head="magnet: ‸workbook"),
    error("E250", "and there is no such file", "newsletter.yml", body="::: magnet ‸workbook\nMine.\n:::"),
    error(
        "E210",
        "the picture of Ada: there is no file",
        "authors: ada: image:",
        head="author: ‸ada",
        publication=PORTRAIT,
    ),
    error("E210", "the picture of Ada", "authors: ada: image:", body="::: author ‸ada\n:::", publication=PORTRAIT),
    error(
        "E211",
        "the picture of Ada: it comes from another site",
        "Save it in images/",
        head="author: ‸ada",
        publication=replace(PUBLICATION, authors={"ada": Author("Ada", image="https://img.other.example/ada.jpg")}),
    ),
    error("E107", "a year that cannot be meant", "date: 2026-12-01", head="date: ‸9999-12-31"),
    error("E250", 'there is no theme "leter"', "theme: letter", head="theme: ‸leter"),
    error("E300", "there is no postal address", "address: Street", publication=replace(PUBLICATION, footer=Footer())),
    error("E300", "the mail has no link to unsubscribe", "footer back", email=mail(way_out=False)),
    error("E302", "nobody would get this", "audience: [all]", head="‸audience: []"),
    error("E303", "cut it off after about 100,000", "link to it", email=mail("x" * 95_001)),
    error("E304", "16,384", "Shorten", email=mail(f"<style>.a{{color:red;{'x' * 16_400}:1}}</style>")),
    error("E304", "inside another @ rule", "inner", email=mail("<style>@media a{@media b{.c{color:red}}}</style>")),
    error("E305", "display:grid does nothing in", "templates/", email=mail('<p style="display:grid">a</p>')),
    error("E306", "the text part says", "made of the letter", email=mail(text="Hello.")),
    error("E307", 'speaks of "depression"', "quiet", head="subject: Living with ‸depression", publication=PATIENTS),
    warning("W201", "looks like a heading", "## What helps", body="‸**What helps**\n\nBreath comes first."),
    warning("W202", "look like a list", "- Breathe", body="‸• Breathe\n• Rest"),
    warning(
        "W203",
        "again under every letter",
        "footer:",
        body=f"{PROSE}\n\nWith warmth,\nAda\n‸📍 4 Mill Lane, Oakham\n📞 555-010-0199",
    ),
    warning(
        "W204",
        "goes through www.google.com",
        "https://study.example/a",
        body="‸[a](https://www.google.com/url?q=https://study.example/a&sa=D)",
    ),
    warning("W205", "written later", "delete it", body="We meet on ‸[insert date]."),
    warning("W205", '"TODO" was to be written later', "delete it", body="And then ‸TODO a line."),
    note("W206", '"Click here" does not say', "name the page", body="‸[Click here](https://study.example/a) for it."),
    warning(
        "W207",
        "read as shouting",
        "Please read this carefully before friday",
        body="‸PLEASE READ THIS CAREFULLY BEFORE FRIDAY, all of you",
    ),
    warning("W208", "turns the text around", "type the word anew", body="A ‸\u202eword"),
    warning("W210", "broken by a program", "one long line", body="‸" + "\n".join(["word " * 13 + "and"] * 4)),
    warning("W211", "before any large one", "## Small", body="‸### Small"),
    warning("W212", "look like a table", "| --- | --- |", body="‸| Day | Hours |\n| Monday | nine |"),
    warning("W213", "stands alone", "{.button}", body="‸https://study.example/a"),
    warning("W220", "not encrypted", "https://study.example", body="A [study](‸http://study.example)."),
    warning("W221", "bit.ly hides", "address of the page itself", body="‸[The study](https://bit.ly/3x)"),
    warning(
        "W222",
        "the reader's first_name",
        "out of the address",
        body='‸[Form](https://f.example/?n={{ first_name, "friend" }})',
    ),
    warning(
        "W222", 'an email address, in "who"', "Take who=... out", body="‸[Form](https://f.example/?who=a@b.example)"
    ),
    warning(
        "W223",
        '"Register" leads elsewhere',
        "what is there",
        body="[Register](https://a.example)\n\n‸[Register](https://b.example)",
    ),
    warning("W226", "the site of examples", "the real address", body="‸[The study](https://www.example.org/study)"),
    warning("W301", "the subject has 61 characters", "most important thing first", head="subject: ‸" + "a" * 61),
    warning("W302", "the preheader has 5 characters", "One sentence", head="preheader: ‸Short"),
    warning("W303", "has the same subject", "what is new", head="subject: ‸On rest", beside="'On Rest!'"),
    warning("W304", "only 2 words", "Is something missing?", raw=f"---\n‸{SUBJECT}\n{PREHEADER}\n---\n\nFew words."),
    error("E212", '"images/heavy.png" has 1.2 MB as it is sent', "JPEG", body="![a wall](‸images/heavy.png)"),
    warning("W305", "have 1.2 MB together", "Leave one out", body="![a wall](images/heavy.png)"),
    warning(
        "W306",
        "no postal code",
        "after the city",
        publication=replace(PUBLICATION, footer=Footer(address="4 Mill Lane, Oakham")),
    ),
    warning(
        "W317",
        '"footer: address" is still the sample',
        "Street and number",
        publication=replace(PUBLICATION, footer=Footer(address="1 Sample Street, Sampletown, CA 90000")),
    ),
    warning(
        "W307",
        'sounds like advertising, to filters too: "Act now"',
        "your own words",
        body="‸Act now, it is risk free.",
    ),
    warning("W308", '"guaranteed" promises', "what may help", body="Sleep is ‸guaranteed."),
    warning("W309", '"FREE" in capitals', "free", body="A ‸FREE workbook."),
    warning("W310", "3 emoji", "Keep one: 🌱", head="subject: Rest 🌱🌱‸🌱"),
    warning("W310", "made of several emoji", "simple one", head="subject: Rest ‸👩\u200d👧 days"),
    warning("W311", "a letter carries none", "on a page", body="The sheet ‸is attached."),
    warning(
        "W312",
        "24 November 2026 is a Tuesday, not a Monday",
        "Tuesday 24 November, or Monday 23",
        body="On ‸Monday, 24 November 2026",
    ),
    warning("W312", "no day of any calendar", "Look it up", body="On ‸Monday the 31 November"),
    warning("W313", '"Join us" announces 3 March 2026', "Look at the date", body="Join us on ‸3 March 2026."),
    warning("W314", '"suicide" is spoken of', "crisis_text", body="We lost one of us to ‸suicide."),
    warning("W315", 'the subject speaks of "anxiety"', "quiet", head="subject: When ‸anxiety visits"),
    warning("W315", "the name of this site", "page of your own", body="‸[A place](https://myanxietyclinic.example/)"),
    warning(
        "W316",
        "lacks 1 of the links",
        "Add them",
        head="plain: ‸issues/plain.txt",
        body="[a](https://study.example/a)",
        email=mail(),
    ),
]


def write(example: Example, folder: Path) -> tuple[Path, tuple[int, int] | None]:
    """The issue's file, and where the finding must point."""
    head = example.head.split("\n") if example.head else []
    for key, line in (("preheader:", PREHEADER), ("subject:", SUBJECT)):
        if not any(one.startswith(key) for one in head):
            head.insert(0, line)
    body = example.body if PROSE in example.body else f"{example.body}\n\n{PROSE}"
    source = example.raw or "\n".join(["---", *head, "---", "", body])
    at = source.find("‸")
    before = source[:at]
    place = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1) if at >= 0 else None
    path = folder / "issues" / "2026-12-01-on-rest.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(source.replace("‸", ""), "utf-8")
    (path.parent / "plain.txt").write_text(PROSE, "utf-8")
    if example.beside:
        (path.parent / "2025-12-02-other.md").write_text(f"---\nsubject: {example.beside}\n---\n\nA", "utf-8")
    return path, place


def found(example: Example, path: Path, folder: Path) -> tuple[Problem, ...]:
    try:
        issue: Issue = library.load(path, example.publication, folder)
    except ContentError as trouble:
        return trouble.problems
    return check.check(issue, example.publication, folder, email=example.email)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (40, 30), "white").save(folder / "pier.png")
    Image.effect_noise((1200, 1000), 90).save(folder / "heavy.png")
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.code}: {one.says}"[:60])
def test_promise_11_every_code_has_a_place_plain_words_and_a_fix(
    example: Example, tmp_path: Path, pictures: Path
) -> None:
    if "images/" in example.head + example.body:
        shutil.copytree(pictures, tmp_path / "images")
    path, place = write(example, tmp_path)
    problems = [one for one in found(example, path, tmp_path) if one.code == example.code]
    fitting = [one for one in problems if example.says in one.message]
    assert fitting, problems or "not told at all"
    one = fitting[0]
    assert one.level.value == example.level
    assert example.fix in one.fix
    assert one.fix
    if place:
        assert (one.file, one.line, one.col) == ("issues/2026-12-01-on-rest.md", *place)
        assert one.source == path.read_text("utf-8").split("\n")[place[0] - 1]
    assert not re.search(r"\b(?:YAML|parser|token|scalar|mapping|regex|None)\b", f"{one.message} {one.fix}")


def raised() -> set[str]:
    """Every code that the program can tell."""
    files = sorted((ROOT / "newsletter").rglob("*.py"))
    texts = [path.read_text("utf-8") for path in files if path.name != "codes.py"]
    return set(re.findall(r'"([EW][1-3]\d{2})"', "\n".join(texts)))


def test_every_code_has_an_example() -> None:
    told = {example.code for example in EXAMPLES}
    assert raised() - told - ELSEWHERE == {"E301"}  # it needs the day: test_check.py


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "errors").glob("*.md")}
    assert raised() == pages == set(TITLES)


@pytest.mark.parametrize("code", sorted(TITLES))
def test_a_page_shows_before_and_after(code: str) -> None:
    page = (ROOT / "docs" / "errors" / f"{code}.md").read_text("utf-8")
    assert page.startswith(f"# {code}: {TITLES[code]}\n")
    assert page.index("## Before") < page.index("## After")
    assert ("ignore:" in page) <= code.startswith("W")
