"""Google Drive: links, confirmation pages and the pages that say no.

The pages have the structure of those that Drive sends (or sent, as the names of the tests say), cut
down to what matters.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from support.faults import reply
from support.server import FileServer

from domainkit.cache.sources import google_drive
from domainkit.cache.sources.base import GiveUp, Retry
from domainkit.cache.sources.google_drive import direct, next_step
from domainkit.cache.sources.http import HttpSource

KEY = "1y3NkcscPJ-KkOhVqWHbF6HbNdtgQyA_i"
DOWNLOAD = f"https://drive.usercontent.google.com/download?id={KEY}&export=download&confirm=t"
HEAD = """<!DOCTYPE html><html><head><title>{title}</title><style nonce="x">.uc-error-caption,
.uc-warning-caption{{color:#222}}</style></head><body><div class="uc-main">{body}</div>
</body></html>"""
WARNING = HEAD.format(
    title="Google Drive - Virus scan warning",
    body="""<p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<p class="uc-warning-subcaption"><span class="uc-name-size"><a href="/open?id=KEY">a.zip</a> (433M)
</span> is too large for Google to scan for viruses. Would you still like to download this file?</p>
<form id="download-form" action="ACTION" method="get"><input type="submit" id="uc-download-link"
value="Download anyway"/><input type="hidden" name="id" value="KEY"><input type="hidden"
name="export" value="download"><input type="hidden" name="confirm" value="t"><input type="hidden"
name="uuid" value="2f63713f-ea06-4014-8ce9-c15e709b63c4"><input type="hidden" name="at"
value="AN_67&amp;b:17"></form>""",
).replace("KEY", KEY)
ACTION = "https://drive.usercontent.google.com/download"


@pytest.mark.parametrize(
    "link",
    [
        "https://drive.google.com/uc?id={}",
        "https://drive.google.com/uc?export=download&id={}",
        "https://drive.google.com/u/0/uc?id={}&export=download",
        "https://drive.google.com/a/jsk.imi.i.u-tokyo.ac.jp/uc?export=download&id={}",
        "https://drive.google.com/open?id={}",
        "https://drive.google.com/file/d/{}",
        "https://drive.google.com/file/d/{}/view",
        "https://drive.google.com/file/d/{}/view?usp=sharing",
        "https://drive.google.com/file/d/{}/edit",
        "https://drive.google.com/file/d/{}/preview#page=2",
        "https://drive.google.com/file/u/1/d/{}/view",
        "https://drive.google.com/a/example.org/file/d/{}/view",
        "https://docs.google.com/uc?export=download&id={}&confirm=ABCD",
        "https://docs.google.com/file/d/{}/edit",
        "https://drive.usercontent.google.com/download?id={}&export=download&authuser=0",
        "https://drive.usercontent.google.com/uc?id={}&export=download",
        "http://drive.google.com/uc?id={}",
    ],
)
def test_every_link_leads_to_the_same_address(link):
    assert direct(link.format(KEY)) == DOWNLOAD


def test_the_key_of_an_old_link_is_kept():
    for link in ("file/d/{}/view?resourcekey=0-eqMhg&usp=sharing", "uc?id={}&resourcekey=0-eqMhg"):
        asked = direct("https://drive.google.com/" + link.format(KEY))
        assert asked == DOWNLOAD + "&resourcekey=0-eqMhg"
    then = next_step(WARNING.replace("ACTION", ACTION), asked)
    assert parse_qs(urlsplit(then).query)["resourcekey"] == ["0-eqMhg"]


@pytest.mark.parametrize(
    "link",
    [
        f"https://example.org/file/d/{KEY}/view",
        f"https://drive.google.com.example.org/uc?id={KEY}",
        f"https://notdrive.google.com/uc?id={KEY}",
        "https://drive.google.com/uc",
        "https://drive.google.com/",
        "https://drive.google.com/file/d/a b/view",
        f"https://docs.google.com/document/d/{KEY}/edit",
        f"hf://datasets/a/b/drive.google.com/uc?id={KEY}",
        f"ftp://drive.google.com/uc?id={KEY}",
    ],
)
def test_other_links_are_left_alone(link):
    assert direct(link) is None


def test_todays_form():
    then = urlsplit(next_step(WARNING.replace("ACTION", ACTION), DOWNLOAD))
    assert f"{then.scheme}://{then.netloc}{then.path}" == ACTION
    assert parse_qs(then.query, keep_blank_values=True) == {
        "id": [KEY],
        "export": ["download"],
        "confirm": ["t"],
        "uuid": ["2f63713f-ea06-4014-8ce9-c15e709b63c4"],
        "at": ["AN_67&b:17"],
    }


def test_the_form_of_2022_has_all_in_its_action():
    page = HEAD.format(
        title="Google Drive - Virus scan warning",
        body='<form id="downloadForm" method="post" action="https://docs.google.com/uc?export='
        f'download&amp;id={KEY}&amp;confirm=t&amp;uuid=9"><input type="submit"></form>',
    )
    assert next_step(page, f"https://docs.google.com/uc?id={KEY}") == (
        f"https://docs.google.com/uc?export=download&id={KEY}&confirm=t&uuid=9"
    )


def test_the_link_of_2015_is_relative():
    page = HEAD.format(
        title="Google Drive - Virus scan warning",
        body='<a id="uc-download-link" class="goog-inline-block" '
        f'href="/uc?export=download&amp;confirm=hMP-&amp;id={KEY}">Download anyway</a>',
    )
    assert next_step(page, f"https://drive.google.com/uc?export=download&id={KEY}") == (
        f"https://drive.google.com/uc?export=download&confirm=hMP-&id={KEY}"
    )


@pytest.mark.parametrize(
    "action",
    [
        "https://example.org/download",
        "http://drive.usercontent.google.com/download",
        "https://google.com.example.org/download",
        "https://evilgoogle.com/download",
        "//example.org/download",
        "ftp://drive.google.com/download",
        "javascript:alert(1)",
    ],
)
def test_it_is_not_led_away(action):
    with pytest.raises(GiveUp, match="leads away to"):
        next_step(WARNING.replace("ACTION", action), DOWNLOAD)


def test_it_is_not_led_to_another_file():
    with pytest.raises(GiveUp, match="another file"):
        next_step(WARNING.replace("ACTION", ACTION), DOWNLOAD.replace(KEY, "1another"))


def test_it_does_not_go_round_in_circles():
    page = WARNING.replace("ACTION", ACTION)
    once = next_step(page, DOWNLOAD)
    with pytest.raises(GiveUp, match="again and again"):
        next_step(page.replace("2f63713f", "00000000"), once)


SAYING = (
    '<p class="uc-error-caption">{}</p><p class="uc-error-subcaption">{}</p>'
    '<a href="//support.google.com/drive/?p=x">Help</a>'
)


@pytest.mark.parametrize(
    ("title", "body", "told"),
    [
        (
            "Google Drive - Quota exceeded",
            SAYING.format(
                "Sorry, you can't view or download this file at this time.",
                "Too many users have viewed or downloaded this file recently. Please try accessing "
                "the file again later. It may take up to 24 hours ...",
            ),
            "too many people fetched this file .* 24 hours.* --from FILE",
        ),
        (
            "Google Drive - Infected file",
            SAYING.format(
                "Sorry, this file is infected with a virus",
                "Only the owner is allowed to download infected files.",
            ),
            "blocked this file as harmful",
        ),
        (
            "Google Drive -- Page Not Found",
            '<p class="errorMessage">Sorry, the file you have requested does not exist.</p>',
            "no such file on Google Drive",
        ),
        (
            "Error 404 (Not Found)!!1",
            "<p>The requested URL was not found on this server.</p>",
            "no such file on Google Drive",
        ),
        ("Google Drive: Sign-in", '<form id="gaia_loginform"></form>', "not shared with everybody"),
        (
            "Sign in - Google Accounts",
            '<form action="/signin"><input type="hidden" name="continue" value="x"></form>',
            "not shared with everybody",
        ),
        (
            "Google Drive - Access Denied",
            "<h1>You need access</h1><p>Ask for access, or switch to an account with access.</p>",
            "not shared with everybody",
        ),
        (
            "Google Drive - Kontingent überschritten",
            SAYING.format("Die Datei kann derzeit nicht angezeigt werden.", "Zu viele Nutzer."),
            "web page, 'Die Datei kann derzeit nicht angezeigt werden.Zu viele Nutzer.'. Open",
        ),
        ("", "", "answers with a web page. Open the address in a browser"),
    ],
)
def test_pages_that_say_no(title, body, told):
    with pytest.raises(GiveUp, match=told):
        next_step(HEAD.format(title=title, body=body), DOWNLOAD)


def test_a_login_on_another_host_is_told_as_one():
    page = HEAD.format(title="Anmelden", body='<form id="download-form" action="/x"></form>')
    with pytest.raises(GiveUp, match="not shared with everybody"):
        next_step(page, "https://accounts.google.com/v3/signin/identifier?continue=x")


def test_a_folder_is_told_as_one():
    link = "https://drive.google.com/drive/folders/1AbC?usp=sharing"
    assert direct(link) == link
    with pytest.raises(GiveUp, match="a folder on Google Drive"):
        next_step(WARNING, link)


@pytest.mark.parametrize(
    "page", ["", "<", "<form id=download-form", "<a href=>", "\0" * 50, "é" * 9]
)
def test_pages_cut_short_are_no_way_on(page):
    with pytest.raises(GiveUp):
        next_step(page, DOWNLOAD)


def test_the_whole_way_on_a_server(tmp_path):
    """The page from a server of this machine, and the bytes behind it."""
    (tmp_path / "download").write_bytes(b"the file")
    page = WARNING.replace("ACTION", "/download").encode()
    with FileServer(tmp_path) as server, httpx.Client(trust_env=False) as client:
        server.faults["/download"] = [reply(page, Content_Type="text/html; charset=utf-8")]
        asked = f"{server.url}/download?id={KEY}&export=download"
        then = next_step(client.get(asked).text, asked)
        assert then.startswith(f"{server.url}/download?id={KEY}&export=download&confirm=t&uuid=2f6")
        assert client.get(then).content == b"the file"


def test_a_page_that_drips_for_ever_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "home"))
    (tmp_path / "download").write_bytes(b"<html>" + b" " * 100_000)

    def page(handler):
        handler.answer(extra={"Content-Type": "text/html"}, pace=(1, 0.01))

    with FileServer(tmp_path) as server:
        monkeypatch.setattr(google_drive, "_DOWNLOAD", f"{server.url}/download")
        server.always["/download"] = page
        source = HttpSource(f"https://drive.google.com/file/d/{KEY}/view", 60, 60, lambda: 0.3)
        with pytest.raises(Retry, match="sends the page before the file too slowly"):
            source.open()
        source.close()
