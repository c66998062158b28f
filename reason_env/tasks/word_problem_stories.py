"""The stories of WordProblem, by level: each tells its text and its quantities to a `Draft`.

All numbers are 2 or more, so that nouns stay in the plural. From level 2 on, digressions may come
between any two sentences, so a question says whom and what it is about. Where there are several
sensible ways to a quantity, the story lists them: no sensible way of a solver should be refused.
"""

from __future__ import annotations

from collections.abc import Callable

from reason_env.tasks.word_problem_draft import Draft, Quantity, Redraw

Story = Callable[[Draft], None]


def _require(condition: bool) -> None:
    if not condition:
        raise Redraw


def _without(d: Draft, whole: Quantity, rate: Quantity) -> Quantity:
    """What is left of a whole when so many per cent are taken off."""
    left = d.total([whole], [d.percent(whole, rate)])
    kept = d.total([d.implied(100)], [rate])
    return d.product([whole, kept], [d.implied(100)], same=left)


def _without_one_of(d: Draft, whole: Quantity, parts: int) -> Quantity:
    """What is left of a whole when one of so many equal parts is taken off: of 3, a third."""
    left = d.total([whole], [d.product([whole], [d.implied(parts)])])
    return d.product([whole, d.implied(parts - 1)], [d.implied(parts)], same=left)


# -- Level 1: two operations, and few words ------------------------------------------------------


def _gain_and_loss(d: Draft) -> None:
    who, things = d.name(), d.things()
    had, got, gave = d.number(10, 60), d.number(2, 40), d.number(2, 40)
    d.say(f"{who} has {had} {things}, gets {got} more and gives {gave} away.")
    d.ask(d.total([had, got], [gave]), f"How many {things} are left?")


def _packs(d: Draft) -> None:
    who, things = d.name(), d.things()
    boxes, each, used = d.number(2, 12), d.number(3, 20), d.number(2, 60)
    d.say(f"{who} buys {boxes} boxes of {each} {things} and uses {used} of them.")
    d.ask(d.total([d.product([boxes, each])], [used]), f"How many {things} are left?")


def _purchase(d: Draft) -> None:
    who, things = d.name(), d.things()
    count, price, bag = d.number(2, 12), d.number(2, 12), d.number(5, 60)
    d.say(f"{who} buys {count} {things} at ${price} each and a bag for ${bag}.")
    d.ask(d.total([d.product([count, price]), bag]), "How many dollars is that?")


def _change(d: Draft) -> None:
    who, things = d.name(), d.things()
    count, price, paid = d.number(2, 12), d.number(2, 12), d.number(30, 150, 5)
    d.say(f"{who} buys {count} {things} at ${price} each and pays with ${paid}.")
    d.ask(d.total([paid], [d.product([count, price])]), "How many dollars come back?")


def _shared(d: Draft) -> None:
    who, other, things = d.name(), d.name(), d.things()
    mine, yours, boxes = d.number(5, 90), d.number(5, 90), d.number(2, 9)
    # Else one might share the two out one by one.
    _require(mine.value % boxes.value > 0)
    each = d.product([d.total([mine, yours])], [boxes])
    d.say(f"{who} has {mine} {things} and {other} has {yours}. They fill {boxes} equal boxes.")
    d.ask(each, "How many go in each?")


def _ride(d: Draft) -> None:
    speed, hours, more = d.number(20, 90, 5), d.number(2, 8), d.number(2, 40)
    d.say(f"A bus goes {speed} km an hour for {hours} hours, and then {more} km.")
    d.ask(d.total([d.product([speed, hours]), more]), "How many km is that in all?")


# -- Level 2: three operations -------------------------------------------------------------------


def _two_purchases(d: Draft) -> None:
    who, things, others = d.name(), d.things(), d.things()
    a, b, p, q = d.number(2, 15), d.number(2, 15), d.number(2, 20), d.number(2, 20)
    d.say(f"{who} buys {a} {things} at ${p} each and {b} {others} at ${q} each.")
    d.ask(d.total([d.product([a, p]), d.product([b, q])]), f"How many dollars does {who} pay?")


def _book(d: Draft) -> None:
    who = d.name()
    days, fast, slow = d.number(2, 12), d.number(10, 40), d.number(2, 20)
    pages = d.given(days.value * fast.value + slow.value * int(d.rng.integers(2, 40)))
    left = d.total([pages], [d.product([days, fast])])
    d.say(
        f"{who} reads a book of {pages} pages.",
        f"For {days} days {who} reads {fast} pages a day, and from then on {slow} pages a day.",
    )
    d.ask(d.product([left], [slow]), f"How many days does the rest of the book take {who}?")


def _friends(d: Draft) -> None:
    a, b, c, things = d.name(), d.name(), d.name(), d.things()
    first, times, fewer = d.number(5, 40), d.number(2, 6), d.number(3, 50)
    second = d.product([first, times])
    third = d.total([second], [fewer])
    d.say(
        f"{a} has {first} {things}.",
        f"{b} has {times} times as many as {a}, and {c} has {fewer} fewer than {b}.",
    )
    d.ask(d.total([second, third]), f"How many {things} do {b} and {c} have together?")


def _trees(d: Draft) -> None:
    who = d.name()
    rows, each, dead, new = d.number(3, 20), d.number(4, 20), d.number(2, 40), d.number(2, 40)
    d.say(
        f"{who} plants {rows} rows of {each} trees.",
        f"{dead} trees die, and {who} plants {new} new ones.",
    )
    d.ask(d.total([d.product([rows, each]), new], [dead]), f"How many trees does {who} have now?")


def _hall(d: Draft) -> None:
    seats, classes, pupils = d.number(80, 400, 10), d.number(3, 12), d.number(12, 30)
    staff = d.number(2, 25)
    taken = d.product([classes, pupils])
    d.say(
        f"A hall has {seats} seats.",
        f"{classes} classes of {pupils} pupils sit down, and so do {staff} teachers.",
    )
    d.ask(d.total([seats], [taken, staff]), "How many seats stay free?")


def _wages(d: Draft) -> None:
    who = d.name()
    hours, days, wage, fares = d.number(2, 9), d.number(2, 14), d.number(8, 30), d.number(5, 80)
    d.say(
        f"{who} works {hours} hours a day for {days} days at ${wage} an hour.",
        f"The bus to work costs ${fares} in all.",
    )
    d.ask(d.total([d.product([hours, days, wage])], [fares]), f"How many dollars does {who} keep?")


def _trains(d: Draft) -> None:
    apart, hours = d.number(200, 900, 10), d.number(2, 6)
    v, w = d.number(30, 120, 5), d.number(30, 120, 5)
    closer = d.product([d.total([v, w]), hours])
    one, other = d.product([v, hours]), d.product([w, hours])
    d.total([one, other], same=closer)
    left = d.total([apart], [closer])
    d.total([apart], [one, other], same=left)
    d.say(
        f"Two trains {apart} km apart head towards each other, one at {v} km an hour, the other "
        f"at {w}.",
    )
    d.ask(left, f"How many km apart are they after {hours} hours, before they meet?")


# -- Level 3: four or five operations, with per cents and fractions ------------------------------


def _coats(d: Draft) -> None:
    who = d.name()
    price, rate = d.number(20, 200, 10), d.number(10, 60, 10)
    count, paid = d.number(2, 9), d.number(200, 1000, 50)
    sale = _without(d, price, rate)
    cost, full = d.product([sale, count]), d.product([price, count])
    saved = d.percent(full, rate)
    d.product([d.percent(price, rate), count], same=saved)
    d.total([full], [saved], same=cost)
    _without(d, full, rate)
    d.say(
        f"Coats of ${price} are sold at {rate}% off.",
        f"{who} buys {count} coats and pays with ${paid}.",
    )
    d.ask(d.total([paid], [cost]), f"How many dollars does {who} get back?")


def _mix(d: Draft) -> None:
    who = d.name()
    a, b, p, q = d.number(2, 15), d.number(2, 15), d.number(5, 120), d.number(5, 120)
    worth = d.total([d.product([a, p]), d.product([b, q])])
    d.say(f"{who} mixes {a} kg of nuts at ${p} a kg with {b} kg of raisins at ${q} a kg.")
    d.ask(d.product([worth], [d.total([a, b])]), "How many dollars is a kg of the mix worth?")


def _tour(d: Draft) -> None:
    who = d.name()
    days, far, near = d.number(3, 50), d.number(40, 120, 5), d.number(12, 39)
    way = d.given(days.value * far.value + near.value * int(d.rng.integers(2, 50)))
    left = d.total([way], [d.product([days, far])])
    d.say(
        f"{who} goes on a bike tour of {way} km.",
        f"{who} rides {far} km a day for {days} days, and from then on {near} km a day.",
    )
    d.ask(
        d.total([days, d.product([left], [near])]), f"How many days does the whole tour take {who}?"
    )


def _eggs(d: Draft) -> None:
    who = d.name()
    hens, each, kept, price = d.number(8, 60), d.number(3, 7), d.number(2, 40), d.number(2, 9)
    sold = d.total([d.product([hens, each])], [kept])
    _require(sold.value % 12 == 0)
    d.say(
        f"Each of {hens} hens lays {each} eggs a week.",
        f"{who} keeps {kept} eggs a week and sells the rest at ${price} a dozen.",
    )
    d.ask(d.product([sold, price], [d.implied(12)]), "How many dollars a week do the eggs bring?")


def _ages(d: Draft) -> None:
    a, b, c = d.name(), d.name(), d.name()
    youngest, times, less = d.number(4, 24), d.number(2, 4), d.number(2, 45)
    second = d.product([youngest, times])
    d.say(
        f"{a} is {youngest} years old.",
        f"{b} is {times} times as old as {a}, and {c} is {less} years younger than {b}.",
    )
    third = d.total([second], [less])
    d.ask(d.total([youngest, second, third]), "What is the sum of the three ages?")


def _harvest(d: Draft) -> None:
    who, other = d.name(), d.name()
    picked, rate = d.number(60, 900, 6), d.number(10, 90, 5)
    rest = _without_one_of(d, picked, 3)
    d.say(
        f"{who} picks {picked} apples.",
        f"A third of the apples go to {other}, and {rate}% of the rest are eaten.",
    )
    d.ask(_without(d, rest, rate), f"How many apples does {who} have left?")


# -- Level 4: five or six operations -------------------------------------------------------------


def _machines(d: Draft, things: str) -> Quantity:
    """What two machines make, of which one runs on for longer; three or four operations."""
    a, b, hours, more = d.number(5, 60), d.number(5, 60), d.number(2, 9), d.number(2, 9)
    one, other = d.product([a, hours]), d.product([b, hours])
    first, second = d.product([d.total([a, b]), hours]), d.product([a, more])
    d.total([one, other], same=first)
    alone = d.product([a, d.total([hours, more])])
    d.total([one, second], same=alone)
    everything = d.total([first, second])
    d.total([one, other, second], same=everything)
    d.say(
        f"One machine makes {a} {things} an hour, another {b}.",
        f"Both machines run for {hours} hours; then the first runs alone for {more} hours more.",
    )
    return everything


def _workshop(d: Draft) -> None:
    things = d.things()
    made = _machines(d, things)
    faulty = d.number(5, 60)
    good = d.total([made], [faulty])
    size = d.divisor(good, 4, 30)
    d.say(f"{faulty} {things} are faulty, and the good ones are packed in boxes of {size}.")
    d.ask(d.product([good], [size]), "How many boxes are filled?")


def _older(d: Draft) -> None:
    a, b, c = d.name(), d.name(), d.name()
    youngest, times, less = d.number(4, 20), d.number(2, 5), d.number(2, 30)
    years = d.number(2, 25)
    second = d.product([youngest, times])
    third = d.total([second], [less])
    added = d.product([d.implied(3), years])
    goal = d.total([d.total([youngest, second, third]), added])
    d.total([youngest, second, third, added], same=goal)
    d.total([d.total([age, years]) for age in (youngest, second, third)], same=goal)
    d.total([d.total([second, years])], [less], same=d.total([third, years]))
    d.say(
        f"{a} is {youngest} years old.",
        f"{b} is {times} times as old as {a}, and {c} is {less} years younger than {b}.",
    )
    d.ask(goal, f"What will the sum of the ages of the three be in {years} years?")


def _outing(d: Draft) -> None:
    children, adults = d.number(8, 60), d.number(2, 15)
    low, high, bus = d.number(3, 15), d.number(8, 30), d.number(50, 400)
    whole = d.total([d.product([children, low]), d.product([adults, high]), bus])
    members = d.divisor(whole, 4, 40)
    d.say(
        f"{children} children and {adults} adults visit a zoo.",
        f"A child pays ${low}, an adult ${high}, and the bus costs ${bus}.",
        f"The {members} members of a club share the whole cost equally.",
    )
    d.ask(d.product([whole], [members]), "How many dollars does each member pay?")


def _bike(d: Draft) -> None:
    who = d.name()
    pay, rate, food = d.number(200, 900, 20), d.number(10, 60, 5), d.number(30, 200)
    rent = d.percent(pay, rate)
    saved = d.total([pay], [rent, food])
    _without(d, pay, rate)
    has = d.number(20, 500)
    bike = d.given(has.value + saved.value * int(d.rng.integers(2, 50)))
    d.say(
        f"{who} earns ${pay} a week; {rate}% of it goes on rent and ${food} on food.",
        f"{who} wants a bike for ${bike}, and has ${has} so far.",
    )
    weeks = d.product([d.total([bike], [has])], [saved])
    d.ask(weeks, f"In how many weeks can {who} buy the bike?")


def _bakery(d: Draft) -> None:
    who = d.name()
    trays, each, rate = d.number(4, 30), d.number(10, 40), d.number(5, 40, 5)
    good = _without(d, d.product([trays, each]), rate)
    size, price = d.divisor(good, 4, 16), d.number(2, 12)
    d.say(
        f"A baker makes {trays} trays of {each} rolls, and {rate}% of the rolls burn.",
        f"{who} sells the other rolls in bags of {size}, at ${price} a bag.",
    )
    d.ask(d.product([good, price], [size]), "How many dollars do the rolls bring?")


def _pool(d: Draft) -> None:
    one, other, drain = d.number(20, 90), d.number(20, 90), d.number(5, 50)
    minutes, rest = d.number(5, 40), int(d.rng.integers(3, 40))
    slow, fast = d.total([one], [drain]), d.total([one, other], [drain])
    filled = d.product([slow, minutes])
    d.total([d.product([one, minutes])], [d.product([drain, minutes])], same=filled)
    pool = d.given(filled.value + fast.value * rest)
    d.say(
        f"An empty pool holds {pool} litres.",
        f"A tap lets in {one} litres a minute, while a drain takes {drain} litres a minute.",
        f"After {minutes} minutes a second tap opens, with {other} litres a minute more; "
        "the drain stays open.",
    )
    left = d.total([pool], [filled])
    d.ask(
        d.product([left], [fast]), "How many minutes after the second tap opens is the pool full?"
    )


def _juices(d: Draft) -> None:
    who = d.name()
    a, b = d.number(20, 300, 20), d.number(20, 300, 20)
    p, q = d.number(5, 45, 5), d.number(50, 95, 5)
    weighted = d.total([d.product([a, p]), d.product([b, q])])
    litres = d.total([a, b])
    goal = d.product([weighted], [litres])
    syrup = d.total([d.percent(a, p), d.percent(b, q)])
    d.product([syrup, d.implied(100)], same=weighted)
    d.product([syrup, d.implied(100)], [litres], same=goal)
    d.say(
        f"{who} mixes {a} litres of a drink that is {p}% syrup "
        f"with {b} litres of one that is {q}% syrup."
    )
    d.ask(goal, "What per cent of the mix is syrup?")


# -- Level 5: seven or eight operations ----------------------------------------------------------


def _factory(d: Draft) -> None:
    things = d.things()
    made = _machines(d, things)
    rate = d.number(5, 40, 5)
    good = _without(d, made, rate)
    size, price = d.divisor(good, 4, 30), d.number(3, 30)
    d.say(
        f"{rate}% of all the {things} are faulty.",
        f"The good {things} are sold in boxes of {size}, at ${price} a box.",
    )
    d.ask(d.product([good, price], [size]), f"How many dollars do the {things} bring?")


def _orchard(d: Draft) -> None:
    rows, each, rate = d.number(4, 40), d.number(6, 40), d.number(10, 80, 5)
    yields, price = d.number(10, 60), d.number(2, 9)
    trees = d.product([rows, each])
    others = _without_one_of(d, trees, 4)
    apple = _without(d, others, rate)
    d.say(
        f"An orchard has {rows} rows of {each} trees.",
        f"A quarter of the trees bear pears, {rate}% of the others cherries, the rest apples.",
        f"Each apple tree yields {yields} kg, and a kg of apples sells at ${price}.",
    )
    d.ask(d.product([apple, yields, price]), "How many dollars do the apples bring?")


def _bill(d: Draft) -> None:
    who, things, others = d.name(), d.things(), d.things()
    a, p, rate = d.number(3, 20), d.number(10, 90, 10), d.number(10, 60, 10)
    b, q, children = d.number(3, 20), d.number(5, 40), d.number(3, 12)
    full = d.product([a, p])
    reduced = _without(d, full, rate)
    d.product([_without(d, p, rate), a], same=reduced)
    d.product([d.percent(p, rate), a], same=d.percent(full, rate))
    plain = d.product([b, q])
    sums = reduced.value + plain.value
    paid = d.given(sums + children.value * int(d.rng.integers(2, 40)))
    d.say(
        f"{who} buys {a} {things} at ${p} each, less {rate}%, and {b} {others} at ${q} each, for "
        "which there is no reduction.",
        f"{who} pays with ${paid} and shares the change equally among {children} children.",
    )
    change = d.total([paid], [reduced, plain])
    d.ask(d.product([change], [children]), "How many dollars does each child get?")


def _car(d: Draft) -> None:
    who = d.name()
    hours, days, wage = d.number(3, 9), d.number(2, 6), d.number(10, 40, 2)
    rate, rent, has = d.number(10, 40, 5), d.number(50, 300), d.number(100, 3000)
    pay = d.product([hours, days, wage])
    tax = d.percent(pay, rate)
    saved = d.total([pay], [tax, rent])
    _without(d, pay, rate)
    car = d.given(has.value + saved.value * int(d.rng.integers(5, 60)))
    d.say(
        f"{who} works {hours} hours a day on {days} days a week, at ${wage} an hour.",
        f"Of the pay, {rate}% goes on taxes and ${rent} a week on rent; the rest is saved.",
        f"{who} has ${has} and wants a car for ${car}.",
    )
    d.ask(d.product([d.total([car], [has])], [saved]), f"How many weeks must {who} save?")


def _school(d: Draft) -> None:
    classes, each, rate = d.number(6, 40), d.number(14, 35), d.number(10, 70, 5)
    others = _without(d, d.product([classes, each]), rate)
    bikes = _without_one_of(d, others, 3)
    size, price = d.divisor(bikes, 4, 20), d.number(30, 200)
    d.say(
        f"A school has {classes} classes of {each} pupils.",
        f"{rate}% of the pupils come by bus; a third of the others walk, and the rest cycle.",
        f"A stand for {size} bikes costs ${price}, and all bikes need a place.",
    )
    d.ask(d.product([bikes, price], [size]), "How many dollars do the stands cost?")


STORIES: dict[int, tuple[Story, ...]] = {
    1: (_gain_and_loss, _packs, _purchase, _change, _shared, _ride),
    2: (_two_purchases, _book, _friends, _trees, _hall, _wages, _trains),
    3: (_coats, _mix, _tour, _eggs, _ages, _harvest),
    4: (_workshop, _older, _outing, _bike, _bakery, _pool, _juices),
    5: (_factory, _orchard, _bill, _car, _school),
}
"""A story of a level is as likely as any other."""
