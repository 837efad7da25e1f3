"""The words of Pocket English, as tables to read.

A line is a list of words, the commonest first. A form that does not follow the rule stands behind a
colon (``wolf:wolves``). Two words in different topics spelt alike are two senses of one word:
*bank*, *bat*, *spring*.
"""

from __future__ import annotations

TOPICS = ("money", "nature", "sport", "music", "town", "science", "kitchen", "palace")

# Who acts in a topic: people; what is bought, watched, played: things; where it happens: places.
NOUNS: dict[str, dict[str, str]] = {
    "money": {
        "people": "banker clerk trader",
        "things": "note bill coin loan bond share price asset",
        "places": "bank market office branch:branches",
    },
    "nature": {
        "people": "farmer hunter",
        "things": "dog bat plant mouse:mice seal crane fox:foxes rose eagle oak palm eel bill "
        "bass:basses lily:lilies wolf:wolves animal bird flower tree fish:fishes",
        "places": "river bank forest field spring branch:branches",
    },
    "sport": {
        "people": "player coach:coaches runner",
        "things": "match:matches ball bat race medal cup game prize",
        "places": "pitch:pitches court stadium park",
    },
    "music": {
        "people": "singer star pupil drummer",
        "things": "violin piano organ note key song flute bass:basses bow scale pitch:pitches drum "
        "tune instrument",
        "places": "stage hall studio",
    },
    "town": {
        "people": "driver worker tourist",
        "things": "car bus:buses coach:coaches train crane taxi vehicle",
        "places": "street station plant bridge square",
    },
    "science": {
        "people": "doctor nurse student",
        "things": "star mouse:mice chip organ cell planet moon heart lung pupil palm spring "
        "lens:lenses",
        "places": "laboratory:laboratories hospital school clinic",
    },
    "kitchen": {
        "people": "cook baker guest",
        "things": "cake apple knife:knives match:matches scale chip pan pear spoon plum fruit tool",
        "places": "kitchen shop restaurant store",
    },
    "palace": {
        "people": "guard knight servant",
        "things": "crown seal key sword bow ring spear jewel weapon",
        "places": "palace tower court garden",
    },
}

# What people do to things, what people do, what things do.
VERBS: dict[str, dict[str, str]] = {
    "money": {
        "people_things": "buy sell purchase count save",
        "people": "pay invest trade",
        "things": "rise fall grow fail",
    },
    "nature": {
        "people_things": "watch:watches feed follow protect",
        "people": "hunt swim hike",
        "things": "grow drink hide live",
    },
    "sport": {
        "people_things": "win lose play throw",
        "people": "race train run",
        "things": "start begin end matter",
    },
    "music": {
        "people_things": "play hear tune practise",
        "people": "sing perform listen",
        "things": "sound echo:echoes ring play",
    },
    "town": {
        "people_things": "drive repair stop load",
        "people": "travel arrive park",
        "things": "stop move turn arrive",
    },
    "science": {
        "people_things": "study:studies measure test examine",
        "people": "think experiment read",
        "things": "work move change shine",
    },
    "kitchen": {
        "people_things": "cook bake wash:washes taste",
        "people": "eat cook dine",
        "things": "burn fall cool break",
    },
    "palace": {
        "people_things": "guard steal carry:carries polish:polishes",
        "people": "rule kneel bow",
        "things": "shine vanish:vanishes gleam break",
    },
}

ADJECTIVES: dict[str, str] = {
    "money": "rich cheap costly",
    "nature": "wild green wet",
    "sport": "fast strong",
    "music": "loud soft famous",
    "town": "busy slow foreign",
    "science": "modern tiny bright",
    "kitchen": "hot fresh sweet",
    "palace": "royal golden proud",
}

# Common to all topics.
COMMON_ADJECTIVES = "old big new small large little strange quiet"
COMMON_PEOPLE = (
    "man:men=woman:women boy=girl father=mother son=daughter brother=sister uncle=aunt "
    "king=queen actor=actress:actresses prince=princess:princesses waiter=waitress:waitresses "
    "duke=duchess:duchesses host=hostess:hostesses"
)
# Where a pair of the list above is at home, and commoner than elsewhere.
AT_HOME = {
    "king": "palace",
    "prince": "palace",
    "duke": "palace",
    "waiter": "kitchen",
    "host": "kitchen",
    "actor": "music",
}
COMMON_VERBS = {
    "people_things": "see find",
    "people": "wait walk rest sleep",
    "things": "appear rest",
}
POLAR_VERBS = {"positive": "love like admire", "negative": "hate dislike fear"}
POLAR_ADJECTIVES = {
    "positive": "good great lovely wonderful perfect",
    "negative": "bad awful terrible dreadful horrible",
}
REACTIONS = {"positive": "smile cheer dance", "negative": "cry complain leave"}

# A kind and what belongs to it: "every violin is an instrument".
KINDS: dict[str, tuple[str, str]] = {
    "asset": ("money", "bond loan share"),
    "animal": ("nature", "dog bat mouse seal fox wolf"),
    "bird": ("nature", "crane eagle"),
    "fish": ("nature", "eel bass"),
    "flower": ("nature", "rose lily"),
    "tree": ("nature", "oak palm"),
    "prize": ("sport", "medal cup"),
    "instrument": ("music", "violin piano organ flute bass drum"),
    "vehicle": ("town", "car bus coach train taxi"),
    "organ": ("science", "heart lung"),
    "fruit": ("kitchen", "apple pear plum"),
    "tool": ("kitchen", "knife scale pan spoon"),
    "weapon": ("palace", "sword bow spear"),
    "jewel": ("palace", "crown ring"),
}
SYNONYMS = (
    ("big", "large"),
    ("small", "little"),
    ("buy", "purchase"),
    ("start", "begin"),
    ("shop", "store"),
)

MEN = "tom max paul jordan peter hugo"
WOMEN = "anna rose mary florence victoria clara"
SURNAMES = "banks king baker rivers stone miller"
CAPITALS = (
    "paris=france rome=italy berlin=germany madrid=spain athens=greece lisbon=portugal "
    "vienna=austria oslo=norway cairo=egypt tokyo=japan"
)
OTHER_PLACES = "florence jordan venice"
LANDMARKS = ("lake mount", "victoria como etna stone")

DETERMINERS = {
    "singular": "the this my every that our",
    "plural": "the these my all those our many",
}
EITHER_DETERMINER = {"the": 10, "my": 2, "our": 2}  # goes with both numbers
PREPOSITIONS = {"place": "near in behind by", "other": "of with"}
ADVERBS = "today often here again slowly now"
OPENINGS = "today now often sometimes"
