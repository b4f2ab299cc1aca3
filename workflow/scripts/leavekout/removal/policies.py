"""The policies by name: a class in a file of its own, and its line here."""

from leavekout.removal.again import Again
from leavekout.removal.groups import Groups
from leavekout.removal.nothing import Nothing
from leavekout.removal.random_sets import RandomSets
from leavekout.removal.removal import Policy
from leavekout.removal.replica import Replica
from leavekout.removal.together import Together
from leavekout.removal.top import TopK
from leavekout.removal.unions import Unions

POLICIES: dict[str, Policy] = {
    "top": TopK(),
    "together": Together(),
    "random": RandomSets(),
    "again": Again(),
    "nothing": Nothing(),
    "replica": Replica(),
    "group": Groups(),
    "union": Unions(),
}
