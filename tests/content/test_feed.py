"""The letters as an Atom feed: read back by another parser, with nothing lost and nothing added."""

from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

from newsletter.content import feed

NAMES = {"a": "http://www.w3.org/2005/Atom"}
AT = datetime(2026, 12, 1, 9, 30, tzinfo=timezone(timedelta(hours=-8)))
PAGE = """<!doctype html>
<html lang="es"><head><title>t</title>
<meta name="description" content="Sobre la marea &amp; el &quot;puerto&quot;">
<link rel="canonical" href="https://old.harbour.test/archive/low-water">
</head><body><header><p>masthead</p></header><main><article>
<h1>Low <em>water</em> &amp; 🌊</h1>
<p>The boats &lt;lie&gt; on their sides.</p>
</article></main><footer>footer</footer></body></html>"""
URL = "https://letters.harbour.test/archive/low-water"


def written(*entries: feed.Entry) -> ET.Element:
    body = feed.atom(
        "Harbour & Sons", entries, address="https://x.test/feed.xml", site="https://x.test/archive/", lang="en"
    )
    return ET.fromstring(body)


def test_an_entry_is_what_the_page_says():
    root = written(feed.entry(PAGE, url=URL, at=AT))
    (entry,) = root.findall("a:entry", NAMES)
    said = {name: entry.findtext(f"a:{name}", namespaces=NAMES) for name in ("title", "summary", "updated", "id")}
    assert said == {
        "title": "Low water & 🌊",
        "summary": 'Sobre la marea & el "puerto"',
        "updated": "2026-12-01T17:30:00Z",
        "id": "https://old.harbour.test/archive/low-water",  # stays when the site moves, or readers see it as new
    }
    assert entry.find("a:link", NAMES).get("href") == URL
    assert entry.get("{http://www.w3.org/XML/1998/namespace}lang") == "es"
    content = entry.find("a:content", NAMES)
    assert (content.get("type"), content.text) == ("html", "<p>The boats &lt;lie&gt; on their sides.</p>")


def test_the_feed_says_who_and_where_and_when():
    newer = feed.Entry("urn:b", URL, "B", AT + timedelta(days=7), "", "", "")
    root = written(newer, feed.Entry("urn:a", URL, "A", AT, "", "", ""))
    assert root.findtext("a:title", namespaces=NAMES) == "Harbour & Sons"
    assert root.findtext("a:author/a:name", namespaces=NAMES) == "Harbour & Sons"
    assert root.findtext("a:updated", namespaces=NAMES) == "2026-12-08T17:30:00Z"
    assert {one.get("rel"): one.get("href") for one in root.findall("a:link", NAMES)} == {
        "self": "https://x.test/feed.xml",
        "alternate": "https://x.test/archive/",
    }


def test_without_letters_it_is_a_feed_all_the_same():
    assert written().findtext("a:updated", namespaces=NAMES) == "1970-01-01T00:00:00Z"


def test_what_xml_cannot_hold_is_left_out():
    entry = feed.Entry("urn:a", URL, "A\x00B\x0b\ufffe", datetime(2026, 1, 1, tzinfo=UTC), "", "", "")
    assert written(entry).findtext("a:entry/a:title", namespaces=NAMES) == "AB"


def test_a_page_of_another_shape_is_an_entry_too():
    entry = feed.entry("<p>x</p>", url=URL, at=AT)
    assert (entry.id, entry.title, entry.content) == (URL, "", "")
