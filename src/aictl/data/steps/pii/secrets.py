"""Keys, tokens and passwords: strings that let whoever reads them in.

Most of those given out today begin with letters that say who gave them, so that they can be found in leaks; each row
of ``_FORMATS`` is one giver's format, as its documentation states it or its keys are made. Then there are private keys
in PEM, JSON web tokens (RFC 7519), passwords in URLs (RFC 3986, 3.2.1), and what code and settings assign to a name
such as ``api_key``: of those only values that look random.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator

Place = tuple[int, int]
Look = Callable[[str, int, int], Place | None]  # text, start and end of the trigger → where the value is

_FORMATS: dict[str, str] = {
    # Amazon: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    **dict.fromkeys(("AKIA", "ASIA"), r"[A-Z2-7]{16}"),
    # GitHub: https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/
    **dict.fromkeys(("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"[A-Za-z0-9]{36,251}"),
    "github_pat_": r"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    # GitLab: https://docs.gitlab.com/security/tokens/#token-prefixes
    **dict.fromkeys(("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-"), r"[A-Za-z0-9_-]{20,300}"),
    # Slack: https://docs.slack.dev/authentication/tokens
    **dict.fromkeys(("xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-"), r"[0-9A-Za-z-]{20,250}"),
    "hooks.slack.com/services/": r"T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30}",
    # Stripe: https://docs.stripe.com/keys
    **dict.fromkeys(("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"), r"[A-Za-z0-9]{24,250}"),
    # Google: API keys, OAuth access tokens, client secrets
    "AIza": r"[A-Za-z0-9_-]{35}",
    "ya29.": r"[A-Za-z0-9_-]{30,300}",
    "GOCSPX-": r"[A-Za-z0-9_-]{28}",
    # OpenAI, Anthropic, Hugging Face, Replicate, Groq
    **dict.fromkeys(("sk-proj-", "sk-svcacct-", "sk-ant-"), r"[A-Za-z0-9_-]{40,200}"),
    "sk-": r"(?:[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|[A-Za-z0-9]{48})",
    "hf_": r"[A-Za-z]{34}",
    "r8_": r"[A-Za-z0-9]{37}",
    "gsk_": r"[A-Za-z0-9]{52}",
    # Where packages are kept: npm, PyPI, RubyGems, Docker Hub
    "npm_": r"[A-Za-z0-9]{36}",
    "pypi-AgE": r"[A-Za-z0-9_-]{50,1000}",
    "rubygems_": r"[0-9a-f]{48}",
    "dckr_pat_": r"[A-Za-z0-9_-]{27}",
    # Mail and messages: SendGrid, Mailgun, Telegram
    "SG.": r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "key-": r"[0-9a-f]{32}",
    ":AA": r"[A-Za-z0-9_-]{33}",
    # DigitalOcean, Shopify, Square, Databricks, Grafana, HashiCorp, Linear, Notion, Postman, Atlassian, age, Azure
    **dict.fromkeys(("dop_v1_", "doo_v1_", "dor_v1_"), r"[0-9a-f]{64}"),
    **dict.fromkeys(("shpat_", "shpca_", "shppa_", "shpss_"), r"[0-9a-fA-F]{32}"),
    **dict.fromkeys(("sq0atp-", "sq0csp-"), r"[A-Za-z0-9_-]{22,43}"),
    "dapi": r"[0-9a-f]{32}(?:-[0-9])?",
    "glsa_": r"[A-Za-z0-9]{32}_[0-9a-f]{8}",
    "hvs.": r"[A-Za-z0-9_-]{24,200}",
    "lin_api_": r"[A-Za-z0-9]{40}",
    "ntn_": r"[A-Za-z0-9]{46}",
    "PMAK-": r"[0-9a-f]{24}-[0-9a-f]{34}",
    "ATATT3": r"[A-Za-z0-9_=-]{100,300}",
    "AGE-SECRET-KEY-1": r"[0-9A-Z]{58}",
    "AccountKey=": r"[A-Za-z0-9+/]{86}==",
}
_LATER = ("hooks.slack.com/services/", "AccountKey=")  # the trigger is no part of the secret
_NAMES = (
    *("api_key", "apikey", "api-key", "API_KEY", "APIKEY", "ApiKey", "apiKey", "access_key", "ACCESS_KEY", "accessKey"),
    *("AccessKey", "auth_key", "AUTH_KEY", "private_key", "PRIVATE_KEY", "secret", "Secret", "SECRET"),
    *("token", "Token", "TOKEN", "passw", "Passw", "PASSW"),
)
_ASSIGNED = re.compile(
    r"""[\w-]{0,24}["']?[ \t]{0,3}(?::=|=>|[:=])[ \t]{0,3}(["'`]?)([A-Za-z0-9+/=_-]{16,512}+)(?![\w@(\[.])""", re.ASCII
)
_BEARER = re.compile(r"[ \t]{1,3}()([A-Za-z0-9+/=_.~-]{16,2048}+)(?![\w@(\[])", re.ASCII)
_RUNS = re.compile(r"[0-9]+|[a-z]+|[A-Z]+")
_PEM = re.compile(
    r"""-----BEGIN\ (?:[A-Z0-9]{1,10}\ ){0,3}PRIVATE\ KEY(?:\ BLOCK)?-----
    (?: (?=[^-]{0,400}[A-Za-z0-9+/]{16}) (?:[^-]|-(?!----)){16,20000}+
        -----END\ (?:[A-Z0-9]{1,10}\ ){0,3}PRIVATE\ KEY(?:\ BLOCK)?-----
      | (?:(?:\s|\\n|\\r)*+[A-Za-z0-9+/=]{16,}+)+ )           # cut off before its end""",
    re.VERBOSE,
)
_TOKEN = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,2000}+\.(?=[\w.-]{20})(?:[A-Za-z0-9_-]{0,20000}+\.){1,3}[A-Za-z0-9_-]{0,20000}+"
)
_URL_PASSWORD = re.compile(r"""://[^\s/@:"'<>]{0,64}:([^\s/@:"'<>]{1,128})@(?=[\w\[])""")
_STANDS_FOR_ONE = re.compile(r"(?i)pass|pwd|secret|token|key|xxx|anon|guest|[a-z]{1,7}\Z")
MIN_ENTROPY_BITS = 3.0  # per character: random hexadecimal of 16 characters has 3.0 to 3.6, words of a name 2.5 to 3.5


def words() -> dict[str, Look]:
    """What to look for in a text, and for each who looks closer where it stands."""
    looks: dict[str, Look] = dict.fromkeys(_NAMES, _assigned)
    looks |= {trigger: _of_format(trigger, pattern) for trigger, pattern in _FORMATS.items()}
    return looks | {"Bearer": _bearer, "eyJ": _web_token, "-----BEGIN ": _private_key}


def url_passwords(text: str) -> Iterator[Place]:
    """Passwords in URLs, without those that only stand for one: ``user:password@``, ``$PASS``."""
    for match in _URL_PASSWORD.finditer(text):
        value = match[1]
        if value[0] not in "$%{<[*" and not _STANDS_FOR_ONE.match(value):
            yield match.span(1)


def _of_format(trigger: str, pattern: str) -> Look:
    whole = re.compile(rf"{pattern}(?![A-Za-z0-9_])", re.ASCII)

    def look(text: str, start: int, end: int) -> Place | None:
        if trigger == ":AA":  # a Telegram bot's number stands before it
            while start and text[start - 1] in "0123456789" and end - start < 16:
                start -= 1
            if end - start < 11:
                return None
        elif start and (text[start - 1].isalnum() or text[start - 1] == "_"):
            return None
        found = whole.match(text, end)
        return (end if trigger in _LATER else start, found.end()) if found else None

    return look


def _assigned(text: str, start: int, end: int) -> Place | None:
    if text[max(0, start - 10) : start].lower().rstrip("_-key").endswith("public"):
        return None
    found = _ASSIGNED.match(text, end)
    return found.span(2) if found and looks_random(found[2]) else None


def _bearer(text: str, start: int, end: int) -> Place | None:
    found = _BEARER.match(text, end)
    return found.span(2) if found and looks_random(found[2]) else None


def looks_random(value: str) -> bool:
    """Whether a value is rather a key than a name: digits among letters, changing often, of many kinds.

    Names change between small letters, capitals and digits at most every third character.
    """
    if "..." in value:
        return False
    value = value.rstrip("=.")
    if len(value) < 16 or value.isalpha() or value.isdigit():
        return False
    runs = _RUNS.findall(value)
    digits = sum(run.isdigit() for run in runs)
    if digits < 2 or digits == len(runs) or len(value) > 3.5 * len(runs):
        return False
    counts = Counter(value).values()
    return -sum(n * math.log2(n / len(value)) for n in counts) / len(value) >= MIN_ENTROPY_BITS


def _private_key(text: str, start: int, end: int) -> Place | None:
    found = _PEM.match(text, start)
    return found.span() if found else None


def _web_token(text: str, start: int, end: int) -> Place | None:
    found = _TOKEN.match(text, start)
    if found is None:
        return None
    head = found[0].partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(header, dict) or not header.keys() & {"alg", "typ"}:
        return None
    return found.start(), found.end() - (found[0].endswith(".") and found[0].count(".") > 2)  # the sentence's own dot
