"""What a person sees in a Word document is in its text, once, in order; what they don't see is not."""

import pytest

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import read_document
from infinidoc.documents.formats.ooxml import package
from tests.documents import samples

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
ROOT = (
    f'xmlns:w="{W}" xmlns:r="{OFFICE}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
)


def members(body: str, **parts: str) -> dict[str, str]:
    """The members of a Word file; `parts` are the insides of the parts of these names, such as "footnotes"."""
    roots = {"header1": "hdr", "header2": "hdr", "footer1": "ftr"}
    found = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": "<Relationships>"
        f'<Relationship Id="a" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f"<w:document {ROOT}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": "<Relationships>"
        + "".join(
            f'<Relationship Id="{name}" Type="{OFFICE}/{name.rstrip("12")}" Target="{name}.xml"/>' for name in parts
        )
        + "</Relationships>",
    }
    for name, inside in parts.items():
        root = roots.get(name, name)
        found[f"word/{name}.xml"] = f"<w:{root} {ROOT}>{inside}</w:{root}>"
    return found


def read(body: str, **parts: str) -> Document:
    return read_document("a.docx", samples.archive(members(body, **parts)))


def text(body: str, **parts: str) -> str:
    return read(body, **parts).text


def r(content: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{content}</w:t></w:r>'


def p(*content: str, properties: str = "") -> str:
    runs = "".join(part if part.startswith("<") else r(part) for part in content)
    return f"<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>"


def item(content: str, number: int = 1, level: int = 0) -> str:
    return p(content, properties=f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def level(depth: int, form: str, text: str, more: str = "") -> str:
    start = f'<w:start w:val="1"/><w:numFmt w:val="{form}"/>{more}'
    return f'<w:lvl w:ilvl="{depth}">{start}<w:lvlText w:val="{text}"/></w:lvl>'


def numbering(*levels: str, nums: str = "") -> str:
    return (
        f'<w:abstractNum w:abstractNumId="0">{"".join(levels)}</w:abstractNum>'
        f'<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>{nums}'
    )


# Beside the text


def test_notes_and_comments_stand_by_their_paragraph_and_margins_once():
    body = (
        p("Any evening.", '<w:r><w:footnoteReference w:id="2"/></w:r>', " Or day.")
        + p("Keys are at number 4.", '<w:r><w:commentReference w:id="0"/></w:r>')
        + p("A deposit is taken.", '<w:r><w:endnoteReference w:id="1"/></w:r>')
        + p("Part two.", properties='<w:sectPr><w:headerReference r:id="header1"/></w:sectPr>')
        + '<w:sectPr><w:headerReference r:id="header1"/><w:headerReference w:type="first" r:id="header2"/>'
        '<w:footerReference r:id="footer1"/></w:sectPr>'
    )
    parts = {
        "footnotes": f'<w:footnote w:id="0" w:type="separator">{p("---")}</w:footnote>'
        f'<w:footnote w:id="2">{p("<w:r><w:footnoteRef/></w:r>", "Not Tuesdays.")}</w:footnote>',
        "endnotes": f'<w:endnote w:id="1">{p("Returned within ten days.")}</w:endnote>',
        "comments": f'<w:comment w:id="0" w:author="Ann {{}}">{p("The insurer asks")}{p("for 120.")}</w:comment>',
        "header1": p("Ref: HX-2291"),
        "header2": p("not in use: there is no other first page"),
        "footer1": p("Draft, page ", '<w:fldSimple w:instr="PAGE"><w:r><w:t>1</w:t></w:r></w:fldSimple>'),
    }
    assert text(body, **parts) == (
        "Ref: HX-2291\n\nAny evening.[1] Or day.\n\n[1] Not Tuesdays.\n\nKeys are at number 4.\n\n"
        "[Comment by Ann: The insurer asks for 120.]\n\nA deposit is taken.[i]\n\n[i] Returned within ten days.\n\n"
        "Part two.\n\nDraft, page 1"
    )


def test_notes_in_a_table_follow_it():
    cell = p("38", '<w:r><w:footnoteReference w:id="1"/></w:r>')
    body = f"<w:tbl><w:tr><w:tc>{p('rent')}</w:tc><w:tc>{cell}</w:tc></w:tr></w:tbl>"
    note = f'<w:footnote w:id="1">{p("a month")}</w:footnote>'
    assert text(body + p("after"), footnotes=note) == "rent | 38[1]\n\n[1] a month\n\nafter"


def test_a_text_box_is_shown_once_and_may_hold_anything():
    table = f"<w:tbl><w:tr><w:tc>{p('a')}</w:tc><w:tc>{p('b')}</w:tc></w:tr></w:tbl>"
    box = f"<w:txbxContent>{p('boxed')}{table}</w:txbxContent>"
    shape = (
        f"<w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback><w:pict><v:textbox>{box}</v:textbox>"
        "</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    assert text(p("before", shape, " and after")) == "before and after\n\nboxed\n\na | b"
    old = f"<w:r><mc:AlternateContent><mc:Choice/><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r>"
    assert text(p("before", old)) == "before\n\nboxed\n\na | b"


# Numbers


def test_numbers_of_several_levels():
    levels = [level(0, "decimal", "%1."), level(1, "lowerLetter", "%1.%2)"), level(2, "upperRoman", "%3")]
    items = [("a", 0), ("b", 0), ("c", 1), ("d", 2), ("e", 2), ("f", 1), ("g", 0), ("h", 1)]
    body = "".join(item(content, level=depth) for content, depth in items)
    assert text(body, numbering=numbering(*levels)).split("\n") == [
        "1. a", "2. b", "2.a) c", "I d", "II e", "2.b) f", "3. g", "3.a) h",
    ]  # fmt: skip


def test_numbers_go_on_after_other_text_and_start_anew_where_told():
    start = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    again = f'<w:num w:numId="2"><w:abstractNumId w:val="0"/>{start}</w:num>'
    same = '<w:num w:numId="3"><w:abstractNumId w:val="0"/></w:num>'
    body = item("a") + p("between") + item("b") + item("c", 2) + item("d", 2) + item("e", 3) + item("f", 0)
    assert text(body, numbering=numbering(level(0, "decimal", "(%1)"), nums=again + same)).split() == (
        ["(1)", "a", "between", "(2)", "b", "(5)", "c", "(6)", "d", "(7)", "e", "f"]
    )


def test_numbers_that_never_restart_or_are_legal():
    levels = [
        level(0, "upperRoman", "Article %1."),
        level(1, "decimal", "§ %2", '<w:lvlRestart w:val="0"/>'),
        level(2, "decimal", "%1.%2.%3", "<w:isLgl/>"),
    ]
    body = "".join(item(content, level=n) for content, n in [("a", 0), ("b", 1), ("c", 0), ("d", 1), ("e", 2)])
    assert text(body, numbering=numbering(*levels)) == "Article I. a\n§ 1 b\nArticle II. c\n§ 2 d\n2.2.1 e"


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("decimal", "28"), ("decimalZero", "28"), ("lowerLetter", "bb"), ("upperLetter", "BB"),
        ("lowerRoman", "xxviii"), ("ordinal", "28th"), ("cardinalText", "Twenty-eight"),
        ("ordinalText", "Twenty-eighth"), ("unheardOf", "28"),
    ],
)  # fmt: skip
def test_numbers_are_written_in_many_ways(form, shown):
    part = numbering(level(0, form, "%1)")).replace('<w:start w:val="1"/>', '<w:start w:val="28"/>')
    assert text(item("x"), numbering=part) == f"{shown}) x"


def test_styles_number_their_paragraphs():
    def style(name: str, based: str, properties: str) -> str:
        return (
            f'<w:style w:type="paragraph" w:styleId="{name}"><w:name w:val="{name}"/><w:basedOn w:val="{based}"/>'
            f"<w:pPr>{properties}</w:pPr></w:style>"
        )

    styles = (
        style("heading 1", "", '<w:numPr><w:numId w:val="1"/></w:numPr>')
        + style("heading 2", "", '<w:numPr><w:numId w:val="1"/></w:numPr>')
        + style("Mine", "heading 2", "")
        + style("Plain", "heading 1", '<w:numPr><w:numId w:val="0"/></w:numPr>')
    )
    levels = [
        level(0, "decimal", "%1", '<w:pStyle w:val="heading 1"/>'),
        level(1, "decimal", "%1.%2", '<w:pStyle w:val="heading 2"/>'),
    ]
    body = "".join(
        p(content, properties=f'<w:pStyle w:val="{name}"/>')
        for content, name in [("Rent", "heading 1"), ("Due", "heading 2"), ("Late", "Mine"), ("Annex", "Plain")]
    )
    document = read(body, styles=styles, numbering=numbering(*levels))
    assert document.text == "1 Rent\n\n1.1 Due\n\n1.2 Late\n\nAnnex"
    assert [mark.label for mark in document.marks] == [
        "section 1 Rent",
        "section 1.1 Due",
        "section 1.2 Late",
        "section Annex",
    ]


def test_bullets_and_lists_that_show_nothing():
    levels = [level(0, "bullet", "\uf0b7"), level(1, "none", ""), level(2, "decimal", "%3.")]
    body = item("a") + item("b", level=1) + item("") + item("", level=2) + item("c", level=2)
    assert text(body, numbering=numbering(*levels)).split() == ["-", "a", "b", "1.", "2.", "c"]


# Runs


def test_changes_are_shown_as_accepted():
    deleted = "<w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
    moved = f"<w:moveFrom>{r('from here ')}</w:moveFrom>"
    gone = "<w:rPr><w:del/></w:rPr>"
    body = (
        p("a ", deleted, moved, f"<w:ins>{r('new')}</w:ins>", f"<w:moveTo>{r(' moved')}</w:moveTo>")
        + p("joined ", properties=gone)
        + p("to this")
        + f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{p('gone')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{p('stays')}</w:tc></w:tr></w:tbl>"
    )
    assert text(body) == "a new moved\n\njoined to this\n\nstays"


def field(*parts: str, data: str = "") -> str:
    """Parts: the code, and the result if there is one."""
    begin, separate, end = (
        f'<w:r><w:fldChar w:fldCharType="{kind}">{{}}</w:fldChar></w:r>' for kind in ("begin", "separate", "end")
    )
    return begin.format(data) + separate.format("").join(parts) + end.format("")


def test_fields_show_their_result_and_not_their_code():
    nested = field(
        r("IF ") + field("<w:r><w:instrText>MERGEFIELD x</w:instrText></w:r>", r("secret")) + r(' = "a"'), r("shown")
    )
    index = field('<w:r><w:instrText>XE "word"</w:instrText></w:r>')
    link = field("<w:r><w:instrText>HYPERLINK x</w:instrText></w:r>", r("the site"))
    assert text(p("a ", nested, index, " b ", link)) == "a shown b the site"


def test_a_field_may_go_on_over_paragraphs():
    whole = field("<w:r><w:instrText>TOC</w:instrText></w:r>", r("one") + "</w:p><w:p>" + r("two"))
    assert text(f"<w:p>{whole}</w:p>{p('three')}") == "one\n\ntwo\n\nthree"


def test_the_fields_of_a_form_show_their_state():
    def box(*switches: str) -> str:
        return field(r(""), data=f"<w:ffData><w:checkBox>{''.join(switches)}</w:checkBox></w:ffData>")

    def entries(result: str) -> str:
        listed = "".join(f'<w:listEntry w:val="{value}"/>' for value in ("none", "nuts", "milk"))
        return field(r(""), data=f"<w:ffData><w:ddList>{result}{listed}</w:ddList></w:ffData>")

    filled = field("<w:r><w:instrText>FORMTEXT</w:instrText></w:r>", r("Tom"), data="<w:ffData><w:name/></w:ffData>")
    modern = '<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val="{}"/></w14:checkbox></w:sdtPr><w:sdtContent>' + r("?")
    modern += "</w:sdtContent></w:sdt>"
    body = p("Child: ", filled, " Allergy: ", entries('<w:result w:val="1"/>'), "/", entries("")) + p(
        box('<w:default w:val="0"/>', "<w:checked/>"), " swims ", box("<w:default/>"), " bus ",
        box('<w:checked w:val="0"/>'), " pays ", modern.format(1), " A ", modern.format(0), " B",
    )  # fmt: skip
    assert text(body) == "Child: Tom Allergy: nuts/none\n\n☒ swims ☒ bus ☐ pays ☒ A ☐ B"


def test_characters_of_many_kinds():
    symbol = '<w:r><w:sym w:font="{}" w:char="{}"/></w:r>'
    body = p(
        symbol.format("Wingdings", "F0FE"), symbol.format("Symbol", "F061"),
        r("\uf062", '<w:rFonts w:ascii="Symbol"/>'), "<w:r><w:tab/><w:noBreakHyphen/><w:softHyphen/><w:br/></w:r>",
        f"<w:smartTag>{r('tagged')}</w:smartTag><w:hyperlink>{r(' linked')}</w:hyperlink>",
        f"<w:r><w:ruby><w:rt>{r('kana')}</w:rt><w:rubyBase>{r('漢字')}</w:rubyBase></w:ruby></w:r>",
        r("unseen", "<w:vanish/>"), r(" seen", '<w:vanish w:val="0"/>'),
        "<m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath>",
    )  # fmt: skip
    assert text(body) == "☑αβ\t-\ntagged linked漢字(kana) seena/b"


def test_a_watermark():
    mark = '<w:r><w:pict><v:shape><v:textpath string="CONFIDENTIAL"/></v:shape></w:pict></w:r>'
    body = p("text") + '<w:sectPr><w:headerReference r:id="header1"/></w:sectPr>'
    assert text(body, header1=p(mark)) == "CONFIDENTIAL\n\ntext"


# Tables


def table(*rows: list[str], head: str = "") -> str:
    cells = [[f"<w:tc>{p(cell)}</w:tc>" if not cell.startswith("<w:tc>") else cell for cell in row] for row in rows]
    lines = [f"<w:tr>{head if n == 0 else ''}{''.join(row)}</w:tr>" for n, row in enumerate(cells)]
    return f"<w:tbl>{''.join(lines)}</w:tbl>"


def merged(content: str, properties: str) -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(content)}</w:tc>"


def test_each_row_far_down_names_its_values():
    rows = [[str(n), str(150 + n), str(30 + n % 9)] for n in range(1, 61)]
    lines = text(table(["Plot", "Area (sq m)", "Rent (pounds)"], *rows)).split("\n")
    assert lines[46] == "Plot: 47; Area (sq m): 197; Rent (pounds): 32"


def test_a_row_that_repeats_on_each_page_names_the_columns():
    rows = [["Room", "Caretaker"], ["Hall", "Ann"], ["Attic", "Bob"]]
    assert text(table(*rows)) == "Room | Caretaker\nHall | Ann\nAttic | Bob"  # or is it a form?
    assert text(table(*rows, head="<w:trPr><w:tblHeader/></w:trPr>")) == (
        "Room: Hall; Caretaker: Ann\nRoom: Attic; Caretaker: Bob"
    )
    bold = [f"<w:tc>{p(r(name, '<w:b/>'))}</w:tc>" for name in rows[0]]
    assert text(table(bold, *rows[1:])) == "Room: Hall; Caretaker: Ann\nRoom: Attic; Caretaker: Bob"


def test_merged_cells():
    body = table(
        [merged("Plot", '<w:vMerge w:val="restart"/>'), merged("2025", '<w:gridSpan w:val="2"/>'), "Note"],
        [merged("", "<w:vMerge/>"), "Rent", "Water", "text"],
        [merged("7", '<w:vMerge w:val="restart"/>'), "38", "3", "x"],
        [merged("", "<w:vMerge/>"), "39", "4", "y"],
        [merged("North side", '<w:gridSpan w:val="4"/>')],
    )
    assert text(body) == (
        "Plot: 7; 2025 Rent: 38; 2025 Water: 3; Note text: x\n"
        "Plot: 7; 2025 Rent: 39; 2025 Water: 4; Note text: y\nNorth side"
    )


def test_tables_for_layout_stay_text():
    inner = table(["Plot", "Rent"], ["4", "38"])
    assert text(table([f"<w:tc>{p('menu')}</w:tc>", f"<w:tc>{p('some')}{inner}{p('')}</w:tc>"])) == (
        "menu\n\nsome\n\nPlot: 4; Rent: 38"
    )
    assert text(table(["one"], ["two"])) == "one\n\ntwo"


def test_a_table_inside_of_controls():
    rows = "".join(
        f"<w:sdt><w:sdtContent><w:tr><w:tc>{p(a)}</w:tc><w:sdt><w:sdtContent><w:tc>{p(b)}</w:tc></w:sdtContent></w:sdt></w:tr></w:sdtContent></w:sdt>"
        for a, b in [("Plot", "Rent"), ("4", "38")]
    )
    assert text(f"<w:sdt><w:sdtContent><w:tbl>{rows}</w:tbl></w:sdtContent></w:sdt>") == "Plot: 4; Rent: 38"


# The file


def test_strict_documents_are_read_alike():
    def strict(content: str) -> str:
        content = content.replace(W, "http://purl.oclc.org/ooxml/wordprocessingml/main")
        return content.replace(OFFICE, "http://purl.oclc.org/ooxml/officeDocument/relationships")

    note = f'<w:footnote w:id="1">{p("note")}</w:footnote>'
    found = members(p("strict", '<w:r><w:footnoteReference w:id="1"/></w:r>'), footnotes=note)
    data = samples.archive({name.replace("/", "\\"): strict(content) for name, content in found.items()})
    assert read_document("a.docx", data).text == "strict[1]\n\n[1] note"


def test_what_was_embedded_as_html_is_read():
    found = members(p("before") + '<w:altChunk r:id="chunk"/>' + p("after"), chunk="")
    relations = "word/_rels/document.xml.rels"
    found[relations] = found[relations].replace("chunk.xml", "chunk.html")
    data = samples.archive(found | {"word/chunk.html": "<p>one<p>two"})
    assert read_document("a.docx", data).text == "before\n\none\n\ntwo\n\nafter"


def test_charts_give_their_data():
    chart = f"""<c:chartSpace {ROOT}><c:title><a:t>Visitors</a:t></c:title><c:ser><c:tx><c:v>2025</c:v></c:tx>
        <c:cat><c:strCache><c:pt idx="0"><c:v>May</c:v></c:pt><c:pt idx="1"><c:v>June</c:v></c:pt></c:strCache></c:cat>
        <c:val><c:numCache><c:formatCode>0%</c:formatCode><c:pt idx="0"><c:v>0.2</c:v></c:pt>
        <c:pt idx="1"><c:v>0.35</c:v></c:pt></c:numCache></c:val></c:ser></c:chartSpace>"""
    graphic = '<w:r><w:drawing><a:graphicData><c:chart r:id="chart"/></a:graphicData></w:drawing></w:r>'
    found = members(p("Below:", graphic), chart="") | {"word/chart.xml": chart}
    text = read_document("a.docx", samples.archive(found)).text
    assert text == "Below:\n\nVisitors\nMay; 2025: 20%\nJune; 2025: 35%"


def test_a_part_that_would_become_an_enormous_tree_is_refused(monkeypatch):
    monkeypatch.setattr(package, "MAX_MARKUP", 1 << 20)
    with pytest.raises(Unreadable, match=r"^document.xml in it is larger than 1 MB: split it$"):
        read(p("x" * (1 << 20)))
