"""What is read on the page."""

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

ROOF = "The work on the roof begins on Monday, 11 May 2026."


def minutes(name):
    canvas = Canvas(name, pagesize=A4)
    for text in ("Minutes of February.", ROOF, "The meeting closed at nine."):
        canvas.drawString(72, 600, text)
        canvas.showPage()
    canvas.save()
