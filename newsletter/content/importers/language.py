"""The language of a text, by its script and its small words; empty when neither tells."""

from __future__ import annotations

import re
from collections import Counter

_SCRIPTS = (
    ("ja", "[\u3040-\u30ff]", 0.1),  # before Chinese: Japanese has its signs too
    ("ko", "[\uac00-\ud7af]", 0.3),
    ("zh", "[\u4e00-\u9fff]", 0.3),
    ("he", "[\u0590-\u05ff]", 0.5),
    ("ar", "[\u0600-\u06ff]", 0.5),
    ("ru", "[\u0400-\u04ff]", 0.5),
    ("el", "[\u0370-\u03ff]", 0.5),
)
_PERSIAN = re.compile("[پچژگ]")
_URDU = re.compile("[ٹڈڑےں]")
_SMALL = {
    "en": "the and of to is that it for you with this are not we our be have when what",
    "de": "der die das und ist nicht wir sie ein eine zu mit für auf den dem wie auch sich ich",
    "es": "el los las y que en un una por con para no es se lo como más del al su",
    "fr": "le les des et est une que pour dans pas vous nous qui sur avec ce au du plus il",
    "it": "il che di è per un una non con del della sono si come più ma gli nel anche le",
    "pt": "o os as que e em um uma para com não é se do da dos por mais como você",
    "nl": "de het een en van is dat niet zijn op voor met je we ook wij maar als er aan",
}
_MODEL = {language: frozenset(words.split()) for language, words in _SMALL.items()}
ENOUGH = 8


def of(text: str) -> str:
    """An ISO 639 code, or nothing."""
    letters = re.findall(r"[^\W\d_]", text[:20_000])
    if not letters:
        return ""
    whole = "".join(letters)
    for language, signs, share in _SCRIPTS:
        if len(re.findall(signs, whole)) > share * len(whole):
            if language == "ar" and _URDU.search(whole):
                return "ur"
            return "fa" if language == "ar" and _PERSIAN.search(whole) else language
    return _by_words(re.findall(r"[^\W\d_]+", text[:20_000].lower()))


def _by_words(words: list[str]) -> str:
    counts = Counter({language: sum(word in small for word in words) for language, small in _MODEL.items()})
    (best, most), (_, second) = counts.most_common(2)
    return best if most >= max(ENOUGH, 0.08 * len(words)) and most > 1.3 * second else ""
