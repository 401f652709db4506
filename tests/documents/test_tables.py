"""Tables, in whatever format: each row is understood alone, far down, where nobody sees the names of its columns."""

import pytest

from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import read_document


def csv(text: str) -> str:
    return read_document("a.csv", text.encode()).text


def html(page: str) -> str:
    return read_document("a.html", page.encode()).text


def table(*rows: str, cell: str = "td") -> str:
    """A row's cells are separated by bars; the first row's are of the given kind."""
    lines = [
        f"<{kind}>".join(["<tr>", *row.split("|")])
        for kind, row in zip([cell] + ["td"] * len(rows), rows, strict=False)
    ]
    return f"<table>{''.join(lines)}</table>"


# Which row names the columns


@pytest.mark.parametrize("cell", ["td", "th"])
def test_rows_of_an_html_table_name_their_values(cell):
    rows = [f"{n}|{150 + n}|{n % 7 + 30}" for n in range(1, 61)]
    lines = html(table("Plot|Area (sq m)|Rent (pounds)", *rows, cell=cell)).split("\n")
    assert lines[46] == "Plot: 47; Area (sq m): 197; Rent (pounds): 35"
    assert len(lines) == 60


def test_words_in_two_columns_are_labels_rather_than_names_of_columns():
    assert html(table("Name|Ann", "Allergy|nuts", "Age|7")) == "Name | Ann\nAllergy | nuts\nAge | 7"
    assert (
        html(table("Room|Key", "Hall|hook", "Attic|nail", cell="th")) == "Room: Hall; Key: hook\nRoom: Attic; Key: nail"
    )


def test_a_form_is_read_label_by_label():
    assert csv("Name:,Ann\nAge:,7\nAllergy:,nuts\n") == "Name: Ann\nAge: 7\nAllergy: nuts"
    assert csv("Name,Ann\nAge,7\nAllergy,nuts\nShoes,31\n") == "Name; Ann\nAge; 7\nAllergy; nuts\nShoes; 31"


def test_a_form_in_two_columns_is_no_table_with_names():
    rows = ["Name|Tom Ash|School|Hill Lane", "Allergy|nuts|Group|2", "Phone|0123 456|Doctor|Lee"]
    assert html(table(*rows)) == "\n".join(row.replace("|", " | ") for row in rows)
    rows = ["Name|Age|City", "Ann|41|Rome", "Bob|29|Oslo"]
    assert html(table(*rows)).startswith("Name: Ann; Age: 41; City: Rome\n")


@pytest.mark.parametrize("rows", ["Tenant|Marit Dunlop/Rent|450", "Tenant|Tom Ash|Flat|2b/Rent|450|Floor|3"])
def test_two_rows_that_may_be_a_form_stay_beside_each_other(rows):
    assert html(table(*rows.split("/"))) == rows.replace("|", " | ").replace("/", "\n")
    assert html(table("Plot|Rent", "4|38")) == "Plot: 4; Rent: 38"
    assert html(table("Item|Price", "Tea|3.20", cell="th")) == "Item: Tea; Price: 3.20"


def test_numbers_are_no_labels_of_a_form():
    assert csv("id,remark\n1,none\n3,4\n") == "id: 1; remark: none\nid: 3; remark: 4"


def test_the_line_by_which_excel_knows_the_delimiter():
    document = read_document("a.csv", b"sep=;\nName;Age\nAnn, Bob;4\n")
    assert document.text == "Name: Ann, Bob; Age: 4"
    assert document.locate(0) == "row 3"


def test_labels_beside_values_in_html():
    page = "<table><tr><th colspan=2>Ann Sorrel<tr><th>Born<td>1900<tr><th>Died<td>1984, at sea</table>"
    assert html(page) == "Ann Sorrel\nBorn: 1900\nDied: 1984, at sea"


def test_names_of_empty_columns_are_not_lost():
    assert (
        csv("Child,Group,Allergies\nTom,2,\nKim,3,\n")
        == "Child; Group; Allergies\nChild: Tom; Group: 2\nChild: Kim; Group: 3"
    )


def test_several_tables_below_each_other():
    text = "Fruit;Price\nApple;3\nPear;4\n\nTools in the shed\nTool;Cost;Since\nSaw;12;2001\n\nAxe;9;1999\n"
    assert csv(text) == (
        "Fruit: Apple; Price: 3\nFruit: Pear; Price: 4\nTools in the shed\n"
        "Tool: Saw; Cost: 12; Since: 2001\nTool: Axe; Cost: 9; Since: 1999"
    )


def test_tables_side_by_side_may_have_the_same_names():
    assert csv("Name,Price,,Name,Price\nsaw,1,,axe,2\n") == "Name: saw; Price: 1; Name: axe; Price: 2"


def test_a_row_far_down_after_an_empty_one_keeps_the_names():
    rows = ["Name,City,Note", *["Ann,Rome,x"] * 40, "", "Bob,Oslo,", "Cid,Kiev,y"]
    assert csv("\n".join(rows)).endswith("\nName: Bob; City: Oslo\nName: Cid; City: Kiev; Note: y")


# Cells that reach over others


def test_html_names_in_two_rows_and_cells_over_several():
    page = """<table><caption>Rents</caption>
        <thead><tr><th rowspan=2>Plot<th colspan=2>2025<th colspan=2>2026<tr><th>Rent<th>Water<th>Rent<th>Water</thead>
        <tr><td>1<td>38<td>3<td>40<td>5 <tr><td colspan=5>North side <tr><td>7<td colspan=2>free<td>8<td>9</table>"""
    assert html(page) == (
        "Rents\n\nPlot: 1; 2025 Rent: 38; 2025 Water: 3; 2026 Rent: 40; 2026 Water: 5\nNorth side\n"
        "Plot: 7; 2025 Rent, 2025 Water: free; 2026 Rent: 8; 2026 Water: 9"
    )


def test_html_cells_that_reach_down_stand_in_each_row():
    page = "<table><tr><th>Day<th>Hour<th>What<tr><td rowspan=2>Monday<td>9<td>Yoga<tr><td>10<td>Judo</table>"
    assert html(page) == "Day: Monday; Hour: 9; What: Yoga\nDay: Monday; Hour: 10; What: Judo"


@pytest.mark.parametrize(
    ("span", "second"),
    [
        ("rowspan=0", "a | c | d"),
        ("colspan=0", "c | d"),
        ("colspan=x", "c | d"),
        ("rowspan=-3", "c | d"),
        ("colspan=9e9", "c | d"),
    ],
)
def test_html_spans_at_their_edges(span, second):
    assert html(f"<table><tr><td {span}>a<td>b<tr><td>c<td>d</table>") == f"a | b\n{second}"


# Layout


def test_html_tables_for_layout_stay_text():
    assert html("<table><tr><td>one<tr><td>two</table>") == "one\ntwo"
    assert html("<table role=presentation><tr><td>menu<td><p>some<p>text</table>") == "menu\n\nsome\n\ntext"
    nested = table("Plot|Rent", "4|38")
    assert html(f"<table><tr><td>menu<td><h2>Plots</h2>{nested}</table>") == "menu\n\nPlots\n\nPlot: 4; Rent: 38"


# Bounds


def test_a_table_can_not_multiply_its_text_without_end():
    long = "x" * 1_000_000
    with pytest.raises(Unreadable, match=r"^more than \d+ million characters"):
        html(f"<table><tr><td rowspan=1000>{long}<td>y{'<tr><td>y' * 100}</table>")
    with pytest.raises(Unreadable, match=r"^more than \d+ million characters"):
        html(table(f"{long}|b", *["1|2"] * 100, cell="th"))
