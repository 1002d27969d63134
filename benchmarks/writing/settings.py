"""`make settings`: writes the lists of all settings, README's table and `.env.example`, from app/settings/fields.py."""

import re
from pathlib import Path
from typing import Final

from app.settings import texts

ROOT: Final = Path(__file__).parents[2]


def with_table(readme: str) -> str:
    """README with the table of the settings as they are."""
    return re.sub(r"\| variable \| default .*\n(\|.*\n)+", lambda _: texts.markdown(), readme)


def main() -> None:
    """Write both."""
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text()))
    (ROOT / ".env.example").write_text(texts.example())


if __name__ == "__main__":
    main()
