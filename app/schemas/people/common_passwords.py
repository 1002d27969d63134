"""Passwords that everybody tries first: the most common ones, and what people make of them.

Refused is one of `COMMON_PASSWORDS` with signs for letters (P@ssw0rd), with some digits around it, twice or more times,
or with marks between the letters; what repeats up to three characters; what is the order of a keyboard, also where each
character comes twice, or those of two orders in turn (a1b2c3d4); and what is made of the own username. A few words that
are not usually together are none of this.
"""

import re
import unicodedata
from collections.abc import Set
from typing import Final

from app.settings import without_runs

COMMON_PASSWORDS: Final = frozenset(
    """
    000000 007007 01012011 010203 102030 111111 11111111 111222 112233 11223344 123123 1232323q 123321 1234 12344321
    12345 123456 1234567 12345678 123456789 1234567890 123456789a 123456a 123456q 12345a 12345q 1234qwer 123654 123abc
    123qwe 12qwaszx 131313 147258 147258369 147852 159357 159753 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 2112 315475
    420420 4815162342 5150 654321 666666 6969 696969 7777777 789456 789456123 8675309 a12345 a123456 abc123 abcd1234
    access action adidas airborne alaska alexande alexis america andrey angel angels animal apollo apple apples
    arsenal asd123 asdasd asdf asdf1234 asdfasdf asdfgh asdfghjk asdfghjkl asshole austin azerty babygirl badass
    badboy badger banana bandit barney baseball batman bear beatles beaver beavis beer bigboy bigdaddy bigdick bigdog
    bigtits birdie bitch bitches biteme blazer blink182 blowjob blowme blue bollocks bond007 boobies booboo boobs
    booger boomer boston brandy braves bronco broncos brooklyn bubba bubbles buddha buddy buffalo bulldog bullshit
    buster butter butthead camaro cameron canada captain carolina cartman casper cassie celtic champion charlie cheese
    chelsea cherry chester chevy chicago chicken christin cocacola cock coffee compaq computer cookie copper corvette
    cowboy cowboys creative cricket dakota dallas darkness destiny dexter diablo diamond dick dickhead diesel digital
    doctor doggie dolphin dolphins donkey dragon dreams driver drowssap drummer eagle eagle1 eagles eclipse einstein
    elephant eminem enigma enter explorer falcon fender ferrari fire fish fishing florida flower fluffy flyers
    football forest forever freddy freedom friday fuck fucker fucking fuckme fuckoff fuckyou gandalf garfield gateway
    gators gemini genesis genius gfhjkm ghbdtn giants ginger girls godzilla golden golf golfer goober google guinness
    guitar gunner hammer hannah hardcore harley hawaii heaven hello hello1 helpme hitman hockey hooters horny horses
    hotdog hotrod hunter iceman iloveyou internet iwantu jackass jaguar jasmine jasper jester jordan jordan23 junior
    killer kitten klaster lacrosse lakers lasvegas legend letmein lifehack liverpoo liverpool lizard lol123 london
    love lovely loveme lover lovers lucky lucky1 maddog madison maggie magic magnum marina marine marlboro maryjane
    master matrix maverick maximus maxwell mercedes merlin metallic metallica mexico michigan mickey midnight
    minecraft money money1 monkey monster montana mother mountain mozart muffin mustang nascar natasha ncc1701 newyork
    nikita nintendo nirvana nissan oliver online orange ou812 packers pakistan pantera panther panties paradise pass
    passw0rd password password1 peaches peanut pepper phantom phoenix pimpin platinum playboy player pokemon police
    poohbear pookie poopoo porn porno porsche prince princess private pumpkin purple pussy q1w2e3 q1w2e3r4 q1w2e3r4t5
    qazwsx qazwsxedc qazxsw qwaszx qwe123 qweasdzxc qweqwe qwer1234 qwert qwerty qwerty1 qwerty12 qwerty123 qwertyu
    qwertyui qwertyuiop rabbit racing raiders rainbow ranger rangers razz red123 reddog redskins redsox redwings
    rocket rosebud runner rush2112 ruslan samantha samson samsung saturn scarface scooby scooter scorpio scorpion
    scotty secret security sergey sexsex sexy shadow shelby shithead shorty sierra silver simple skippy slayer
    slipknot smokey snickers sniper snoopy snowball soccer sophie spanky sparky speedy spider spirit spitfire stalker
    star stargate startrek starwars steelers stupid success suckit summer sunshine superman surfer svetlana sydney
    tennis test tester testing theman therock thumper thunder thx1138 tiger tigers tigger tits tomcat topgun toyota
    trinity trouble trustno1 turtle vampire viking viper voodoo voyager warrior welcome westside whatever willow
    winner winston winter wizard xavier yamaha yankee yankees yellow zaq12wsx zxcvbn zxcvbnm
    """.split()  # noqa: SIM905 - easier to read, and to compare, than 500 literals
)
"""The 500 most common passwords of 4 characters or more, from zxcvbn's list; a test compares the two."""

_OF_THE_HOUSE: Final = frozenset(
    """
    admin administrator changeme customer demo guest moderator organizer passwort reservation root staff support theater
    theatre tickets usher
    """.split()  # noqa: SIM905 - as above
)
_GUESSED: Final = COMMON_PASSWORDS | _OF_THE_HOUSE

_MOST_AROUND: Final = 6
"""So many digits and marks at most stand around a common word: with more of them it is somebody's own."""
_SHORTEST_REST: Final = 4
"""With fewer characters besides the order of a keyboard, a password is that order."""
_LONGEST_PATTERN: Final = 3
_FEWEST_CHARACTERS: Final = 4

_AROUND: Final = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_SIGNS: Final = {"0": "o", "3": "e", "4": "a", "@": "a", "5": "s", "$": "s", "7": "t", "+": "t", "8": "b", "9": "g"}
_SPELLINGS: Final = tuple(str.maketrans(_SIGNS | dict.fromkeys("1!|", one)) for one in "il")


def is_common(password: str) -> bool:
    """Whether somebody who guesses would try this password soon."""
    plain = _plain(password)
    unit, rest = _unit(plain), without_runs(plain)
    pattern = _unit(_joined(plain)) or unit
    if len(set(plain)) < _FEWEST_CHARACTERS or len(pattern) <= _LONGEST_PATTERN or len(rest) < _SHORTEST_REST:
        return True
    if _repeats_little(_joined(_bare(plain))) or _is_an_order(_joined(plain)):
        return True
    return any(_is_made_of(each, _GUESSED) for each in {plain, unit, rest})


def is_made_of(password: str, username: str) -> bool:
    """Whether it is this username, as it is or as people make a password of it."""
    plain, name = _plain(password), _plain(username)
    return any(_is_made_of(each, {name, _joined(name)}) for each in {plain, _unit(plain)})


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _is_made_of(text: str, words: Set[str]) -> bool:
    """Is it one of these words, as it is or with digits and marks around it and between?"""
    return any(_unit(each) in words for form in (text, _bare(text)) for each in _spelled(form))


def _repeats_little(word: str) -> bool:
    """Is it up to three characters, twice or more times?"""
    return len(_unit(word)) <= _LONGEST_PATTERN < len(word)


def _is_an_order(text: str) -> bool:
    """Is it the order of a keyboard, with each character more than once, or of two orders in turn?"""
    once = "".join(one for one, before in zip(text, f" {text}", strict=False) if one != before)
    in_turn = f"{text[::2]} {text[1::2]}"
    return any(len(_joined(without_runs(each))) < _SHORTEST_REST for each in (once, in_turn))


def _bare(text: str) -> str:
    """Without the digits and marks around it, if they are few."""
    word = _AROUND.sub("", text)
    return word if len(text) - len(word) <= _MOST_AROUND else text


def _spelled(text: str) -> set[str]:
    """The text as it may be meant: signs are letters, or nothing."""
    forms = {text, *(text.translate(each) for each in _SPELLINGS)}
    return forms | set(map(_joined, forms))


def _joined(text: str) -> str:
    """The text without marks."""
    return re.sub(r"[\W_]", "", text)


def _unit(text: str) -> str:
    """What the text repeats; all of it if it does not."""
    for length in range(1, len(text) // 2 + 1):
        if text.startswith(text[length:]):
            return text[:length]
    return text
