"""browser_page.py URL [live] - drives Chromium through chromedriver (W3C WebDriver).

For tests/e2e/browser_page.c what the channel is to be next goes to standard output, all else to
standard error. With "live" (tests/e2e/browser_watch.c) the page is that of a channel which is on
air already. Pictures of the page go to $OUT/browser or build/browser. Every process that is started
here is ended here.
"""

import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

DEADLINE_S = 25
PICTURES = pathlib.Path(os.environ.get("OUT", "build")) / "browser"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1100,860", "--force-color-profile=srgb",
]


def say(text):
    print(text, file=sys.stderr, flush=True)


def tell(text):
    print(text, flush=True)


class Browser:
    def __init__(self):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0", "--allowed-ips=127.0.0.1"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        self.session = None

    def open(self, profile):
        for line in self.driver.stdout:
            if "successfully on port" in line:
                port = line.split("on port")[1].strip(" .\n")
                break
        else:
            raise RuntimeError("chromedriver did not start")
        self.root = f"http://127.0.0.1:{port}"
        options = {"args": ARGUMENTS + [f"--user-data-dir={profile}"], "binary": shutil.which("chromium")}
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = answer["sessionId"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.read().decode()[:500]}") from error

    def ask(self, method, path, body=None):
        return self.call(method, f"/session/{self.session}{path}", body)

    def run(self, script):
        return self.ask("POST", "/execute/sync", {"script": script, "args": []})

    def find(self, selector):
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})
        return next(iter(found.values()))

    # As a person does it: a script's click gives a page no right to make a sound.
    def click(self, selector):
        self.ask("POST", f"/element/{self.find(selector)}/click", {})

    def press(self, key):
        self.ask("POST", f"/element/{self.find('body')}/value", {"text": key})

    def until(self, what, script):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            value = self.run(script)
            if value:
                say(f"ok: {what}")
                return value
            time.sleep(0.05)
        self.picture("failed")
        raise AssertionError(f"{what}: not within {DEADLINE_S} s; {self.run(FACTS)}")

    def colours(self, scheme):
        self.ask("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]}})

    def picture(self, name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def both_pictures(self, name):
        for scheme in ("light", "dark"):
            self.colours(scheme)
            self.picture(f"{name}-{scheme}")

    def errors(self):
        return [e["message"] for e in self.ask("POST", "/se/log", {"type": "browser"})
                if e["level"] == "SEVERE"]

    def end(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            try:
                self.driver.wait(5)
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(self.driver.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.driver.wait()


VIDEO = "const v = document.getElementById('video');"
FACTS = VIDEO + """
const b = v.buffered, last = b.length - 1;
return JSON.stringify({time: v.currentTime, ready: v.readyState, paused: v.paused,
    ranges: b.length, end: last < 0 ? null : b.end(last), words: document.body.innerText});"""


def shows(text):
    return f"""const m = document.getElementById('message');
        return !m.hidden && m.innerText.includes({json.dumps(text)});"""


def plays(browser, what):
    """Time goes on by more than 2 s, close to the end of what has arrived, with a picture."""
    first = browser.until(f"{what}: starts", VIDEO + "return v.readyState >= 3 && !v.paused && "
                          "v.currentTime > 0 && v.currentTime;")
    browser.until(f"{what}: goes on past 2 s", VIDEO + f"return v.currentTime > {first} + 2 && "
                  "v.readyState >= 3 && v.videoWidth === 640;")
    browser.until(f"{what}: close to live", VIDEO + "const b = v.buffered; "
                  "return b.end(b.length - 1) - v.currentTime < 2;")
    browser.until(f"{what}: no message over the picture",
                  "return document.getElementById('message').hidden;")


def check(browser, url):
    browser.ask("POST", "/url", {"url": url})
    browser.until("looks for the channel", shows("Looking for the channel"))
    browser.both_pictures("searching")

    tell("broadcast")
    plays(browser, "first broadcast")
    browser.until("title", "return document.title.startsWith('Herring') && "
                  "document.getElementById('title').innerText.startsWith('Herring');")
    browser.until("facts", "return document.querySelector('.facts').innerText.includes('23 viewers');")
    browser.until("lag", "return / s$/.test(document.getElementById('lag').innerText);")
    browser.both_pictures("playing")

    assert browser.run(VIDEO + "return v.muted;"), "starts muted"
    browser.click("#unmute")
    browser.until("sound by the button", VIDEO + "return !v.muted && v.volume > 0 && "
                  "document.getElementById('unmute').hidden;")
    browser.press("m")
    browser.until("silence by the key", VIDEO + "return v.muted;")
    browser.click("#play")
    browser.until("pauses", VIDEO + "return v.paused;")
    browser.until("offers to go to live", "return !document.getElementById('live').hidden;")
    browser.until("says that it is paused", shows("Paused"))
    browser.picture("paused")
    browser.click("#live")
    plays(browser, "after a pause")

    tell("state waiting")
    browser.until("says that the source is quiet", shows("gone quiet"))
    browser.both_pictures("waiting")
    tell("broadcast")
    plays(browser, "second broadcast")
    tell("state ended")
    browser.until("says that it has ended", shows("has ended"))
    browser.picture("ended")

    unnamed = browser.run("return [...document.querySelectorAll('button, input')].filter((e) => "
                          "!(e.getAttribute('aria-label') || e.innerText.trim())).length + "
                          "document.querySelectorAll('.message:not([role])').length;")
    assert unnamed == 0, f"{unnamed} controls have no name"
    errors = browser.errors()
    assert not errors, errors


def check_live(browser, url):
    """The page of a viewer: it plays by itself, names the channel, and the picture moves."""
    browser.ask("POST", "/url", {"url": url})
    plays(browser, "channel")
    browser.until("title", "return document.title.startsWith('Herring') && "
                  "document.getElementById('title').innerText.startsWith('Herring');")
    browser.until("lag", "return / s$/.test(document.getElementById('lag').innerText);")
    picture = """const c = document.createElement('canvas'); c.width = 64; c.height = 36;
        c.getContext('2d').drawImage(document.getElementById('video'), 0, 0, 64, 36);
        return c.toDataURL();"""
    first = browser.run(picture)
    browser.until("picture moves", picture.replace(
        "c.toDataURL()", f"c.toDataURL() !== {json.dumps(first)}"))
    browser.picture("live")
    errors = browser.errors()
    assert not errors, errors


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    profile = tempfile.mkdtemp(prefix="shoal-browser-")
    browser = None
    try:
        browser = Browser()
        browser.open(profile)
        (check_live if "live" in sys.argv[2:] else check)(browser, sys.argv[1])
    finally:
        if browser:
            browser.end()
        shutil.rmtree(profile, ignore_errors=True)
    say("ok: all of the page")


main()
