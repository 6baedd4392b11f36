"""Stock: one row an item, and one row an item and warehouse.

needs_reorder is ERPNext's own rule (its daily job in erpnext/stock/reorder_item.py), per row of the
item's reorder levels. Sub-selects are lateral on purpose: a page of 50 items then costs 50 items.
"""

from psycopg.sql import SQL, Composable, Composed, Literal

from bascule.mirror.views.sources import Sources
from bascule.mirror.views.view import define

_ALIASES = {
    "i": "Item",
    "t": "Item",
    "b": "Bin",
    "c": "Bin",
    "r": "Item Reorder",
    "o": "Item Reorder",
    "p": "Item Price",
    "w": "Warehouse",
    "g": "Warehouse",
}

# ERPNext's order of preference: of the stock UOM or of none, valid today, for nobody in particular,
# newest first.
_PRICE = """
left join lateral (
    select {p_price_list_rate} as rate
      from {p}
     where {p_item_code} = i.name {like_p_item_code} and {p_live} and {p_selling} is not false
       and coalesce({p_uom}, '') in ('', {i_stock_uom})
       and coalesce({p_customer}, '') = '' and coalesce({p_supplier}, '') = ''
       and coalesce({p_batch_no}, '') = ''
       and ({p_valid_from} is null or {p_valid_from} <= current_date)
       and ({p_valid_upto} is null or {p_valid_upto} >= current_date)
     order by ({p_price_list} is not distinct from 'Standard Selling') desc,
              {p_valid_from} desc nulls last, {p_uom} desc nulls last, {p_modified} desc, p.name
     limit 1
) as price on true"""

# Whose reorder levels count: the item's own; a variant without any has its template's.
_OWNER = """
coalesce((select t.name from {t}
           where t.name = nullif({i_variant_of}, '') and {t_live} and {template_in_use}
             and not exists (select from {o} where {o_parent} = i.name and {o_live})), i.name)"""

_IN_USE = """({%(a)s_disabled} is not true and {%(a)s_is_stock_item} is not false
       and ({%(a)s_end_of_life} is null or {%(a)s_end_of_life} > current_date))"""

# In a group of warehouses the quantities of all that are below it count together.
_PROJECTED_IN_TREE = """
(select sum({c_projected_qty}) from {c}
  where {c_item_code} = i.name {like_c_item_code} and {c_live}
    and ({c_warehouse} = coalesce(nullif({r_warehouse_group}, ''), {r_warehouse})
         or ({c_warehouse}, {r_warehouse_group}) in (
             with recursive below (warehouse, inside) as (
                 select w.name::text, {w_parent_warehouse}::text from {w}
                  where {w_parent_warehouse} <> '' and {w_live}
                 union
                 select below.warehouse, {g_parent_warehouse}::text
                   from below join {g} on g.name = below.inside
                  where {g_parent_warehouse} <> '' and {g_live})
             select warehouse, inside from below)))"""
_PROJECTED = """
(select coalesce(sum({c_projected_qty}) filter (where {c_warehouse} = {r_warehouse_group}),
                 sum({c_projected_qty}) filter (where {c_warehouse} = {r_warehouse}))
   from {c} where {c_item_code} = i.name {like_c_item_code} and {c_live})"""

_LEVELS = """
left join lateral (
    select sum(level) as level, sum(qty) as qty,
           bool_or((level <> 0 or qty <> 0) and coalesce(projected, 0) <= level) as due
      from (select coalesce({r_warehouse_reorder_level}, 0) as level,
                   coalesce({r_warehouse_reorder_qty}, 0) as qty,
                   {projected} as projected
              from {r}
             where {r_parent} = {owner} and {r_live} and {of_place} and {wanted}) as levels
) as levels on true"""

# How the stock of a row stands, from the row's own columns, so that whoever reads it can tell why:
# what is there and free, what is expected with all that is ordered and requested, and the level.
_STATE = """
case when figures.due is null or figures.available is null or figures.projected is null
       or {i_is_stock_item} is false or {i_has_variants} is true then null
     when figures.due then 'reorder'
     when figures.available > greatest(coalesce(figures.level, 0), 0) then 'enough'
     when figures.projected > greatest(coalesce(figures.level, 0), 0) then 'on its way'
     when figures.available <= 0 then 'out'
     else 'low' end"""

_ITEMS = """
select i.name as item_code,
       {i_item_name} as item_name,
       {i_item_group} as item_group,
       {place}coalesce(stock.actual, {zero_b_actual_qty}) as stock_qty,
       figures.available as available_qty,
       figures.level as reorder_level,
       coalesce(levels.qty, {zero_r_warehouse_reorder_qty}) as reorder_qty,
       coalesce(price.rate, {i_standard_rate}) as unit_price,
       {i_last_purchase_rate} as last_purchase_rate,
       {i_stock_uom} as uom,
       figures.due as needs_reorder{more},
       {state} as stock_state
  from {i}{places}
left join lateral (
    select {sums}
      from {b}
     where {b_item_code} = i.name {like_b_item_code} and {b_live} and {in_place} and {wanted_bins}
) as stock on true{levels}{price}
cross join lateral (
    select coalesce(stock.actual - stock.reserved, {zero_b_actual_qty} - {zero_b_reserved_qty})
               as available,
           coalesce(stock.projected, {zero_b_projected_qty}) as projected,
           coalesce(levels.level, {zero_r_warehouse_reorder_level}) as level,
           {due} as due
) as figures
 where {i_live} and {shown}"""

# Bins of the item and warehouses that it has a reorder level for, be there a Bin or not.
_PLACES = """
cross join lateral (
    select {b_warehouse} as warehouse from {b}
     where {b_item_code} = i.name {like_b_item_code} and {b_live} and {b_warehouse} <> ''
       and {wanted_bins}
    union
    select {r_warehouse} from {r}
     where {r_parent} = {owner} and {r_live} and {r_warehouse} <> '' and {wanted}
) as place"""

_SUMS = {
    "actual": "actual_qty",
    "reserved": "reserved_qty",
    "projected": "projected_qty",
    "ordered": "ordered_qty",
    "requested": "indented_qty",
    "planned": "planned_qty",
    "value": "stock_value",
}


def _wanted(s: Sources, column: str) -> Composable:
    """Only the warehouses that the connection is about."""
    if not s.warehouse_filter:
        return SQL("true")
    return s.query(column + " = any ({list})", list=Literal(list(s.warehouse_filter)))


def _wanted_levels(s: Sources) -> Composable:
    """ERPNext passes over the reorder levels of a warehouse that is disabled."""
    wanted = _wanted(s, "{r_warehouse}")
    if not s.has("Warehouse", "disabled"):
        return wanted
    closed = s.query(
        "not exists (select from {w} where w.name = {r_warehouse} and {w_disabled} and {w_live})"
    )
    return SQL("{} and {}").format(wanted, closed)


def _due(s: Sources) -> Composable:
    """Null where it cannot be known. ERPNext leaves out templates, and items past their life."""
    known = s.has("Bin", "projected_qty") and s.has(
        "Item Reorder", "warehouse_reorder_level", "warehouse_reorder_qty"
    )
    if not known:
        return SQL("null::boolean")
    in_use = s.query(_IN_USE % {"a": "i"})
    return s.query(
        "(coalesce(levels.due, false) and {i_has_variants} is not true and {in_use})", in_use=in_use
    )


def _items(s: Sources, *, by_warehouse: bool) -> Composed:
    s.using(**_ALIASES)
    tree = s.has("Warehouse", "parent_warehouse")
    owner = s.query(_OWNER, template_in_use=s.query(_IN_USE % {"a": "t"}))
    wanted, wanted_bins = _wanted_levels(s), _wanted(s, "{b_warehouse}")
    everywhere = SQL("true")
    levels = s.query(
        _LEVELS,
        owner=owner,
        wanted=wanted,
        projected=s.query(_PROJECTED_IN_TREE if tree else _PROJECTED)
        if s.has("Bin", "projected_qty", "warehouse", "item_code")
        else SQL("null::numeric"),
        of_place=s.query("{r_warehouse} = place.warehouse") if by_warehouse else everywhere,
    )
    place = places = SQL("")
    if by_warehouse:
        place = SQL("place.warehouse as warehouse,\n       ")
        places = s.query(_PLACES, owner=owner, wanted=wanted, wanted_bins=wanted_bins)  # type: ignore[assignment]
    sums = SQL(", ").join(
        s.query(f"sum({{b_{fieldname}}}) as {name}") for name, fieldname in _SUMS.items()
    )
    return s.query(
        _ITEMS,
        place=place,
        more=_extra_columns(s),
        places=places,
        sums=sums,
        levels=levels,
        price=s.query(_PRICE),
        due=_due(s),
        state=s.query(_STATE),
        in_place=s.query("{b_warehouse} = place.warehouse") if by_warehouse else everywhere,
        wanted_bins=wanted_bins,
        shown=everywhere if s.include_disabled else s.query("{i_disabled} is not true"),
    )


def _extra_columns(s: Sources) -> Composable:
    columns = [
        s.query(f",\n       coalesce(stock.{name}, {{zero_b_{_SUMS[name]}}}) as {column}")
        for name, column in (
            ("projected", "projected_qty"),
            ("reserved", "reserved_qty"),
            ("ordered", "ordered_qty"),
            ("requested", "requested_qty"),
            ("planned", "planned_qty"),
            ("value", "stock_value"),
        )
    ]
    return SQL("").join(columns)


_UNIT_PRICE = (
    "Item Price.price_list_rate of a selling price that is valid today, in the stock UOM or none, "
    "for no customer, supplier or batch: of `Standard Selling` if it has one, else the newest "
    "valid_from; without any, Item.standard_rate. In the price list's own currency"
)
_NEEDS = (
    "ERPNext's rule, for any of the item's rows in Item Reorder: (warehouse_reorder_level or "
    "warehouse_reorder_qty is set) and Bin.projected_qty <= warehouse_reorder_level; see below"
)
_STANDS = (
    "`reorder`: needs_reorder; `enough`: available_qty above reorder_level and above 0; "
    "`on its way`: projected_qty is, with what is ordered, requested and planned; "
    "`out`: available_qty is 0 or less; else `low`. None of what is not stocked, and of templates"
)

define(
    "inventory",
    "One row an item.",
    ("item_code",),
    lambda s: _items(s, by_warehouse=False),
    [
        (
            "item_code",
            "text",
            "The item's code",
            "Item.name, which ERPNext keeps equal to item_code",
        ),
        ("item_name", "text", "Its name", "Item.item_name"),
        ("item_group", "text", "Its group", "Item.item_group"),
        ("stock_qty", "numeric", "In stock now", "Sum of Bin.actual_qty; 0 without a Bin"),
        (
            "available_qty",
            "numeric",
            "In stock and not reserved",
            "Sum of Bin.actual_qty less sum of Bin.reserved_qty",
        ),
        (
            "reorder_level",
            "numeric",
            "Where reordering starts",
            "Sum over warehouses of Item Reorder.warehouse_reorder_level; 0 if none",
        ),
        (
            "reorder_qty",
            "numeric",
            "How much to reorder",
            "Sum over warehouses of Item Reorder.warehouse_reorder_qty; 0 if none",
        ),
        ("unit_price", "numeric", "Selling price of one stock UOM", _UNIT_PRICE),
        ("last_purchase_rate", "numeric", "What it cost last", "Item.last_purchase_rate"),
        ("uom", "text", "The unit that it is stocked in", "Item.stock_uom"),
        ("needs_reorder", "boolean", "Whether any warehouse has to reorder it", _NEEDS),
        ("projected_qty", "numeric", "Expected, with all of these", "Sum of Bin.projected_qty"),
        ("reserved_qty", "numeric", "Reserved for sales orders", "Sum of Bin.reserved_qty"),
        ("ordered_qty", "numeric", "Ordered from suppliers", "Sum of Bin.ordered_qty"),
        ("requested_qty", "numeric", "Requested, not yet ordered", "Sum of Bin.indented_qty"),
        ("planned_qty", "numeric", "Planned to be made", "Sum of Bin.planned_qty"),
        ("stock_value", "numeric", "What the stock is worth", "Sum of Bin.stock_value"),
        ("stock_state", "text", "How it stands: reorder, enough, on its way, out, low", _STANDS),
    ],
)

define(
    "inventory_by_warehouse",
    "One row an item and warehouse: where it has a Bin or a reorder level.",
    ("item_code", "warehouse"),
    lambda s: _items(s, by_warehouse=True),
    [
        ("item_code", "text", "The item's code", "Item.name"),
        ("item_name", "text", "Its name", "Item.item_name"),
        ("item_group", "text", "Its group", "Item.item_group"),
        ("warehouse", "text", "The warehouse", "Bin.warehouse, Item Reorder.warehouse"),
        ("stock_qty", "numeric", "In stock there now", "Bin.actual_qty; 0 without a Bin"),
        (
            "available_qty",
            "numeric",
            "In stock there and not reserved",
            "Bin.actual_qty less Bin.reserved_qty",
        ),
        (
            "reorder_level",
            "numeric",
            "Where reordering starts there",
            "Item Reorder.warehouse_reorder_level; 0 if none",
        ),
        (
            "reorder_qty",
            "numeric",
            "How much to reorder",
            "Item Reorder.warehouse_reorder_qty; 0 if none",
        ),
        ("unit_price", "numeric", "Selling price of one stock UOM", "As in `inventory`"),
        ("last_purchase_rate", "numeric", "What it cost last", "Item.last_purchase_rate"),
        ("uom", "text", "The unit that it is stocked in", "Item.stock_uom"),
        (
            "needs_reorder",
            "boolean",
            "Whether this warehouse has to reorder it",
            "As in `inventory`, for the row of this warehouse",
        ),
        ("projected_qty", "numeric", "Expected there", "Bin.projected_qty; 0 without a Bin"),
        ("reserved_qty", "numeric", "Reserved for sales orders", "Bin.reserved_qty"),
        ("ordered_qty", "numeric", "Ordered from suppliers", "Bin.ordered_qty"),
        ("requested_qty", "numeric", "Requested, not yet ordered", "Bin.indented_qty"),
        ("planned_qty", "numeric", "Planned to be made", "Bin.planned_qty"),
        ("stock_value", "numeric", "What the stock is worth", "Bin.stock_value"),
        (
            "stock_state",
            "text",
            "How it stands there: reorder, enough, on its way, out, low",
            "As in `inventory`",
        ),
    ],
)
