"""What a username may be, and when two are one."""

import pytest

from app.domain.people import usernames


@pytest.mark.parametrize(
    "given",
    [
        "ada",
        "Ada.Lovelace",
        "a_b-c+d@example.org",
        "7of9",
        "\u00c4d\u00e0m",
        "\u6f22\u5b57\u540d",
        "\u0928\u092e\u0938\u094d\u0924\u0947",
        "x" * 64,
        "\u0430\u043d\u043d\u0430",
        "\u05d3\u05d5\u05d3",
        "\u0645\u062d\u0645\u062f\u06f3",
        "\u3055\u304f\u3089\u30e9\u30fc\u30e1\u30f3\u4f50\u3005tokyo",
        "\uae40\uc138\uc885kim",
        "\u1eb9\u0301l\u1eb9\u0301gb\u00e0",
        "Jos\u00e9",
        "Zo\u00eb",
        "M\u00fcller",
        "j\u00f6rg",
        "\u5c0f\u6797",
        "\uae40\uad6c",
        "Stafford",
        "Administratorin",
        "adm",
        "rooth",
        "ushers",
        "organizer",
        "Admin",
        "customer",
    ],
)
def test_names_of_every_script_are_kept_as_they_are(given: str) -> None:
    assert usernames.normal(given) == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ab",
        "x" * 65,
        "\ufdfa" * 4,  # short as written, 72 characters in NFKC
        "a b c",
        "ada\u200b",
        "ada\u202e",
        "ada\nlovelace",
        "-ada",
        ".ada",
        "\u0301ada",
        "ada'; DROP TABLE users; --",
        "<script>",
        "ada\u0000",
        "ad\u00aa\u2460" + "\U0001f600",
        "organizer\ufe0f",
        "orga\U000e0101nizer",
        "orga\u034fnizer",
        "orga\u115fnizer",
        "orga\u3164nizer",
        "orga\u180bnizer",
        "organizer\u20dd",
        "\u043erganizer",  # with a Cyrillic o
        "\u03bfrganizer",  # with a Greek one
        "\u0585rganizer",  # with an Armenian one
        "\uab4frganizer\u0661",  # digits count too
        "ada\u09e8",
        "\u0430\u03bd\u043d\u0430",
        "\u6797",
    ],
)
def test_what_is_no_name_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="username"):
        usernames.normal(given)


@pytest.mark.parametrize(
    "given",
    [
        "0rganizer",
        "organ1zer",
        "organlzer",
        "organizer.",
        "organ-izer",
        "organ\u00edzer",
        "\u00f3rg\u00e4n\u012fz\u00e9r",
        "admin\u0307",
        "adm\u0131n",
        "\u0251dmin",
        "4dm1n",
        "adrnin",
        "aclmin",
        "a_d_m_i_n",
        "\u0430\u0501\u043c\u0456\u043f",  # all of it Cyrillic
        "\ua4ee\ua4d3\ua4df\ua4f2\ua4e0",  # all of it Lisu
        "5taff",
        "st\u00e5ff",
        "cu5tomer",
        "r00t",
        "u\u0161her",
        "\u1d00\u1d05\u1d0d\u026a\u0274",
        "supp0rt",
        "Administrat0r",
    ],
)
def test_nobody_looks_like_who_runs_the_house(given: str) -> None:
    with pytest.raises(ValueError, match="who runs the house"):
        usernames.normal(given)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "aDA"),
        (" ada ", "ada"),
        ("\uff21\uff44\uff41", "ada"),
        ("Stra\u00dfe", "STRASSE"),
        ("e\u0301va", "\u00c9va"),
        ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3"),
    ],
)
def test_ways_to_write_one_name(one: str, other: str) -> None:
    assert usernames.key(one) == usernames.key(other) == usernames.key(usernames.normal(one))


@pytest.mark.parametrize(("one", "other"), [("ada", "adam"), ("a.da", "ada"), ("\u0430da", "ada")])
def test_other_names_are_other_names(one: str, other: str) -> None:
    assert usernames.key(one) != usernames.key(other)
