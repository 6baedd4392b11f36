"""What happened once that year, beside the trade: projects, dearer rubber, items discontinued."""

from datetime import date, datetime, timedelta

from bascule.sandbox.company import masters
from bascule.sandbox.company.agenda import Agenda
from bascule.sandbox.company.books import Books
from bascule.sandbox.company.items import Range

_PROJECTS = (
    ("Loan bikes \N{EM DASH} Zwolle", "Gemeente Zwolle; afd. Mobiliteit", "Open", 18_000.0),
    ("Student fleet & repairs", "Universiteit & Hogeschool Fietspool", "Open", 26_500.0),
    ("Beach bikes 'De Schelp'", "Strandhotel 'De Schelp'", "Completed", 7_400.0),
)
_LEAVING = ("FLG-001", "HOR-001", "DYN-002", "RIM-003")


class Incidents:
    def __init__(self, books: Books, range_: Range, agenda: Agenda) -> None:
        self.books, self.range, self.agenda = books, range_, agenda

    def open_projects(self, begin: datetime) -> None:
        for number, (name, customer, status, estimate) in enumerate(_PROJECTS):
            at = begin + timedelta(hours=number, microseconds=self.books.rng.randrange(10**6))
            self.books.write(
                "Project",
                self.books.next_in("PROJ-", digits=4),
                at,
                owner=masters.STAFF[0][0],
                naming_series="PROJ-.####",
                **{"project_name": name, "customer": customer, "status": status},
                **{"is_active": "Yes", "priority": "Medium", "company": masters.COMPANY},
                percent_complete=100.0 if status == "Completed" else 35.0,
                percent_complete_method="Manual",
                expected_start_date=at.date().isoformat(),
                expected_end_date=(at.date() + timedelta(days=330)).isoformat(),
                estimated_costing=estimate,
                cost_center=masters.COST_CENTER,
            )

    def open_for(self, first: date, today: date) -> None:
        january = datetime(
            first.year if first <= date(first.year, 1, 2) else first.year + 1, 1, 2, 9
        )
        self.agenda.at(january, self.raise_rubber)
        summer = datetime.combine(first + (today - first) * 3 // 5, datetime.min.time())
        self.agenda.at(summer + timedelta(hours=16, minutes=40), self.discontinue)

    def raise_rubber(self, at: datetime) -> None:
        """One price list import: all its rows carry the same `modified`, to the microsecond."""
        for price in self.books.documents["Item Price"]:
            if price["brand"] == "Kruim" and price["buying"]:
                rate = round(price["price_list_rate"] * 1.03, 2)
                self.range.buying_rate[price["item_code"]] = rate
                by = masters.STAFF[1][0]
                self.books.change(price, at, by, price_list_rate=rate, reference=f"Kruim {at.year}")

    def discontinue(self, at: datetime) -> None:
        for code in _LEAVING:
            at += timedelta(seconds=41, milliseconds=7)
            end = at.date().isoformat()
            self.books.change(
                self.range.items[code], at, masters.STAFF[0][0], disabled=1, end_of_life=end
            )
