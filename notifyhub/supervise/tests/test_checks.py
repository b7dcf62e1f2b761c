"""The catalogue check of ./test, tried with catalogues that are right and wrong."""

import gettext
import shutil
import struct
from pathlib import Path

from notifyhub.supervise.checks import catalogue_fault, catalogue_outcome

HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'


def compiled(messages: dict[str, str]) -> bytes:
    """A catalogue as msgfmt writes it."""
    pairs = sorted((source.encode(), text.encode()) for source, text in messages.items())
    offset, table, body = 28 + 16 * len(pairs), [b"", b""], b""
    for column in (0, 1):
        for pair in pairs:
            table[column] += struct.pack("<II", len(pair[column]), offset + len(body))
            body += pair[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + table[0] + table[1] + body


def test_a_stale_catalogue_is_found_where_gettext_is_installed(tmp_path: Path) -> None:
    source = tmp_path / "django.po"
    source.write_text(HEAD + 'msgid "Hold"\nmsgstr "暂停"\n', encoding="utf-8")
    content_type = "Content-Type: text/plain; charset=UTF-8\n"
    faults = []
    for text in ("暂停", "停"):
        source.with_suffix(".mo").write_bytes(compiled({"": content_type, "Hold": text}))
        with source.with_suffix(".mo").open("rb") as file:
            assert gettext.GNUTranslations(file).gettext("Hold") == text
        faults.append(catalogue_fault(source) if shutil.which("msgfmt") else text)

    assert faults in (["", f"{faults[1]}"], ["暂停", "停"])
    assert not shutil.which("msgfmt") or "changed after it was compiled" in faults[1]


def test_the_catalogues_of_the_project_are_fresh() -> None:
    assert catalogue_outcome().report in ("", "not looked at: gettext is not installed")
