"""The contact footer of a letter: found from the end, read as facts, taken out of the text.

It belongs to the publication (`footer` in newsletter.yml), not to an issue. The scan stops at a call to
action: its address often stands directly on top of the footer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.content.graphemes import EMOJI
from newsletter.content.importers import links, signs
from newsletter.content.importers.report import Contact
from newsletter.content.importers.stream import Kind, Piece

_PHONE = re.compile(r"(?<![\w/-])(?:\+|00)?\(?\d[\d()./\u2011\u2013 -]{6,18}\d(?![\w/-])")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SITE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?:/[^\s|·•<>]*)?(?![\w@])", re.IGNORECASE
)
_SOCIAL = re.compile(
    r"(?:instagram|facebook|linkedin|twitter|youtube|tiktok|threads|pinterest|x)\.(?:com|net)\b|(?<!\w)@\w{3,}",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:phone|tel(?:efon|éfono|éphone|ephone|efone)?|telefax|fax|mobile?|mobil|cell|móvil|call(?: us)?|"
    r"text|whatsapp|e-?mails?|correo|"
    r"courriel|mail|web(?:site|seite)?|site|sitio|url|address|adresse|anschrift|dirección|office|"
    r"visit(?: us)?|find us|write(?: to)?(?: us)?|"
    r"contact(?: us)?|kontakt|contacto|follow(?: us)?|instagram|facebook|linkedin|twitter|youtube|t|e|w|m|"
    r"p|f|טלפון|אימייל|דוא\"ל|אתר|"
    r"כתובת|هاتف|الهاتف|بريد|البريد|البريد الإلكتروني|الموقع|العنوان|"
    r"電話|电话|メール|邮箱|網站|网站|网址|住所|地址|on|at|us|or|and|&)",
    re.IGNORECASE,
)
_KEYED = re.compile(r"(?P<key>[^:：@/\d]{1,30})[:：]\s*\S")
_STREET = re.compile(
    r"(?i:\b(?:street|st|ave|avenue|road|rd|blvd|boulevard|lane|ln|drive|dr|suite|ste|way|court|ct|plaza|"
    r"square|sq|floor|"
    r"highway|hwy|parkway|pkwy|terrace|place|pl|p\.?\s?o\.?\s?box|postfach|apartado|rue|calle|avenida|av|"
    r"via|piazza|rua|"
    r"paseo|carrer|avda|quai|cours|allée|chemin|laan|straat|broadway)\b)|(?i:\w*(?:straße|strasse|str\.|"
    r"weg|gasse|platz|allee|ufer|damm|straat)\b)|"
    r"\bרחוב\b|רח'|شارع|丁目|番地|路|街道|大街"
)
_POSTAL = re.compile(
    r"\b[A-Z]{2}\s+\d{5}(?:-\d{4})?\b|\b(?:[A-Z]{1,2}-)?\d{5}\s+[A-ZÄÖÜÉ]\w|\b\d{4}\s+[A-ZÄÖÜ][a-zäöü]+|"
    r"\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b|\b[A-Z]\d[A-Z]\s?\d[A-Z]\d\b|〒\s?\d{3}-\d{4}\b|,\s*[A-Z]{2}\s*$"
)
_LEGAL = re.compile(
    r"unsubscribe|update (?:your )?(?:subscription )?preferences|manage (?:your )?(?:subscription|"
    r"preferences)|copyright|©|\(c\) ?\d{4}|"
    r"all rights reserved|you(?:'|’)?(?:re| are) (?:receiving|getting) this|you received this|"
    r"our mailing address|add us to your address book|"
    r"why did i get this|view (?:this )?(?:email )?in (?:your )?browser|opt[ -]?out|abmelden|abbestellen|"
    r"alle rechte vorbehalten|sie erhalten diese|"
    r"darse de baja|cancelar (?:la )?suscripci[oó]n|todos los derechos|se d[ée]sabonner|se désinscrire|tous droits|"
    r"הסרה|להסרה|כל הזכויות|إلغاء الاشتراك|جميع الحقوق|退订|取消订阅|配信停止|impressum|datenschutz|privacy policy|"
    r"terms of service|"
    r"forward to a friend|\*\|[A-Z_:]+\|\*",
    re.IGNORECASE,
)
_CALL = re.compile(
    r"\b(?:download|register|rsvp|book|sign up|join|reserve|apply|anmelden|herunterladen|inscr\w+|"
    r"descarg\w+|réserve\w*|télécharge\w*)\b",
    re.IGNORECASE,
)

FEW_WORDS = 4
MOST_NAME = 8
REACH = 30
LONGEST = 300  # characters of a line


def take(pieces: Sequence[Piece], marked: Sequence[str] = ()) -> tuple[tuple[Piece, ...], Contact]:
    """Part the footer from the text.

    In: the stream, and lines that the format itself marks as a footer. Out: the stream without it, and
    the facts; an empty `Contact` when there is no footer.
    """
    start = _start(pieces)
    lines = [line for piece in pieces[start:] for line in piece.text.split("\n") if line.strip()]
    whole = tuple(dict.fromkeys([*lines, *(line for line in marked if line.strip())]))
    facts = read(whole)
    if start < len(pieces) and not facts.facts and not any(_LEGAL.search(line) for line in lines):
        return tuple(pieces), read(tuple(marked))
    kept = list(pieces[:start])
    while start < len(pieces) and kept and kept[-1].kind is Kind.RULE:
        kept.pop()
    return tuple(kept), facts


def _start(pieces: Sequence[Piece]) -> int:
    """Where the footer begins; the number of pieces when there is none."""
    start = len(pieces)
    waiting = 0  # lines that count only when a contact line stands above them
    for at in range(len(pieces) - 1, max(len(pieces) - REACH, 0), -1):
        piece = pieces[at]
        if piece.kind is Kind.RULE:
            continue
        lines = [line for line in piece.text.split("\n") if line.strip()]
        if piece.kind not in {Kind.TEXT, Kind.ITEM, Kind.TABLE} or (piece.kind is Kind.ITEM and piece.ordered):
            break
        if not lines or _is_call(pieces, at):
            break
        if all(is_contact(line) for line in lines):
            start, waiting = at, 0
        elif all(_is_name(line) for line in lines) and waiting < 2 and start < len(pieces):  # noqa: PLR2004
            waiting += 1
        else:
            break
    return start


def _is_call(pieces: Sequence[Piece], at: int) -> bool:
    """Whether a line calls to something: it ends the scan."""
    text = pieces[at].text
    emoji, rest = signs.lead(text)
    if signs.is_arrow(emoji) or (_CALL.search(rest) and signs.has_url(rest)):
        return True
    before = pieces[at - 1].text if at else ""
    return signs.is_url(rest) and (signs.opens_list(before) or signs.is_arrow(signs.lead(before)[0]))


def _is_name(line: str) -> bool:
    """A line that may stand between contact lines: the name of the practice, say."""
    return signs.words(line) <= MOST_NAME and not signs.ended(line) and not signs.opens_list(line)


def is_contact(line: str) -> bool:
    """Whether a line tells how to reach someone, or is what the law puts under a mail."""
    if len(line) > LONGEST:
        return False
    emoji, rest = signs.lead(line.strip())
    if signs.is_arrow(emoji):
        return False
    if _LEGAL.search(line):
        most = 45
        return signs.words(line) <= most
    keyed = _KEYED.match(rest)
    if (
        keyed
        and not _LABEL.fullmatch(keyed["key"].strip())
        and not signs.is_contact_sign(emoji)
        and not _MAIL.search(rest)
    ):
        return False
    if is_address(rest):
        return True
    signature = line.strip() == "--"  # RFC 3676, 4.3
    return signature or _only_facts(rest, signed=signs.is_contact_sign(emoji))


def is_address(line: str) -> bool:
    """A postal address, or the part of one that has the street or the code."""
    most = 14
    if signs.words(line) > most or (signs.ended(line) and not re.search(r"\b(?:St|Ave|Rd|Str)\.$", line)):
        return False
    street = _STREET.search(line) and re.search(r"\d", line)
    return bool(street or _POSTAL.search(line)) and not signs.is_dated(line)


def _only_facts(line: str, *, signed: bool) -> bool:
    """Whether nothing but facts and their labels stands in a line."""
    found = 0
    rest = line
    for pattern in (_MAIL, _SITE, _PHONE, _SOCIAL):
        rest, count = pattern.subn(lambda one: " " if _counts(one.group()) else one.group(), rest)
        found += count
    if signs.ended(line) and not signed and signs.words(rest) > 0:
        return False  # a sentence of the letter: "Write to me at ..."
    rest = " ".join(word for word in re.findall(r"[^\W_]+", EMOJI.sub(" ", rest)) if not _LABEL.fullmatch(word))
    few = FEW_WORDS if signed else 2
    return (found > 0 and signs.words(rest) <= few) or (
        signed and signs.words(rest) <= FEW_WORDS * 2 and not signs.ended(line)
    )


def _counts(fact: str) -> bool:
    """An address of the web counts when it is a home page; one that leads to a page is a link."""
    if "@" in fact or not re.search(r"[a-z]", fact, re.IGNORECASE):
        return True
    return bool(_SOCIAL.search(fact)) or "/" not in re.sub(r"^https?://", "", fact, flags=re.IGNORECASE).rstrip("/")


def read(lines: Sequence[str]) -> Contact:
    """The facts in the lines of a footer; the first of each kind."""
    address: list[str] = []
    phone = email = website = ""
    for line in lines:
        _, bare = signs.lead(line.strip()[:LONGEST])
        if _LEGAL.search(bare) and not is_address(re.sub(r"\*\|.*?\|\*", "", bare)):
            continue
        if is_address(_unlabelled(bare)) and not _MAIL.search(bare):
            few = 3
            address += [_address_of(bare)] if len(address) < few else []
        rest = bare
        if found := _MAIL.search(rest):
            email = email or found.group().rstrip(".")
        rest = _MAIL.sub(" ", rest)
        if not is_address(_unlabelled(bare)) and (call := _PHONE.search(rest)):
            phone = phone or call.group().strip()
        site = next((one.group() for one in _SITE.finditer(rest) if not _SOCIAL.search(one.group())), "")
        website = website or site.rstrip(".,")
    return Contact(", ".join(part for part in address if part), phone, email, website, tuple(lines))


def _address_of(line: str) -> str:
    """The part of a line that is the address: others may stand beside it."""
    parts = [part.strip() for part in re.split(r"\s[|·•]\s", _unlabelled(line))]
    return ", ".join(part for part in parts if is_address(part)) or parts[0]


def _unlabelled(line: str) -> str:
    keyed = re.match(r"(?P<key>[^:：\d]{1,30})[:：]\s*", line)
    return line[keyed.end() :] if keyed and _LABEL.fullmatch(keyed["key"].strip()) else line


def website(contact: Contact) -> str:
    """The home page as a whole address."""
    return links.web(contact.website) if contact.website else ""
