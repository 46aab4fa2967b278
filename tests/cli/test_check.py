"""`newsletter check` from outside: what a new editor reads, what machines read, what is mended."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from PIL import Image

from newsletter.cli import findings
from newsletter.cli.program import run
from newsletter.core.problem import Level, Problem

SETTINGS = """
name: Quiet Letters
timezone: America/Los_Angeles
senders:
  us: {name: Quiet Letters, email: letters@quiet.example, reply_to: hello@quiet.example}
footer:
  address: 1 Long Road, Chino, CA 91710
fields: {first_name: friend}
magnets:
  workbook: {title: The Workbook, about: Twelve exercises., files: [magnets/workbook.pdf]}
"""
GOOD = (
    """---
subject: A quiet week
preheader: What stillness asks of people who listen for a living, in three small questions.
---

Words to read at ease, and then again. {more}

"""
    + "Nothing is asked of anybody in this letter but a little time, and even that is given back. " * 4
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A publication with one good issue."""
    for name in ("issues", "images", "magnets"):
        (tmp_path / name).mkdir()
    (tmp_path / "newsletter.yml").write_text(SETTINGS, "utf-8")
    (tmp_path / "magnets/workbook.pdf").write_bytes(b"%PDF-1.7 a small workbook")
    Image.new("RGB", (40, 30), "white").save(tmp_path / "images/candle.png")
    (tmp_path / "issues/2099-12-01-quiet.md").write_text(GOOD.format(more=""), "utf-8")
    return tmp_path


Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(folder: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    def ask(*arguments: str, online: bool = False, **environ: str) -> tuple[int, str, str]:
        code = run(["-C", str(folder), "check", *([] if online else ["--offline"]), *arguments], environ)
        said = capsys.readouterr()
        return code, said.out, said.err

    return ask


def write(folder: Path, text: str, name: str = "2099-12-08-first.md") -> Path:
    path = folder / "issues" / name
    path.write_text(text, "utf-8")
    return path


# --- a new editor ----------------------------------------------------------------------------------------

FIRST_ISSUE = """---
subject: December: what it asks of us
preheader: “A small word about the year that ends, and what it leaves behind.”
date: 12/08/2099
tags: rest, winter
draf: true
magnet: workbok
---

# Welcome

Dear {{ first_name }},

Here is ![](images/candle.png) a candle, and [the study](www.study-of-rest.org/december) of it.

Nothing is asked of anybody in this letter but a little time, and even that is given back in the end. We meet as we are,
and go as we came, with one thing less to carry. The rest is told in the workbook, which is yours to keep.
"""

WHAT_IT_READS = """\
issues/2099-12-08-first.md:2:18: E101 error: this line has a second ":" so it needs quotes
    2 | subject: December: what it asks of us
      |                  ^
  fix (auto): subject: 'December: what it asks of us'
issues/2099-12-08-first.md:3:12: E108 error: curly quotes around a value would be printed as part of it
    3 | preheader: “A small word about the year that ends, and what it leaves behind.”
      |            ^
  fix (auto): preheader: A small word about the year that ends, and what it leaves behind.   (or, when the marks are\
 meant: preheader: '“A small word about the year that ends, and what it leaves behind.”')
issues/2099-12-08-first.md:4:7: E107 error: "12/08/2099" is not a date that can be read in one way only (8 December or\
 12 August?)
    4 | date: 12/08/2099
      |       ^
  fix (auto): date: 2099-12-08   (as in the file's name)
issues/2099-12-08-first.md:5:7: E106 error: tags must be a list
    5 | tags: rest, winter
      |       ^
  fix (auto): tags: [rest, winter]
issues/2099-12-08-first.md:6:1: E105 error: "draf" is not a name that an issue knows; did you mean "draft"?
    6 | draf: true
      | ^
  fix: draft: true
issues/2099-12-08-first.md:7:9: E250 error: there is no magnet "workbok" in newsletter.yml
    7 | magnet: workbok
      |         ^
  fix: magnet: workbook
issues/2099-12-08-first.md:10:1: E200 error: the title of the letter is its subject; headings begin with ##
   10 | # Welcome
      | ^
  fix: ## Welcome
issues/2099-12-08-first.md:12:6: E240 error: {{ first_name }} needs a word for readers without one
   12 | Dear {{ first_name }},
      |      ^
  fix (auto): {{ first_name, "friend" }}
issues/2099-12-08-first.md:14:9: E210 error: this picture says nothing to those who cannot see it
   14 | Here is ![](images/candle.png) a candle, and [the study](www.study-of-rest.org/december) of it.
      |         ^
  fix: ![What the picture shows](images/candle.png)   (or ![](images/candle.png){.decorative} for decoration)
issues/2099-12-08-first.md:14:58: E220 error: this link needs https:// before it
   14 | Here is ![](images/candle.png) a candle, and [the study](www.study-of-rest.org/december) of it.
      |                                                          ^
  fix: https://www.study-of-rest.org/december
10 things to fix before Tuesday 8 December, 0 warnings.
"""


def test_promise_11_ten_mistakes_of_a_new_editor_can_be_mended_by_what_is_said(folder: Path, check: Check) -> None:
    write(folder, FIRST_ISSUE)
    assert check("first") == (1, WHAT_IT_READS, "")


def test_following_what_is_said_mends_it_all(folder: Path, check: Check) -> None:
    """Every line under `fix` is copied as it stands, as an editor would."""
    path = write(folder, FIRST_ISSUE)
    lines = FIRST_ISSUE.split("\n")
    for number, fix in re.findall(
        r":(\d+):\d+: E\d+ error.*?\n(?: +\d* \|.*\n)+  fix(?: \(auto\))?: (.*)", WHAT_IT_READS
    ):
        at, said = int(number) - 1, fix.split("   (")[0]
        if said.startswith("{{"):
            lines[at] = lines[at].replace("{{ first_name }}", said)
        elif said.startswith("!["):
            lines[at] = lines[at].replace("![](images/candle.png)", said)
        elif said.startswith("https:"):
            lines[at] = lines[at].replace("www.study-of-rest.org/december", said)
        else:
            lines[at] = said
    path.write_text("\n".join(lines), "utf-8")
    code, out, _ = check("first")
    assert (code, re.findall(r"E\d\d\d", out)) == (0, [])


def test_fix_makes_what_is_certain_and_says_which(folder: Path, check: Check) -> None:
    path = write(folder, FIRST_ISSUE)
    before = (folder / "issues/2099-12-01-quiet.md").read_bytes()
    code, out, _ = check("--fix", "first")
    assert code == 1
    assert out.startswith(
        "issues/2099-12-08-first.md:2: mended E101\n"
        "  - subject: December: what it asks of us\n"
        "  + subject: 'December: what it asks of us'\n"
    )
    assert re.findall(r"^issues/\S+: mended (E\d+)$", out, re.MULTILINE) == ["E101", "E108", "E107", "E106", "E240"]
    assert re.findall(r": (E\d+) error", out) == ["E105", "E250", "E200", "E210", "E220"]
    assert '{{ first_name, "friend" }}' in path.read_text("utf-8")
    after = path.read_bytes()
    _, again, _ = check("--fix", "first")
    assert "mended" not in again
    assert path.read_bytes() == after
    assert (folder / "issues/2099-12-01-quiet.md").read_bytes() == before


def test_fix_leaves_the_document_alone_on_stdout(folder: Path, check: Check) -> None:
    write(folder, FIRST_ISSUE)
    _, out, err = check("--fix", "--format", "json", "first")
    assert [one["code"] for one in json.loads(out)] == ["E105", "E250", "E200", "E210", "E220"]
    assert "mended E101" in err


def test_a_good_issue(check: Check) -> None:
    assert check() == (0, "1 issue checked: nothing to fix, 0 warnings.\n", "")


def test_all_issues_are_looked_at_whatever_is_wrong_with_one(folder: Path, check: Check) -> None:
    write(folder, "no front matter", "2099-12-02-a.md")
    write(folder, GOOD.format(more="<b>Now</b>"), "2099-12-03-b.md")
    (folder / "issues/2099-12-04-c.md").write_bytes(b"---\nsubject: \xff\n---\n")
    code, out, _ = check()
    assert code == 1
    assert {"2099-12-02-a.md", "2099-12-03-b.md", "2099-12-04-c.md"} <= set(re.findall(r"issues/([\w.-]+)", out))
    assert out.endswith("3 things to fix in 4 issues, 1 warning.\n")  # two have the same subject


def test_a_day_that_has_gone_by_is_a_note_for_an_issue_that_is_named(folder: Path, check: Check) -> None:
    write(folder, GOOD.format(more="").replace("A quiet week", "Another one"), "2020-12-01-past.md")
    code, out, _ = check("past")
    assert (code, re.findall(r"[EW]\d+ \w+", out)) == (0, ["E301 note"])
    assert "E301" not in check()[1]


# --- links -----------------------------------------------------------------------------------------------


def test_offline_says_so(folder: Path, check: Check) -> None:
    write(folder, GOOD.format(more="[a page](https://study-of-rest.org/a)").replace("A quiet", "An offline"))
    code, out, _ = check()
    assert code == 0
    assert "W225 note: 1 link was not looked at: --offline was given" in out
    assert not (folder / "var").exists()


def test_online_nobody_goes_home(folder: Path, check: Check) -> None:
    asked: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        write(folder, GOOD.format(more=f"[a page](https://127.0.0.1:{server.server_address[1]}/a)"))
        code, out, _ = check("first", online=True)
        server.shutdown()
    assert (code, asked) == (1, [])
    assert "E223 error" in out


# --- machines --------------------------------------------------------------------------------------------


def test_sarif(folder: Path, check: Check) -> None:
    path = write(folder, FIRST_ISSUE)
    code, out, _ = check("--format", "sarif", "first")
    log = json.loads(out)
    (one,) = log["runs"]
    assert (code, log["version"], one["columnKind"]) == (1, "2.1.0", "unicodeCodePoints")
    rules = one["tool"]["driver"]["rules"]
    for result in one["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[result["ruleIndex"]]["shortDescription"]["text"] != result["ruleId"]
    first = one["results"][0]
    assert first["ruleId"] == "E101"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "issues/2099-12-08-first.md"
    assert place["region"] == {"startLine": 2, "startColumn": 18}
    prints = [result["partialFingerprints"]["newsletter/v1"] for result in one["results"]]
    assert len(set(prints)) == len(prints) == 10
    path.write_text(FIRST_ISSUE.replace("# Welcome", "A line more\n\n# Welcome"), "utf-8")
    moved = json.loads(check("--format", "sarif", "first")[1])["runs"][0]["results"]
    assert [result["partialFingerprints"]["newsletter/v1"] for result in moved] == prints


def test_markdown_keeps_what_people_wrote_as_text(folder: Path, check: Check) -> None:
    write(folder, GOOD.format(more="<b>@all | `x`</b> [a](TODO)"))
    code, out, _ = check("--format", "markdown", "first")
    assert code == 1
    assert out.startswith("### Checks\n\n2 things to fix before Tuesday 8 December, ")
    rows = [line for line in out.split("\n") if line.startswith("| ❌")]
    assert rows[0].startswith("| ❌ E230 | `issues/2099-12-08-first.md:6:40` | \\<b\\> is HTML")
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)


@pytest.mark.parametrize(
    ("text", "cell"),
    [("a|b", "a\\|b"), ("@ada", "&#64;ada"), ("<b>*x*", "\\<b\\>\\*x\\*"), ("https://a", "https:&#8203;//a")],
)
def test_a_cell_is_text(text: str, cell: str) -> None:
    one = Problem("a.md", 1, 1, "W205", Level.WARNING, text, "fix")
    assert f"| {cell} |" in findings.markdown([one], "One.")


def test_github_gets_annotations_and_the_step_its_summary(folder: Path, check: Check, tmp_path: Path) -> None:
    write(folder, FIRST_ISSUE)
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", "utf-8")
    code, out, _ = check("--format", "github", "first", GITHUB_STEP_SUMMARY=str(summary))
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("::error file=issues/2099-12-08-first.md,line=2,col=18,title=E101::this line has")
    assert len(lines) == 10
    told = summary.read_text("utf-8")
    assert told.startswith("before\n### Checks\n\n10 things to fix before Tuesday 8 December, 0 warnings.\n")
    assert told.count("| ❌ ") == 10


def test_errors_stand_first_as_github_shows_only_ten(folder: Path, check: Check) -> None:
    lines = "\n\n".join(f"TODO {n}." for n in range(12))
    write(folder, GOOD.format(more=f"{lines}\n\n[a](TODO)").replace("A quiet", "A long"))
    out = check("--format", "github", "first")[1].splitlines()
    assert out[0].startswith("::error")
    assert sum(line.startswith("::warning") for line in out) == 12


def test_annotations_cannot_be_broken_out_of() -> None:
    one = Problem("a,b:c%.md", 1, 1, "W205", Level.WARNING, "50 %\n::error::x", "")
    assert findings.annotation(one) == ("::warning file=a%2Cb%3Ac%25.md,line=1,col=1,title=W205::50 %25%0A::error::x")


def test_a_summary_is_no_longer_than_github_takes(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    findings.summarise(str(path), "é" * findings.SUMMARY_MOST)
    assert path.stat().st_size == findings.SUMMARY_MOST + 1


def test_a_long_line_is_shown_around_its_place(folder: Path, check: Check) -> None:
    write(folder, GOOD.format(more="word " * 60 + "<b>x " + "word " * 60))
    out = check("first")[1]
    shown, caret = re.findall(r"^(?: +\d+ \| (…word.*)| +\| ( *\^))$", out, re.MULTILINE)[:2]
    assert len(shown[0]) <= 102
    assert shown[0][caret[1].index("^") :].startswith("<b>")


@pytest.mark.parametrize("sign", ["🌤️ ", "e\u0301 ", "字 ", "👩\u200d👧 ", "\u202e"])
def test_the_caret_stands_under_the_place_whatever_comes_before(folder: Path, check: Check, sign: str) -> None:
    write(folder, GOOD.format(more=f"\n\n{sign}TODO it"))
    out = check("first")[1]
    assert "\u202e" not in out
    cells = {"🌤️ ": 3, "e\u0301 ": 2, "字 ": 3, "👩\u200d👧 ": 3, "\u202e": 1}[sign]
    carets = [len(line) for line in re.findall(r"^ +\| ( *)\^$", out, re.MULTILINE)]
    assert cells in carets
