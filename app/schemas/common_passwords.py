"""The passwords that everybody tries first: those of the 500 most common ones that are long enough to be allowed.

From zxcvbn's list, which a test compares with this one. More of them would refuse passwords that only sound common.
"""

from typing import Final

COMMON_PASSWORDS: Final = frozenset(
    """
    01012011 11111111 11223344 1232323q 12344321 12345678 123456789 1234567890 123456789a 1234qwer 12qwaszx 147258369
    1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 4815162342 789456123 abcd1234 airborne alexande asdf1234 asdfasdf asdfghjk
    asdfghjkl babygirl baseball bigdaddy blink182 bollocks brooklyn bullshit butthead carolina champion christin
    cocacola computer corvette creative darkness dickhead dolphins drowssap einstein elephant explorer football
    garfield godzilla guinness hardcore iloveyou internet jordan23 lacrosse lasvegas lifehack liverpoo liverpool
    marlboro maryjane maverick mercedes metallic metallica michigan midnight minecraft mountain nintendo pakistan
    paradise passw0rd password password1 platinum poohbear princess q1w2e3r4 q1w2e3r4t5 qazwsxedc qweasdzxc qwer1234
    qwerty12 qwerty123 qwertyui qwertyuiop redskins redwings rush2112 samantha scarface scorpion security shithead
    slipknot snickers snowball spitfire stargate startrek starwars steelers sunshine superman svetlana trustno1
    westside whatever zaq12wsx
    """.split()  # noqa: SIM905 - easier to read, and to compare, than 111 literals
)
