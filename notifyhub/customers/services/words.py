"""Spellings that import, export and API share: languages, tags, dates."""

import json
import re
import unicodedata
from datetime import date

MAX_TAGS = 100
MAX_TAG = 40
# Attributes that rules count days from, so they are kept in one spelling.
DATE_ATTRIBUTES = frozenset({"birthday"})

_LANGUAGES = {
    "zh-hans": "zh zh-hans zh-cn zh_cn zh-hans-cn zh-sg chinese cn 中文 简体中文 汉语 简中 中国",
    "en": "en en-us en-gb en_us en_gb english eng 英文 英语",
}
_LANGUAGE_OF = {word: code for code, words in _LANGUAGES.items() for word in words.split()}
_DATE = re.compile(r"^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T].*)?$")
_PLAIN_DATE = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_BETWEEN_TAGS = re.compile(r"[|,，;；、]")


def read_language(text: str) -> str | None:
    """Return the code of a language in any usual spelling, None if we do not speak it."""
    return _LANGUAGE_OF.get(text.strip().lower())


def read_date(text: str) -> str | None:
    """Return a date in any of the usual spellings as 1990-03-02, None if it is none."""
    flat = unicodedata.normalize("NFKC", text).strip()
    match = _DATE.match(flat) or _PLAIN_DATE.match(flat)
    try:
        return date(*(int(part) for part in match.groups()[:3])).isoformat() if match else None
    except ValueError:
        return None


def read_tags(text: str) -> list[str]:
    """Return the tags of one cell, each once, in order."""
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list) and all(isinstance(tag, str) for tag in found):
            return list(dict.fromkeys(tag.strip() for tag in found if tag.strip()))
    return list(dict.fromkeys(tag.strip() for tag in _BETWEEN_TAGS.split(text) if tag.strip()))


def write_tags(tags: list[str]) -> str:
    """Return tags as one cell that `read_tags` reads back."""
    if any(_BETWEEN_TAGS.search(tag) or tag.startswith("[") or tag != tag.strip() for tag in tags):
        return json.dumps(tags, ensure_ascii=False)
    return "|".join(tags)
