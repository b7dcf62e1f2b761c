"""What kinds of files the import reads, and what it says of those it cannot."""

import datetime
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError

from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.tests.importing import problems, run_command, write, write_sheet

pytestmark = pytest.mark.django_db

ROWS = "会员号,姓名,手机号,城市\nE1,王芳,138 0000 1111,上海\nE2,李雷,+86-13800002222,北京\n"


def phones() -> dict[str, str]:
    return {
        point.customer.external_id: point.value
        for point in ContactPoint.objects.filter(kind="phone", primary=True).select_related("customer")
    }


@pytest.mark.parametrize(
    ("encoding", "bom"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("gb18030", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-16-le", b""),
    ],
)
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_it_reads_every_usual_encoding_and_delimiter(tmp_path: Path, encoding, bom, delimiter) -> None:
    text = ROWS.replace(",", delimiter).replace("\n", "\r\n")
    run = run_command(write(tmp_path / "a.csv", bom + text.encode(encoding)))
    assert (run.created, run.bad) == (2, 0)
    assert phones() == {"E1": "+8613800001111", "E2": "+8613800002222"}
    assert Customer.objects.get(external_id="E1").name == "王芳"


def test_lines_in_another_encoding_are_reported_and_the_rest_goes_in(tmp_path: Path) -> None:
    head = ROWS.encode()
    run = run_command(write(tmp_path / "a.csv", head + "E3,赵敏,13800003333,广州\n".encode("gb18030")))
    assert run.created == 2
    assert problems(run) == [(4, "", "encoding")]


def test_utf8_lines_in_a_gb18030_file_are_not_taken_as_other_characters(tmp_path: Path) -> None:
    text = ROWS.encode("gb18030") + "E3,赵敏敏,13800003333,广州\n".encode()
    run = run_command(write(tmp_path / "a.csv", text))
    assert (run.created, problems(run)) == (2, [(4, "", "encoding")])


def test_damaged_lines_stay_alone(tmp_path: Path) -> None:
    text = (
        "id,name,phone,city\n"
        'E1,"Li, ""Lei""",13800001111,"a\nb"\n'
        "\n"
        ",,,\n"
        'E2,"never closed,13800002222,x\n'
        "E3,short\n"
        "E4,a,13800004444,x,more\n"
        "E5,b,13800005555,x,,\n"
        'E6,5" pipe,13800006666,x\n'
        "E7,nul\x00l,13800007777,x\n"
    )
    run = run_command(write(tmp_path / "a.csv", text))
    assert problems(run) == [(6, "", "quote"), (7, "", "width"), (8, "", "width"), (11, "", "unreadable")]
    names = dict(Customer.objects.values_list("external_id", "name"))
    assert names == {"E1": 'Li, "Lei"', "E5": "b", "E6": '5" pipe'}


def test_of_two_columns_with_one_meaning_the_first_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,phone,手机\nE1,13800001111,13900001111\n")
    run_command(path)
    assert phones() == {"E1": "+8613800001111"}
    run_command(path, "--map", "手机=phone")
    assert phones() == {"E1": "+8613900001111"}


def test_unknown_columns_become_attributes_and_birthdays_dates(tmp_path: Path) -> None:
    run_command(write(tmp_path / "a.csv", "id,生日,最爱 菜系,备注\nE1,1990年3月2日,川菜,\n"))
    assert Customer.objects.get().attributes == {"birthday": "1990-03-02", "最爱_菜系": "川菜"}


def test_a_workbook_keeps_numbers_and_dates(tmp_path: Path) -> None:
    sheet = [
        ["客户编号", "电话", "姓名", "生日", "标签"],
        [10001, 1.3812345678e10, "张三", datetime.date(1990, 3, 2), "新客,外卖"],
        [None, None, None, None, None],
        ["10002", "1.3812345679E+10", "李四", "1991/4/5", None],
    ]
    run = run_command(write_sheet(tmp_path / "a.xlsx", sheet))
    assert (run.created, run.bad) == (2, 0)
    assert phones() == {"10001": "+8613812345678", "10002": "+8613812345679"}
    first = Customer.objects.get(external_id="10001")
    assert (first.attributes["birthday"], first.tags) == ("1990-03-02", ["新客", "外卖"])


def test_a_number_that_lost_its_digits_is_not_guessed(tmp_path: Path) -> None:
    run = run_command(write(tmp_path / "a.csv", "id,phone\nE1,1.38E+10\nE2,12\nE3,13800001111.0\n"))
    assert problems(run) == [(2, "phone", "rounded"), (3, "phone", "phone")]
    assert phones() == {"E3": "+8613800001111"}


def _workbook_with(path: Path, name: str, content: bytes) -> Path:
    write_sheet(path, [["id"], ["E1"]])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: write(p, b""), "empty"),
        (lambda p: p, "cannot be read"),
        (lambda p: write(p, bytes.fromhex("d0cf11e0a1b11ae1")), "old or protected"),
        (lambda p: write(p, b"PK\x03\x04 nonsense"), "damaged"),
        (lambda p: _workbook_with(p, "xl/vbaProject.bin", b"x"), "macros"),
        (
            lambda p: _workbook_with(p, "xl/x.xml", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>'),
            "damaged",
        ),
        (lambda p: write(p, "hello,world\n1,2\n"), "Map at least one column"),
    ],
)
def test_what_is_no_table_is_refused_with_a_sentence(tmp_path: Path, make, sentence) -> None:
    with pytest.raises(CommandError, match=sentence):
        run_command(make(tmp_path / "a.xlsx"))
    assert not Customer.objects.exists()


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    write_sheet(path, [["id"], ["E1"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b"0" * (65 << 20))
    with pytest.raises(CommandError, match="too large"):
        run_command(path)
