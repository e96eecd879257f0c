"""The values of secrets are found however they are escaped or encoded on their way back, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tenants.masking import MASK, Masker, hide, hiding

AWKWARD = 'C4n@ry/"se\\cret" <+>\n é&%'
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in another letter case": str.upper,
    "percent-encoded": quote,
    "percent-encoded, slashes too": lambda value: quote(value, safe=""),
    "percent-encoded twice": lambda value: quote(quote(value, safe=""), safe=""),
    "percent-encoded as in a form": quote_plus,
    "as JSON in ASCII": lambda value: json.dumps(value)[1:-1],
    "as JSON": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "as JSON inside JSON": lambda value: json.dumps(json.dumps(value)[1:-1])[1:-1],
    "as JSON for a script": lambda value: json.dumps(value)[1:-1].replace("<", "\\u003c").replace("/", "\\/"),
    "as HTML": html.escape,
    "as HTML in decimal": lambda value: html.escape(value).replace("&quot;", "&#34;"),
    "as base64": lambda value: base64.b64encode(value.encode()).decode(),
    "as base64 without padding": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "as base64 for addresses": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "as base64, percent-encoded": lambda value: quote_plus(base64.b64encode(value.encode()).decode()),
    "as UTF-8 that was read as Latin-1": lambda value: value.encode().decode("latin-1"),
}


def masker(*values: str) -> Masker:
    return Masker(frozenset(values))


@pytest.mark.parametrize("value", [AWKWARD, "plain0secret", "a-b_c.d~e", "whsec_c2VjcmV0+/=="])
@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_found(value: str, way: str) -> None:
    assert masker(value).text(f"[ {WAYS[way](value)} ]") == f"[ {MASK} ]"


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user"])
@pytest.mark.parametrize("after", ["", ":", "::", ":::"])
def test_a_value_is_found_inside_what_was_encoded_as_base64(before: str, after: str) -> None:
    told = base64.b64encode(f"{before}plain0secret{after}".encode()).decode()
    masked = masker("plain0secret").text(told)
    assert MASK in masked
    assert len(masked) - len(MASK) <= len(told) - 14, "no more than its edges is left"


def test_what_a_value_is_the_encoded_form_of_is_found_too() -> None:
    basic = base64.b64encode(b"user:plain0secret").decode()
    assert masker(basic).text("you are user:plain0secret") == f"you are {MASK}"
    assert masker("plain%200secret").text("plain 0secret") == MASK


def test_it_is_found_anywhere_in_json_in_names_and_in_numbers_too() -> None:
    found = masker("s3cr3t", "12345678").json(
        {"a": ["x s3cr3t y", {"s3cr3t": None}], "pin": 12345678, "no": 1234, "yes": True}
    )
    assert found == {"a": [f"x {MASK} y", {MASK: None}], "pin": MASK, "no": 1234, "yes": True}


def test_what_holds_no_value_stays_as_it_is() -> None:
    for text in ("", "plain", "0secret", "plain secret", "cGxhaW4=", MASK):
        assert masker("plain0secret").text(text) == text
        assert masker("plain0secret").cut_text(text) in (text, MASK if text == "plain" else text.replace("plain", MASK))


def test_a_value_of_three_characters_is_not_looked_for() -> None:
    assert not masker("abc", "")
    assert masker("abc").json({"abc": "abc"}) == {"abc": "abc"}
    assert masker("abcd").text("xabcdx") == f"x{MASK}x"


@pytest.mark.parametrize("kept", range(4, 24))
def test_what_a_cut_has_left_of_a_value_is_found(kept: int) -> None:
    value = "plain0secret/and+more 24"
    for spelled in (value, quote(value, safe=""), base64.b64encode(value.encode()).decode()):
        for end in ("", "..."):
            assert masker(value).cut_text(f"body: {spelled[:kept]}{end}") == f"body: {MASK}{end}"


def test_enough_of_a_value_is_found_wherever_it_was_cut() -> None:
    assert masker("plain0secret/and+more").cut_text("packed as plain0secret/and, which") == f"packed as {MASK}, which"


def test_of_two_values_of_which_one_begins_like_the_other_both_are_found() -> None:
    assert masker("plain0secret", "plain0secret-too").text("plain0secret-too plain0secret") == f"{MASK} {MASK}"


@pytest.mark.parametrize("value", ["\\" * 60, '\\"' * 30, "a\\" * 30, "%25" * 30, "&amp;" * 20])
def test_no_value_makes_looking_for_it_slow(value: str) -> None:
    found = masker(value)
    began = time.process_time()
    found.text(value[:-1] * 2_000)
    found.cut_text((value[:-1] * 100)[:4_000])
    assert time.process_time() - began < 5


@pytest.mark.parametrize("value", ["aZ3" * 21_000, "\n/+" * 21_000, "é/" * 20_000])
def test_the_largest_value_is_found_as_it_is_and_in_its_usual_encodings(value: str) -> None:
    found = masker(value)
    for way in ("as it is", "percent-encoded, slashes too", "as JSON", "as base64"):
        assert found.text(f"[{WAYS[way](value)}]") == f"[{MASK}]"


def test_what_is_in_use_is_hidden_and_no_longer() -> None:
    with hiding(masker("first-one")):
        with hiding(masker("second-one")):
            assert hide("first-one second-one") == f"{MASK} {MASK}"
        assert hide("first-one second-one") == f"{MASK} second-one"
    assert hide("first-one") == "first-one"


@pytest.mark.parametrize("value", ["https://example.org/token/secret", "$2b$12$abcdefgh", "_underscored", '"quoted"'])
def test_a_long_run_of_backslashes_is_gone_through_once(value: str) -> None:
    began = time.perf_counter()
    assert Masker(frozenset({value})).text("\\" * 2**20) == "\\" * 2**20
    assert time.perf_counter() - began < 2
