"""What De Spaak sells, as a table to read: item groups and product lines. All of it is invented.

Braces hold the variants of a line: "Tyre {28|26} in {black|sand}" is four items.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

# Group, parent, the month in which it sells best, how strongly it swings over the year (0..1).
GROUPS: tuple[tuple[str, str, int, float], ...] = (
    ("Bicycles", "", 5, 0.7),
    ("City Bikes", "Bicycles", 5, 0.7),
    ("E-Bikes", "Bicycles", 4, 0.6),
    ("Kids' Bikes", "Bicycles", 11, 0.5),
    ("Parts", "", 5, 0.3),
    ("Wheels", "Parts", 5, 0.4),
    ("Tyres & Tubes", "Parts", 4, 0.4),
    ("Drivetrain", "Parts", 5, 0.3),
    ("Brakes", "Parts", 10, 0.2),
    ("Saddles & Seatposts", "Parts", 6, 0.3),
    ("Frames & Forks", "Parts", 2, 0.3),
    ("Accessories", "", 6, 0.3),
    ("Lighting", "Accessories", 11, 0.8),
    ("Bags & Baskets", "Accessories", 6, 0.4),
    ("Locks", "Accessories", 9, 0.2),
    ("Bells & Whistles", "Accessories", 12, 0.4),
    ("Workshop", "", 3, 0.2),
    ("Tools", "Workshop", 12, 0.3),
    ("Oils & Consumables", "Workshop", 11, 0.2),
    ("Services", "", 3, 0.5),
)

# Group | code | name | selling price | cost as a share of it | unit | brand | demand
LINES = """
City Bikes | GRA | City bike Gracht {49|53|57|61} cm, {moss green|ink black} | 749 | .58 | Nos | Spaak | 3
City Bikes | OMA | Omafiets "Tante Riet" {53|57} cm, {black|cream|delft blue} | 589 | .57 | Nos | Spaak | 4
City Bikes | OPA | Opafiets "Ome Joop" {57|61|65} cm | 599 | .57 | Nos | Spaak | 2
City Bikes | POL | Folding bike Polder {7|9}-speed, {orange|grey} | 845 | .61 | Nos | Lomme | 2
E-Bikes | STR | E-bike Stroom {S|M|L}, {400|500} Wh | 2199 | .66 | Nos | Halma | 2
E-Bikes | BAK | Cargo e-bike "Bakker & Zoon" {two|three}-wheeled | 4350 | .68 | Nos | Halma | 1
E-Bikes | ACC | Battery Stroom {400|500|630} Wh | 449 | .62 | Nos | Halma | 2
Kids' Bikes | KID | Kids' bike Panda \N{PANDA FACE} {12|14|16|20}" | 189 | .52 | Nos | Kikker | 3
Kids' Bikes | LOO | Balance bike Vosje, {red|natural wood} | 79.5 | .50 | Nos | Kikker | 3
Wheels | WHF | Front wheel {26|28}" alloy, {rim|roller} brake | 54.9 | .51 | Nos | Ravel | 4
Wheels | WHR | Rear wheel {26|28}" {3|7|8}-speed hub | 129 | .55 | Nos | Ravel | 4
Wheels | WHD | Dynamo wheel 28", {36|32} spokes | 98.5 | .54 | Nos | Ravel | 2
Wheels | SPK | Spokes {250|264|291} mm with nipples, pack of 36 | 14.95 | .40 | Set | Ravel | 4
Tyres & Tubes | TYR | Tyre Gordel {26|28}" x {1.40|1.60|1.75}", {black|reflex} | 24.9 | .46 | Nos | Kruim | 9
Tyres & Tubes | TYW | Winter tyre "IJzel" {26|28}", 120 studs | 49.9 | .50 | Nos | Kruim | 2
Tyres & Tubes | TUB | Inner tube {16|20|26|28}", {Dunlop|Presta|car} valve | 5.95 | .35 | Nos | Kruim | 14
Tyres & Tubes | RIM | Rim tape {16|19|22} mm | 3.25 | .30 | Nos | Kruim | 4
Drivetrain | CHN | Chain {single|8|9|11}-speed | 19.95 | .45 | Nos | Kettinga | 8
Drivetrain | CAS | Cassette {7|8|9|11}-speed 11-{28|34}T | 34.5 | .50 | Nos | Kettinga | 3
Drivetrain | CRK | Crankset {38|42|46}T, {black|silver} | 42 | .48 | Nos | Kettinga | 3
Drivetrain | PED | Pedals, {resin|alloy|cork} | 17.5 | .42 | Pair | Kettinga | 6
Drivetrain | GUA | Chain guard {open|closed}, {matt|gloss} | 22.9 | .44 | Nos | Lakwerk | 3
Brakes | BRP | Brake pads, {rim|disc resin|disc sintered} | 8.95 | .34 | Pair | Remmer | 10
Brakes | BRC | Brake cable {front|rear}, {black|white} | 6.5 | .33 | Nos | Remmer | 7
Brakes | BRD | Brake disc {160|180} mm | 27 | .48 | Nos | Remmer | 3
Brakes | BRL | Brake lever {left|right}, {2|4} finger | 15.9 | .43 | Nos | Remmer | 3
Saddles & Seatposts | SAD | Saddle Zadelmaat {men's|women's|wide}, {brown|black} leather | 64 | .50 | Nos | Zadelmaat | 4
Saddles & Seatposts | SAG | Gel saddle cover "Zacht" | 14.5 | .38 | Nos | Zadelmaat | 4
Saddles & Seatposts | POS | Seatpost {25.4|27.2|31.6} mm, {fixed|sprung} | 29.9 | .46 | Nos | Zadelmaat | 3
Frames & Forks | FRM | Frame Gracht {49|53|57|61} cm, raw | 219 | .60 | Nos | Vonk | 1
Frames & Forks | FRK | Fork {26|28}", {straight|curved} | 59 | .52 | Nos | Vonk | 2
Frames & Forks | HDL | Handlebar {omafiets|sport|Bromsnor} | 26.5 | .46 | Nos | Vonk | 3
Lighting | LIF | Headlight Lumière {30|60|80} lux, {dynamo|battery} | 38.9 | .47 | Nos | Lumen & Zo | 7
Lighting | LIR | Tail light Glimworm, {dynamo|battery|brake light} | 16.9 | .41 | Nos | Lumen & Zo | 8
Lighting | LIS | Light set "Donker Gauw", {USB|AAA} | 21.5 | .42 | Set | Lumen & Zo | 9
Lighting | DYN | Bottle dynamo "Zoem" {left|right} | 18.5 | .44 | Nos | Lumen & Zo | 2
Lighting | REF | Reflector {white front|red rear|spoke} | 2.75 | .25 | Nos | Lumen & Zo | 6
Bags & Baskets | PAN | Pannier Schelde {18|28} l, {canvas|tarpaulin} | 58 | .48 | Nos | Duffel | 5
Bags & Baskets | PAD | Double pannier Maas 46 l, {black|tulip|stripes} | 89 | .49 | Nos | Duffel | 4
Bags & Baskets | BAS | Basket {rattan|steel|crate}, front carrier | 39 | .45 | Nos | Duffel | 4
Bags & Baskets | CRT | Beer crate carrier "Krat" <b>24 bottles</b> | 34.5 | .44 | Nos | Duffel | 3
Locks | LOR | Ring lock, {frame bolts|rim clamps} | 29.9 | .46 | Nos | Slotje | 6
Locks | LOC | Chain lock {80|110|140} cm, {8|10} mm | 47.5 | .47 | Nos | Slotje | 6
Locks | LOU | U-lock "Burcht" {S|L} | 69 | .50 | Nos | Slotje | 3
Bells & Whistles | BEL | Bell 'Ding-Dong' {60|80} mm, {chrome|mint|ladybird} | 9.95 | .36 | Nos | Tring | 8
Bells & Whistles | HOR | Horn "Toet" \N{POSTAL HORN} {small|XL} | 12.5 | .38 | Nos | Tring | 3
Bells & Whistles | KSE | Child seat {front|rear}, {grey|ochre} | 99 | .52 | Nos | Kikker | 4
Bells & Whistles | FLG | Flag, crème brûlée & raspberry | 5.5 | .30 | Nos | Tring | 2
Tools | PMP | {Floor|Hand|CO\N{SUBSCRIPT TWO}} pump | 32 | .45 | Nos | Sleutel | 5
Tools | MUL | Multi-tool {11|19}-in-1 | 27.9 | .43 | Nos | Sleutel | 4
Tools | LEV | Tyre levers, set of 3 | 4.95 | .30 | Set | Sleutel | 7
Tools | STD | Workshop stand, {fixed|folding} | 219 | .55 | Nos | Sleutel | 1
Tools | WRE | Spoke wrench {10|12|14}G | 7.9 | .36 | Nos | Sleutel | 3
Oils & Consumables | OIL | Chain oil {wet|dry} {100|250} ml | 8.5 | .37 | Nos | Smeer | 9
Oils & Consumables | GRS | Grease "Größe 2", per kg | 16.5 | .40 | Kg | Smeer | 3
Oils & Consumables | PAT | Puncture kit in a tin | 3.95 | .28 | Nos | Smeer | 12
Oils & Consumables | CAB | Outer cable, per metre, {black|white|red} | 1.95 | .30 | Metre | Remmer | 6
Services | SRV | {Small|Full} service | 59 | .0 | Nos | Spaak | 3
Services | TRU | Wheel truing | 24.5 | .0 | Nos | Spaak | 3
"""  # noqa: E501 - a table

# What one assembled Gracht takes: code of a line, how many.
GRACHT_PARTS = (
    *(("FRK", 1), ("HDL", 1), ("WHF", 1), ("WHR", 1), ("TYR", 2), ("TUB", 2)),
    *(("CHN", 1), ("CRK", 1), ("PED", 1), ("SAG", 1), ("LIF", 1), ("LIR", 1)),
)


@dataclass(frozen=True)
class Product:
    """One item of a line: prices are without VAT, `demand` is a weight among all products."""

    code: str
    line: str
    name: str
    group: str
    price: float
    cost: float
    uom: str
    brand: str
    demand: float

    @property
    def stocked(self) -> bool:
        return self.group != "Services"


def products() -> Iterator[Product]:
    for text in LINES.strip().splitlines():
        group, line, name, price, share, uom, brand, demand = (
            part.strip() for part in text.split(" | ")
        )
        names = list(_variants(name))
        for number, variant in enumerate(names):
            # The larger sizes and the dearer finishes come later in their braces.
            list_price = round(float(price) * (1 + 0.04 * number), 2)
            yield Product(
                code=f"{line}-{number + 1:03d}",
                line=line,
                name=variant,
                group=group,
                price=list_price,
                cost=round(list_price * float(share), 2),
                uom=uom,
                brand=brand,
                demand=float(demand) / len(names),
            )


def _variants(name: str) -> Iterator[str]:
    parts = re.split(r"\{([^{}]*)\}", name)
    choices = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
    for combination in itertools.product(*choices):
        yield "".join(combination)
