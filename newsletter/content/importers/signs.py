"""What a line looks like: the signs by which people who type plain text tell a heading from a greeting.

Everything here answers a question about one line of plain text, in any language the practice may meet:
by script and punctuation where possible, by short lists of words where not.
"""

from __future__ import annotations

import re
import unicodedata

from newsletter.content.graphemes import EMOJI, leading_emoji

ARROWS = "👉➡🔗⬅→➜➔👇⇒▶►⏩🖱▼▽☞"
CONTACT_SIGNS = "📍📞☎📧✉🌐📱🏢🏠📮💻📲📬🖥📠🗺"
GLYPHS = "•◦▪‣·●○■□◆◇⁃∙・▫★☆❖➤➢➣✓✔☐☑✗✘◾◽⦿⚬"
_TIGHT_GLYPHS = "•◦▪‣●○■□◆◇⁃・▫➤➢➣☐☑❖"
_LOOSE = "–—*+-·o»›>✦✧→"

_END = r"[.!?…。！？؟۔।]"
_CLOSERS = "\"'”’»)\\]」』"
ENDED = re.compile(rf"{_END}[{_CLOSERS}]*$")
_INNER_END = re.compile(rf"(?:[.!?…؟۔][{_CLOSERS}]*\s+(?=[\"'“„«¿¡(]*[^\W\d_a-z])|[。！？][{_CLOSERS}]*(?=\S))")
_ABBREVIATED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nr|vs|etc|e\.g|i\.e|z\.B|d\.h|bzw|usw|Sr|Sra|Mme|Mlle|M|p\.ej|approx|Inc|Jr|"
    r"a\.m|p\.m|[A-Z])\.\s",
)
_HARD_NO = ".,;:،؛。，；：、…!！"

_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_ONLY_URL = re.compile(r"[<(]?(?:https?://|www\.)[^\s<>]+[>)]?", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

_GREETINGS = re.compile(
    r"(?:dear|hi|hello|hey|greetings|good (?:morning|afternoon|evening|day)|welcome back|howdy|"
    r"hallo|liebe|lieber|liebes|guten (?:tag|morgen|abend)|sehr geehrte[rs]?|moin|servus|grüß gott|"
    r"hola|querid[oa]s?|estimad[oa]s?|buen[oa]s (?:d[ií]as|tardes|noches)|"
    r"bonjour|bonsoir|cher|chers|ch[eè]re|ch[eè]res|salut|ciao|car[oaie]|gentil[ei]|ol[aá]|prezad[oa]s?|carissim[oi]|"
    r"beste|geachte|hej|kære|kära|שלום|היי|יקרים|חברים יקרים|لكم|مرحبا|مرحبًا|أهلا|أهلاً|عزيزي|عزيزتي|"
    r"أعزائي|السلام عليكم|"
    r"تحية طيبة|سلام|дорогие|здравствуйте|привет|уважаемые|こんにちは|皆さま|皆様|みなさん|拝啓|"
    r"親愛的|亲爱的|大家好|您好|你好|各位|尊敬的|"
    r"안녕하세요)(?=[\s,!.:，！：،]|朋友|读者|讀者|的|各|$)",
    re.IGNORECASE,
)
_SIGNOFFS = re.compile(
    r"(?:(?:with |in |my |our )?(?:warm(?:ly|est)?|kind(?:ly|est)?|best|love|gratitude|care|peace|sincerely|cheers|"
    r"yours|thanks|thank you|many thanks|take care|be well|until (?:next|then)|see you|all the best|gently|"
    r"solidarity|affection|appreciation|respectfully|cordially|blessings|regards|hugs|namaste|talk soon|stay well|"
    r"go gently|onward|faithfully|kind regards|in health|lots of love)(?:[ ,][\w’' ]{0,40})?|"
    r"(?:mit )?(?:herzlich\w*|freundlich\w*|lieb\w*|best\w*|viele|schön\w*) (?:grüße\w*|grüßen|gruß)[\w’ ]{0,20}|"
    r"herzlichst?|alles liebe|bis (?:bald|dahin|zum nächsten mal)|ihre?|eure?|"
    r"(?:un |muchos )?(?:abrazo|abrazos|saludos?|cariño)[\wáéíóúñ ]{0,30}|con (?:cariño|afecto|gratitud|cuidado)|"
    r"atentamente|hasta (?:pronto|la próxima)|"
    r"cordialement|bien (?:à vous|cordialement|à toi)|amicalement|(?:à|a) bientôt|chaleureusement|avec [\wéèê ]{3,30}|"
    r"bises|belle semaine|cordiali saluti|un abbraccio|a presto|con affetto|um abraço|abraços|atenciosamente|"
    r"met vriendelijke groet\w*|hartelijke groet\w*|groetjes|"
    r"בברכה|באהבה|בחום|שלכם|להתראות|מחברכם|מع|مع تحياتي|مع أطيب التحيات|تحياتي|بكل الود|مع المحبة|"
    r"مع خالص التقدير|بمحبة|"
    r"с уважением|с теплом|敬具|敬上|此致|祝好|謹啟|また来週|それではまた|よろしくお願いいたします)[,،，.!–—…]*",
    re.IGNORECASE,
)
_POSTSCRIPT = re.compile(r"(?:p\. ?p?\. ?s|p\.? ?p?\.? ?s|n\. ?b|pd|p\.d|ps)[.:\s–—-]", re.IGNORECASE)
_QA = re.compile(r"(?:Q|A|F|P|R|Question|Answer|Frage|Antwort|Pregunta|Respuesta|ש|ת|س|ج)\d*\s*[:：.]\s", re.IGNORECASE)
_CREDENTIALS = re.compile(
    r"(?:,\s*|\b)(?:Ph\.?D|Psy\.?D|LMFT|LCSW|LPCC?|LMHC|LICSW|MFT|M\.?S\.?W|M\.?Ed|Ed\.?D|M\.?D|R\.?N|MBACP|M\.?A|"
    r"M\.?Sc|B\.?A|NCC|RYT|CADC|Dipl\.?(?:-Psych)?\.?|Heilpraktiker(?:in)?|Psychotherapeut(?:in)?)\b"
)
_TITLED = re.compile(r"(?:Dr|Prof|Mag|Dipl)\.\s(?:\w+\.?\s){0,2}[A-ZÄÖÜ]\w+")
_MONTH = (
    r"jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|février|mar(?:ch|s|zo)?|märz|apr(?:il)?|abril|avril|may|mai|mayo|"
    r"jun[ei]?|juin|junio|jul[yi]?|juillet|julio|aug(?:ust)?|août|agosto|sep(?:t(?:ember|embre|iembre)?)?|"
    r"o[ck]t(?:ober|obre|ubre)?|nov(?:ember|embre|iembre)?|de[cz](?:ember)?|décembre|diciembre|enero|febrero"
)
_DAY = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?|montag|"
    r"dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lunes|martes|miércoles|jueves|viernes|sábado|domingo|lundi|"
    r"mardi|mercredi|jeudi|vendredi|samedi|dimanche"
)
_DATE = re.compile(
    rf"(?:(?:{_DAY})\b\.?,?\s*)?(?:(?:den|le|el)\s+)?(?:"
    rf"\d{{1,2}}(?:st|nd|rd|th|er)?\.?\s*(?:de\s+)?(?:{_MONTH})\b\.?(?:,?\s*(?:de\s+)?\d{{4}})?"
    rf"|(?:{_MONTH})\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s*\d{{4}})?"
    rf"|(?:{_MONTH})\b\.?\s+(?:de\s+)?\d{{4}}"
    r"|\d{4}[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}年\d{1,2}月"
    r")(?P<rest>.*)",
    re.IGNORECASE,
)
_ISSUE_NUMBER = re.compile(
    r"(?:[\w’' ]{0,40}[|·•–—,-]\s*)?(?:issue|no|nr|vol(?:ume)?|number|edition|ausgabe|número|numéro|n[°º]|"
    r"גיליון|العدد|第)"
    r"\.?\s*#?\s*\d+.*",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r".*\b(?:view (?:this|it|in)\b.*\b(?:browser|online|web)|(?:read|open|view|see) (?:it |"
    r"this )?(?:\w+ )?(?:online|in (?:your|a|the) browser)|"
    r"(?:trouble|problems?) (?:viewing|reading|seeing) this|im browser (?:an(?:sehen|zeigen)|öffnen|lesen)|"
    r"online(?:version|-version| ansehen)|webversion|"
    r"ver (?:este correo )?en (?:el|tu|su) navegador|(?:voir|afficher|lire) (?:cet? \w+ )?(?:dans (?:le|"
    r"votre) navigateur|en ligne)|"
    r"forward (?:this )?to a friend|no images\?)\b.*",
    re.IGNORECASE,
)
_SMALL_WORDS = (
    "a an and as at but by for from if in into is it nor of off on onto or our over per so than that the "
    "their to up via vs with without your you be are was not de la el los las y en un una del con por "
    "para le les des du et à au aux une sur der die das und im zu mit von für den dem ein eine einer am "
    "auf"
)
_SMALL = frozenset(_SMALL_WORDS.split())
_KEY_VALUE = re.compile(r"(?P<key>[^:：.!?]{1,40})[:：]\s*(?P<value>\S.*)")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_NOT_A_LEAD = re.compile(
    r"(?:these|this|those|that|they|all of|each of|none of|together|and|but|so|yet|remember|again|"
    r"over time|if you|notice|"
    r"diese|dieser|dies|das|sie|so|aber|und|alle|estas|estos|esto|esas|eso|ese|pero|todo|ces|cela|cette|ce|mais|tout|"
    r"c’est|c'est)\b",
    re.IGNORECASE,
)

MOST_WORDS = 12
SHORT_WORDS = 9
LONGEST = 200  # characters of a heading


def words(text: str) -> int:
    """How many words; two letters of a script without blanks count as one."""
    cjk = len(_CJK.findall(text))
    rest = _CJK.sub(" ", text)
    return len(re.findall(r"[^\W_]+(?:[’'\-][^\W_]+)*", rest)) + (cjk + 1) // 2


def sentences(text: str) -> int:
    """How many sentences, as far as punctuation tells."""
    bare = _ABBREVIATED.sub(lambda found: found.group().replace(".", ""), text.strip())
    return 1 + len(_INNER_END.findall(bare))


def ended(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return bool(ENDED.search(text.rstrip()))


def ending(text: str) -> str:
    """The class of an ending: `?`, `.` or nothing."""
    bare = text.rstrip().rstrip("\"'”’»)」』")
    if bare.endswith(("?", "？", "؟")):
        return "?"
    return "." if bare.endswith((".", "!", "。", "！", "…", "۔")) else ""


def opens_list(text: str) -> bool:
    """Whether a line ends with a colon, so that something is to follow."""
    return text.rstrip().rstrip("*_").endswith((":", "："))


def is_url(text: str) -> bool:
    """Whether a line is an address of the web and nothing else."""
    return bool(_ONLY_URL.fullmatch(text.strip()))


def has_url(text: str) -> bool:
    """Whether an address of the web stands in a line."""
    return bool(_URL.search(text))


def is_cjk(text: str) -> bool:
    """Whether signs of Chinese, Japanese or Korean stand in a line."""
    return bool(_CJK.search(text))


def has_email(text: str) -> bool:
    """Whether an email address stands in a line."""
    return bool(_EMAIL.search(text))


def is_greeting(text: str) -> bool:
    """`Dear readers,`: the beginning of a letter."""
    _, bare = leading_emoji(text.strip())
    most = 8
    return (
        bool(_GREETINGS.match(bare))
        and words(bare) <= most
        and (
            bare.rstrip()[-1:] in ",，،!！:：" or words(bare) <= 5  # noqa: PLR2004
        )
    )


def is_signoff(text: str) -> bool:
    """`With warmth,`: the end of a letter."""
    if len(text) > LONGEST:
        return False
    bare = EMOJI.sub("", text).strip()
    most = 7
    return bool(_SIGNOFFS.fullmatch(bare)) and words(bare) <= most


def is_postscript(text: str) -> bool:
    """`P.S.` and its like."""
    return bool(_POSTSCRIPT.match(text.strip() + " ")) and text.strip()[:2].upper() in {
        "P.",
        "PS",
        "PP",
        "P ",
        "N.",
        "NB",
        "PD",
    }


def is_dated(text: str) -> bool:
    """A line that is a date, with a time or a place at most."""
    found = _DATE.fullmatch(EMOJI.sub("", text).strip())
    few = 5
    return bool(found) and words(found["rest"]) <= few if found else False


def is_number_of_issue(text: str) -> bool:
    """`Issue 12 | March`."""
    most = 8
    return bool(_ISSUE_NUMBER.fullmatch(text.strip())) and words(text) <= most


def is_boilerplate(text: str) -> bool:
    """`View in browser`: no part of the letter."""
    most = 16
    return bool(_BOILERPLATE.fullmatch(text.strip())) and words(_URL.sub("", text)) <= most


def is_person(text: str) -> bool:
    """A name with a degree."""
    most = 9
    return words(text) <= most and not ended(text) and bool(_CREDENTIALS.search(text) or _TITLED.match(text))


def is_dialogue(text: str) -> bool:
    """`Q: ...`, `A: ...`."""
    return bool(_QA.match(text.strip()))


def key_value(text: str) -> bool:
    """`When: Tuesday`: a fact with its name, the name short."""
    found = _KEY_VALUE.fullmatch(text.strip())
    most = 4
    return bool(found) and words(found["key"]) <= most if found else False


def is_attribution(text: str) -> bool:
    """`— Lena Okafor`: a dash and a name."""
    found = re.fullmatch(r"(?:—|–|--|―|-)\s*(?P<name>\S.{0,80})", text.strip())
    most = 10
    return bool(found) and words(found["name"]) <= most and not ended(found["name"].rstrip(".")) if found else False


def is_hashtags(text: str) -> bool:
    """`#rest #care`."""
    return bool(re.fullmatch(r"(?:#[^\s#]+[\s,]*)+", text.strip()))


_PAIRS = {"“": "”", "„": "“”", "«": "»", "»": "«", '"': '"', "「": "」", "『": "』", "”": "”"}


def is_quoted(text: str) -> bool:
    """Whether a text stands in quotation marks as a whole."""
    bare = text.strip()
    few = 12
    if len(bare) < few or bare[0] not in _PAIRS:
        return False
    closing = bare.rstrip(".,")[-1]
    inner = bare[1:].rstrip(".,")[:-1]
    return closing in _PAIRS[bare[0]] and not any(sign in inner for sign in (bare[0], *_PAIRS[bare[0]]))


def is_capitals(text: str) -> bool:
    """Written in capitals, and no code or number."""
    letters = [ch for ch in text if ch.isalpha()]
    cased = [ch for ch in letters if ch.isupper() or ch.islower()]
    few, digits = 4, 4
    return (
        len(cased) >= few
        and len(cased) >= len(letters) - 1
        and all(ch.isupper() or ch == "ß" for ch in cased)
        and sum(ch.isdigit() for ch in text) < digits
    )


def is_title_case(text: str) -> bool:
    """Every word that matters begins with a capital, and there are at least two."""
    found = re.findall(r"[^\W\d_][\w’'\-]*", text)
    great = [word for word in found if word.lower() not in _SMALL]
    few = 2
    return len(great) >= few and bool(found) and found[0][0].isupper() and all(word[0].isupper() for word in great)


def is_cased(text: str) -> bool:
    """Whether the script knows capitals."""
    return any(ch.isupper() or ch.islower() for ch in text)


def refers_back(text: str) -> bool:
    """Whether a sentence begins as one that sums up what stood before it."""
    return bool(_NOT_A_LEAD.match(text.strip()))


def lead(text: str) -> tuple[str, str]:
    """The emoji a line begins with (arrows and text-style signs too) and the rest."""
    emoji, rest = leading_emoji(text)
    if emoji:
        return emoji, rest
    found = re.match(rf"[{ARROWS}{CONTACT_SIGNS}]\ufe0f?[ \u00a0]*", text)
    return (found.group().strip(), text[found.end() :]) if found else ("", text)


def is_arrow(emoji: str) -> bool:
    """Whether leading signs point at something to do."""
    return bool(emoji) and emoji[0] in ARROWS


def is_contact_sign(emoji: str) -> bool:
    """Whether leading signs name a way to reach someone."""
    return bool(emoji) and emoji[0] in CONTACT_SIGNS


def heading_shape(text: str) -> bool:
    """Short, one sentence at most, and no punctuation of a sentence at its end."""
    bare = text.strip().strip("*_")
    return (
        len(bare) <= LONGEST
        and 0 < words(bare) <= MOST_WORDS
        and sentences(bare) == 1
        and bare[-1:] not in _HARD_NO
        and not has_url(bare)
        and not has_email(bare)
    )


def never_heading(text: str) -> bool:
    """What is never a heading, however it looks."""
    if len(text) > LONGEST:
        return True
    bare = text.strip().strip("*_").strip()
    return (
        not any(ch.isalpha() for ch in bare)
        or is_greeting(bare)
        or is_signoff(bare)
        or is_person(bare)
        or is_dated(bare)
        or is_postscript(bare)
        or is_dialogue(bare)
        or is_attribution(bare)
        or is_quoted(bare)
        or is_hashtags(bare)
        or is_boilerplate(bare)
    )


# --- markers of items -------------------------------------------------------------------------------------

_KEYCAP = re.compile("(?P<n>[0-9])\ufe0f?\u20e3\\s*|(?P<ten>🔟)\\s*")
_CIRCLED = re.compile(r"(?P<sign>[①-⑳])\s*")
_NUMBERED = re.compile(
    r"(?P<open>\()?(?P<n>\d{1,3})(?P<mark>[.)、．]|\.\))(?P<blank>\s+|(?=[^\d\s.,)]))(?P<rest>.*)", re.DOTALL
)
_LETTERED = re.compile(r"(?P<open>\()?(?P<n>[a-zA-Z])(?P<mark>\))\s+")
_KANJI = re.compile(r"[（(]?(?P<n>[一二三四五六七八九十]{1,2})[、.)）．]\s*")


def number_of(text: str) -> tuple[int, str, int]:  # noqa: PLR0911  one for each way of counting
    """A number that counts items: the number, the style of counting, and how long the marker is (0: none)."""
    if found := _KEYCAP.match(text):
        return (10 if found["ten"] else int(found["n"])), "keycap", found.end()
    if found := _CIRCLED.match(text):
        return ord(found["sign"]) - ord("①") + 1, "circled", found.end()
    if found := _NUMBERED.match(text):
        tight = not found["blank"]
        if tight and (found["n"].isascii() and found["mark"] == "." and not _CJK.match(found["rest"])):
            tight_ok = found["rest"][:1].isalpha() and found["rest"][:1].isupper()
            if not tight_ok:
                return 0, "", 0
        style = f"{found['open'] or ''}1{found['mark']}"
        return int("".join(str(unicodedata.decimal(ch)) for ch in found["n"])), style, found.start("rest")
    if found := _LETTERED.match(text):
        return ord(found["n"].lower()) - ord("a") + 1, f"{found['open'] or ''}a{found['mark']}", found.end()
    if found := _KANJI.match(text):
        return _kanji(found["n"]), "kanji", found.end()
    return 0, "", 0


def _kanji(text: str) -> int:
    digits = "一二三四五六七八九"
    ten = "十"
    if ten not in text:
        return digits.find(text) + 1 if len(text) == 1 else 0
    before, _, after = text.partition(ten)
    return 10 * (digits.find(before) + 1 if before else 1) + (digits.find(after) + 1 if after else 0)


_GLYPH = re.compile(
    rf"(?P<glyph>[{re.escape(_TIGHT_GLYPHS)}])\ufe0f?[ \t]*(?=\S)|(?P<spaced>[{re.escape(GLYPHS)}])\ufe0f?[ \t]+(?=\S)"
)
_LOOSE_MARK = re.compile(rf"(?P<glyph>[{re.escape(_LOOSE)}])(?P<blank>[ \t]+)(?=\S)")
_EMPTY_BOX = re.compile(r"\[[ xX]?\][ \t]+(?=\S)")


def bullet_of(text: str) -> tuple[str, int]:
    """A sign that makes a line an item, and how long it is with its blanks (0: none)."""
    if found := _GLYPH.match(text):
        return found["glyph"] or found["spaced"], found.end()
    if found := _LOOSE_MARK.match(text):
        return found["glyph"], found.end()
    if found := _EMPTY_BOX.match(text):
        return "[]", found.end()
    return "", 0


SURE_BULLETS = frozenset("•◦▪‣●■◆○□◇⁃・▫➤➢➣☐☑-*+❖✓✔") | {"[]"}
"""One line alone with such a sign is an item; the others want company."""
