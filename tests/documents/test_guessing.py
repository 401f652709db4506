import pytest

from infinidoc.documents.charset import decode

WESTERN = [
    "Crème brûlée",
    "Café Zoë öffnet um neun.",
    "Größe, Maß, Straße, über",
    "Señor Núñez ¿Qué? ¡Año!",
    "Ångström",
]


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        *((text, "cp1252 mac_roman") for text in WESTERN),
        ("L’été – “oui” 3 €", "cp1252 mac_roman"),
        ("ÜBERGRÖSSE: £12 for ½, 20 °C, ©2020", "cp1252"),
        ("São ações; smørrebrød på Ærø", "cp1252 cp850"),
        ("Zażółć gęślą jaźń, Łódź", "cp1250"),
        ("Příliš žluťoučký kůň", "cp1250 iso8859_2"),
        ("İstanbul'da ışıklar yanıyor, çocuklar bahçede oynuyor ve şarkı söylüyor.", "cp1254"),
        ("Η είσοδος είναι από την πίσω πόρτα.", "cp1253"),
        ("המפתח נמצא אצל השוער. הכניסה מהדלת האחורית בשעה תשע.", "cp1255"),
        ("المفتاح عند البواب والدخول من الباب الخلفي", "cp1256"),
        ("กุญแจอยู่ที่ยาม ประตูหลังเปิดเก้าโมงเช้า", "cp874"),
        ("Привет", "cp1251 koi8_r cp866"),
        ("Ключ у дворника, вход с чёрного хода. Лампы меняют в марте.", "cp1251 koi8_r cp866 mac_cyrillic iso8859_5"),
        ("会議室予約", "cp932 euc_jp"),
        ("鍵は管理人が持っています。電話は三番です。", "cp932 euc_jp"),
        ("カタカナ", "cp932 euc_jp"),
        ("会议室预约", "gb18030"),
        ("钥匙在门卫那里", "gb18030"),
        ("會議室預約", "big5"),
        ("열쇠는 관리인이 가지고 있습니다", "euc_kr"),
        ("회의실 예약", "euc_kr"),
    ],
)
def test_a_line_is_enough(text, encodings):
    for encoding in encodings.split():
        assert decode(text.encode(encoding)) == text, encoding


@pytest.mark.parametrize(
    "ending", ["会議室の予約は三階の受付で行います。|cp932", "Café Zoë öffnet um neun.|cp1252", "Ключ|cp1251"]
)
@pytest.mark.parametrize("before", ["pump started, valve closed\n" * 4000, "pump started " * 20_000 + "\n"])
def test_letters_that_come_late(ending, before):
    text, encoding = ending.split("|")
    assert decode((before + text + "\n").encode(encoding)) == before + text + "\n"


def test_lines_in_two_encodings():
    menu = "Menu\nCrème brûlée, 6 pounds\n".encode() + "Crème brûlée, 7 pounds\r\n".encode("cp1252")
    assert decode(menu) == "Menu\nCrème brûlée, 6 pounds\nCrème brûlée, 7 pounds\r\n"
    assert decode("Größe\n会議室\n".encode() + "予約は三階です\n".encode("cp932")) == "Größe\n会議室\n予約は三階です\n"
    log = "会議室の予約は三階です\n".encode("cp932") + "Café Zoë öffnet\n".encode("cp1252")
    assert decode(b"ok\n" * 30_000 + log) == "ok\n" * 30_000 + "会議室の予約は三階です\nCafé Zoë öffnet\n"


@pytest.mark.parametrize("cut", ["Straße", "naïve – “quoted”", "会議室"])
def test_letters_that_were_cut_in_half_are_damage_not_other_letters(cut):
    data = ("Größe über 会議室\n" * 5).encode()
    for end in range(1, len(cut.encode())):
        shown = decode(data + cut.encode()[:end] + b"\n" + data)
        assert shown.replace("\ufffd", "").splitlines()[5] in cut
        assert shown.count("\ufffd") <= 1


def test_a_long_line_is_guessed_in_time():
    text = "Ключ у дворника, вход с чёрного хода. " * 30_000
    assert decode(text.encode("cp1251")) == text


def test_utf8_that_was_made_from_halves_of_letters():
    assert decode("é \ud83d\ude00 \ud83d!".encode("utf-8", "surrogatepass")) == "é 😀 \ufffd!"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("שלום לכולם", "cp1255"),
        ("הגג יתוקן במאי", "cp1255"),
        ("לשלם עד ה-1 במאי: 64 שקלים", "cp1255"),
        ("קוד השער: 9083, המפתח אצל השומר\nבעיר הגדולה", "cp1255"),
        ("הישיבה הבאה תתקיים ביום שלישי בשעה שמונה בערב.", "cp1255"),
        ("Prix : 12,50 €", "iso8859_15"),
        ("Der Beitrag beträgt 64 € im Jahr.", "iso8859_15"),
        ("Le cœur et la sœur", "iso8859_15"),
        ("L'œuvre coûte 30 € à Nîmes", "iso8859_15"),
        ("L’œuvre – “Le cœur” – 30 €", "cp1252"),
        ("½ cup of flour for 3 £", "cp1252"),
        ("майор и чай", "cp1251"),
        ("ПРОТОКОЛ", "cp1251"),
        ("Събранието е във вторник", "cp1251"),
        ("Η συνεδρίαση είναι την Τρίτη", "cp1253"),
    ],
)
def test_hebrew_and_the_euro_of_iso_8859_15_among_their_neighbours(text, encoding):
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["会議室予約", "会議", "明日の会議は三階です。", "今天下午开会", "日本語"])
def test_a_line_of_ideographs_in_utf_16_without_a_mark(text, encoding):
    assert decode(text.encode(encoding)) == text
