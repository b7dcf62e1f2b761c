"""Measure the import: rows a second and peak memory of a real `import_customers` process.

    python bench/import_customers.py [--rows 500000] [--runs 1] [--keep FILE]

Needs DATABASE_URL of a migrated database it may fill. Prints one line a run: first the import of new
customers, then the same file again (nothing may change).
"""

import argparse
import csv
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CITIES = ["上海", "北京", "广州", "成都", "杭州", "西安", "武汉", "Shenzhen"]
NAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"


def write_file(path: Path, rows: int, seed: int) -> None:
    """Write `rows` believable customers; one in a thousand is bad, one in a thousand comes twice."""
    dice = random.Random(seed)
    mark = f"{seed:x}"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(["会员号", "姓名", "手机号", "邮箱", "城市", "标签", "生日", "等级"])
        for n in range(rows):
            number = n - 1 if n % 1000 == 999 else n
            phone = f"1{3 + n % 7}{(seed * 7919 + number * 101) % 10**9:09d}" if n % 1000 != 500 else "12"
            out.writerow(
                [
                    f"B{mark}-{number:07d}",
                    dice.choice(NAMES) + dice.choice(NAMES),
                    phone,
                    f"u{number}.{mark}@mail.example",
                    dice.choice(CITIES),
                    "新客,外卖" if n % 3 else "酒店",
                    f"19{60 + n % 40}-{1 + n % 12:02d}-{1 + n % 28:02d}",
                    n % 5,
                ]
            )


def run(path: Path) -> tuple[float, float, str]:
    """Import the file in a process of its own; return seconds, peak MiB and its last line."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "import_customers", str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"LANGUAGE": "en"},
    )
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return seconds, peak, next(line for line in done.stdout.splitlines() if "created" in line)


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the generated file here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.runs):
            path = options.keep or Path(folder) / "customers.csv"
            write_file(path, options.rows, seed=random.SystemRandom().randrange(1, 10**6))
            for what in ("new", "again"):
                seconds, peak, line = run(path)
                rate = options.rows / seconds
                print(
                    f"{what}: {options.rows:,} rows in {seconds:.1f} s = {rate:,.0f} rows/s, {peak:.0f} MiB"
                )
                print(f"  {line}")


if __name__ == "__main__":
    main()
