"""Whom De Spaak buys from and sells to, and where they live. All of them are invented."""

from dataclasses import dataclass

# City, state, first digits of its postal codes, country, weight among the customers.
CITIES = (
    ("Utrecht", "UT", "35", "Netherlands", 9),
    ("Amersfoort", "UT", "38", "Netherlands", 5),
    ("Groningen", "GR", "97", "Netherlands", 7),
    ("Haren", "GR", "97", "Netherlands", 2),
    ("Amsterdam", "NH", "10", "Netherlands", 7),
    ("Haarlem", "NH", "20", "Netherlands", 4),
    ("'s-Hertogenbosch", "NB", "52", "Netherlands", 3),
    ("Zwolle", "OV", "80", "Netherlands", 3),
    ("Leeuwarden", "FR", "89", "Netherlands", 2),
    ("Maastricht", "LI", "62", "Netherlands", 2),
    ("Gent", "VOV", "90", "Belgium", 3),
    ("Liège", "WLG", "40", "Belgium", 2),
    ("Münster", "NW", "481", "Germany", 4),
    ("Köln", "NW", "506", "Germany", 2),
    ("København", "", "21", "Denmark", 2),
    ("Malmö", "M", "211", "Sweden", 1),
)

STREETS = (
    *("Oudegracht", "Kerkstraat", "Fietserslaan", "Vismarkt", "Zadelstraat", "Molenweg"),
    *("Koningin Wilhelminakade", "Bakkerspad", "Spoorlaan", "Tulpenhof", "Westersingel", "Dijk"),
)

COUNTRIES = {
    "Netherlands": ("nl", "NL", "+31", "6"),
    "Belgium": ("be", "BE", "+32", "4"),
    "Germany": ("de", "DE", "+49", "15"),
    "Denmark": ("dk", "DK", "+45", "2"),
    "Sweden": ("se", "SE", "+46", "7"),
    "Italy": ("it", "IT", "+39", "3"),
    "France": ("fr", "FR", "+33", "6"),
    "Poland": ("pl", "PL", "+48", "5"),
    "Czech Republic": ("cz", "CZ", "+420", "6"),
    "Taiwan": ("tw", "TW", "+886", "9"),
    "Japan": ("jp", "JP", "+81", "90"),
}

# Written out, because real address books look like this.
NOTABLE_CUSTOMERS = (
    ("Café-Racer \N{BICYCLE} Haarlem", "Bike Shops"),
    ('"De Ketting" Rijwielen', "Bike Shops"),
    ("O'Neill & Daughters", "Bike Shops"),
    ("Fietsenmaker <b>Bas</b>", "Bike Shops"),
    ("Sjoerd's Fietsplus \N{EN DASH} Sneek", "Bike Shops"),
    ("Velo Liège S.à r.l.", "Bike Shops"),
    ("Fahrrad Jäger & Söhne GmbH", "Bike Shops"),
    ("Ærø Cykler ApS", "Bike Shops"),
    ("Gemeente Zwolle; afd. Mobiliteit", "Public Sector"),
    ("Provinsje Fryslân", "Public Sector"),
    ("Universiteit & Hogeschool Fietspool", "Public Sector"),
    ("Strandhotel 'De Schelp'", "Rental & Tourism"),
    ("Wad'n Fiets \\ Terschelling", "Rental & Tourism"),
    ("Bike&Boat 50% Tours", "Rental & Tourism"),
)
CUSTOMER_GROUPS = (
    ("Bike Shops", 6, "Net 30"),
    ("Rental & Tourism", 2, "Half Now, Half in 30 Days"),
    ("Public Sector", 1, "Net 30"),
    ("Consumers", 6, "Prepaid"),
)
SHOP_NAMES = ("Rijwielen", "Tweewielers", "Fietsen", "Bikes", "Wielersport", "& Zn.", "Fietsplein")
RENTAL_NAMES = ("Verhuur", "Fietsverhuur", "Bike Rental", "Hostel", "Camping", "Pension")
PUBLIC_NAMES = ("Gemeente", "Waterschap", "Scholengroep", "Ziekenhuis")

FIRST_NAMES = (
    *("Sanne", "Daan", "Noor", "Bram", "Femke", "Joris", "Maud", "Thijs", "Anouk", "Pieter"),
    *("Zoë", "Jürgen", "Élodie", "Søren", "Åsa", "Fatima", "Mehmet", "Aïcha", "Wout", "Ruben"),
    *("Lotte", "Kees", "Marieke", "Hidde", "Tjitske", "Björn", "Inês", "Łukasz", "Yuki", "Ravi"),
)
LAST_NAMES = (
    *("de Vries", "Jansen", "van den Berg", "Bakker", "Visser", "Smit", "Meijer", "de Boer"),
    *("Mulder", "Dekker", "Hoekstra", "Peeters", "Dubois", "Müller", "Schröder", "Nielsen"),
    *("Öztürk", "El Amrani", "D'Hondt", "van 't Hof", "Kramer", "Postma", "Bos", "Vermeulen"),
)


@dataclass(frozen=True)
class SupplierCard:
    name: str
    country: str
    group: str
    terms: str
    lead_days: int
    currency: str = "EUR"


SUPPLIER_GROUPS = {
    "Bike Builders": ("City Bikes", "E-Bikes", "Kids' Bikes", "Frames & Forks"),
    "Component Makers": ("Wheels", "Drivetrain", "Brakes", "Saddles & Seatposts"),
    "Rubber": ("Tyres & Tubes",),
    "Lights & Electronics": ("Lighting",),
    "Bags, Locks & Bells": ("Bags & Baskets", "Locks", "Bells & Whistles"),
    "Workshop Supplies": ("Tools", "Oils & Consumables"),
    "Services & Freight": (),
}

SUPPLIERS = tuple(
    SupplierCard(name, country, group, terms, int(lead), *currency)
    for name, country, group, terms, lead, *currency in (
        line.split(" | ")
        for line in """\
Halma Elektrisch B.V. | Netherlands | Bike Builders | Net 30 | 14
Kikker Kinderfietsen B.V. | Netherlands | Bike Builders | Net 30 | 10
Lomme Vouwfietsen N.V. | Belgium | Bike Builders | Net 60 | 18
Vonk Framebouw V.O.F. | Netherlands | Bike Builders | Net 14 | 12
Telai Fratelli Brambilla & C. S.n.c. | Italy | Bike Builders | Net 60 | 24
Rower Pomorski Sp. z o.o. | Poland | Bike Builders | Net 30 | 16
台北單車零件股份有限公司 | Taiwan | Component Makers | 30% Deposit, 70% on Arrival | 38 | USD
Formosa Hub Works Co., Ltd. | Taiwan | Component Makers | 30% Deposit, 70% on Arrival | 42 | USD
株式会社サカイ歯車 | Japan | Component Makers | Net 60 | 35 | USD
Ravel Wielen B.V. | Netherlands | Component Makers | Net 30 | 8
Kettinga Aandrijving B.V. | Netherlands | Component Makers | Net 30 | 7
Remmer GmbH & Co. KG | Germany | Component Makers | Net 30 | 9
Zadelmaat Lederwaren | Netherlands | Component Makers | Net 14 | 12
Lakwerk "De Kwast" | Netherlands | Component Makers | Net 14 | 10
Speichen-Schröder e.K. | Germany | Component Makers | Net 30 | 11
Pédales d'Auvergne S.A.R.L. | France | Component Makers | Net 60 | 15
Řetězy Vltava s.r.o. | Czech Republic | Component Makers | Net 30 | 14
Kruim Rubber B.V. | Netherlands | Rubber | Net 30 | 6
Gummiwerk Teutoburg AG | Germany | Rubber | Net 30 | 9
Pneus & Chambres du Nord | France | Rubber | Net 60 | 12
Lumen & Zo B.V. | Netherlands | Lights & Electronics | Net 30 | 7
Glimworm Elektronica | Netherlands | Lights & Electronics | Net 14 | 8
Leuchtfeuer Optik GmbH | Germany | Lights & Electronics | Net 30 | 13
光明電子有限公司 | Taiwan | Lights & Electronics | 30% Deposit, 70% on Arrival | 36 | USD
Duffel Textiel B.V.B.A. | Belgium | Bags, Locks & Bells | Net 30 | 10
Slotje & Grendel | Netherlands | Bags, Locks & Bells | Net 30 | 7
Tring Klokkengieterij | Netherlands | Bags, Locks & Bells | Net 14 | 9
Åkerlund & Söner AB | Sweden | Bags, Locks & Bells | Net 30 | 14
Mandenmakerij 't Riet | Netherlands | Bags, Locks & Bells | Net 14 | 11
Borse Bellissime S.p.A. | Italy | Bags, Locks & Bells | Net 60 | 20
Sleutel Gereedschap B.V. | Netherlands | Workshop Supplies | Net 30 | 5
Smeer Smeermiddelen B.V. | Netherlands | Workshop Supplies | Net 30 | 5
Werkzeug Wagner <GmbH> | Germany | Workshop Supplies | Net 30 | 8
Nářadí Morava a.s. | Czech Republic | Workshop Supplies | Net 30 | 12
Kabel & Kous | Netherlands | Workshop Supplies | Net 14 | 6
Snelgoed Transport | Netherlands | Services & Freight | Net 14 | 1
Kanaal Logistiek N.V. | Belgium | Services & Freight | Net 30 | 1
Boekhoudkantoor Cijfer & Punt | Netherlands | Services & Freight | Net 14 | 1
Schoonmaak "Blinkend" | Netherlands | Services & Freight | Net 14 | 1
Drukkerij De Letter \N{PRINTER} | Netherlands | Services & Freight | Net 30 | 1""".splitlines()
    )
)

LEAD_DAYS = {card.name: card.lead_days for card in SUPPLIERS}
