"""Which rules there are, how their alerts are called, and what they say."""

from dataclasses import dataclass

RISKS = ("Informational", "Low", "Medium", "High")
CONFIDENCES = ("False Positive", "Low", "Medium", "High", "Confirmed")


@dataclass(frozen=True, slots=True)
class Rule:
    """What all alerts of one reference have in common."""

    ref: str
    name: str
    risk: int
    confidence: int
    cwe: int
    wasc: int
    desc: str
    solution: str
    reference: str = ""

    @property
    def plugin(self) -> str:
        """Return the rule's number, without the variant."""
        return self.ref.partition("-")[0]


_OWASP = "https://owasp.org/www-community"
_MDN = "https://developer.mozilla.org/en-US/docs/Web"
RULES = {
    rule.ref: rule
    for rule in (
        Rule(
            "2",
            "Private IP Disclosure",
            *(1, 2, 497, 13),
            "The page holds an address of a private network.",
            "Leave such addresses out of pages.",
            "https://datatracker.ietf.org/doc/html/rfc1918",
        ),
        Rule(
            "10003",
            "Vulnerable JS Library",
            *(2, 2, 1395, -1),
            "The page loads a library with known vulnerabilities.",
            "Use a later version of the library.",
        ),
        Rule(
            "10010",
            "Cookie No HttpOnly Flag",
            *(1, 2, 1004, 13),
            "Scripts can read the cookie.",
            "Set HttpOnly on all cookies.",
            f"{_OWASP}/HttpOnly",
        ),
        Rule(
            "10011",
            "Cookie Without Secure Flag",
            *(1, 2, 614, 13),
            "The cookie is sent over unencrypted connections, too.",
            "Set Secure on the cookie.",
        ),
        Rule(
            "10015",
            "Re-examine Cache-control Directives",
            *(0, 1, 525, 13),
            "Browsers and proxies may keep the page.",
            "Send no-cache, no-store and must-revalidate with what is confidential.",
        ),
        Rule(
            "10017",
            "Cross-Domain JavaScript Source File Inclusion",
            *(1, 2, 829, 15),
            "The page loads scripts from somebody else's host.",
            "Load scripts from hosts that can be trusted only.",
        ),
        Rule(
            "10020-1",
            "Missing Anti-clickjacking Header",
            *(2, 2, 1021, 15),
            "Other sites may show the page in a frame.",
            "Send frame-ancestors in a Content-Security-Policy, or X-Frame-Options.",
            f"{_MDN}/HTTP/Reference/Headers/X-Frame-Options",
        ),
        Rule(
            "10021",
            "X-Content-Type-Options Header Missing",
            *(1, 2, 693, 15),
            "Old browsers may take the page for another type than the one that it declares.",
            "Send X-Content-Type-Options: nosniff.",
            f"{_OWASP}/Security_Headers",
        ),
        Rule(
            "10023",
            "Information Disclosure - Debug Error Messages",
            *(1, 2, 1295, 13),
            "The page shows an error as a developer would see it.",
            "Show no details of errors to users.",
        ),
        Rule(
            "10024",
            "Information Disclosure - Sensitive Information in URL",
            *(0, 2, 598, 13),
            "The address holds what looks confidential.",
            "Put nothing confidential into addresses.",
        ),
        Rule(
            "10027",
            "Information Disclosure - Suspicious Comments",
            *(0, 2, 615, 13),
            "A comment tells of what may help an attacker.",
            "Remove such comments.",
        ),
        Rule(
            "10033",
            "Directory Browsing",
            *(2, 2, 548, 16),
            "The list of a folder can be seen.",
            "Switch such lists off.",
        ),
        Rule(
            "10035-1",
            "Strict-Transport-Security Header Not Set",
            *(1, 3, 319, 15),
            "Browsers are not told to use TLS only.",
            "Send Strict-Transport-Security.",
            f"{_OWASP}/Security_Headers",
        ),
        Rule(
            "10036-2",
            'Server Leaks Version Information via "Server" HTTP Response Header Field',
            *(1, 3, 497, 13),
            "The header Server tells the server's version.",
            "Leave the version out.",
        ),
        Rule(
            "10037",
            'Server Leaks Information via "X-Powered-By" HTTP Response Header Field(s)',
            *(1, 2, 497, 13),
            "The header X-Powered-By tells what the application is made with.",
            "Leave the header out.",
        ),
        Rule(
            "10038-1",
            "Content Security Policy (CSP) Header Not Set",
            *(2, 3, 693, 15),
            "Browsers are not told where scripts, styles and frames may come from.",
            "Send Content-Security-Policy.",
            f"{_MDN}/HTTP/Guides/CSP",
        ),
        Rule(
            "10040",
            "Secure Pages Include Mixed Content (Including Scripts)",
            *(2, 2, 311, 4),
            "A page of https loads something by http.",
            "Load all by https.",
        ),
        Rule(
            "10054-1",
            "Cookie without SameSite Attribute",
            *(1, 2, 1275, 13),
            "The cookie is sent with requests that other sites cause.",
            "Set SameSite to lax or strict.",
        ),
        Rule(
            "10098",
            "Cross-Domain Misconfiguration",
            *(2, 2, 264, 14),
            "Any site may read the answers.",
            "Restrict Access-Control-Allow-Origin.",
        ),
        Rule(
            "10105-2",
            "Weak Authentication Method",
            *(2, 2, 326, 4),
            "A password is asked for over an unencrypted connection.",
            "Use https.",
        ),
        Rule(
            "10109",
            "Modern Web Application",
            *(0, 2, -1, -1),
            "The page has links that only a browser can follow.",
            "This is informational: use the spider with a browser.",
        ),
        Rule(
            "10202",
            "Absence of Anti-CSRF Tokens",
            *(2, 1, 352, 9),
            "A form has no token against requests that other sites forge.",
            "Use tokens, or a framework that does.",
            f"{_OWASP}/attacks/csrf",
        ),
        Rule(
            "90003",
            "Sub Resource Integrity Attribute Missing",
            *(2, 3, 345, 15),
            "A script or style of another host has no hash.",
            "Add the attribute integrity.",
        ),
        Rule(
            "90022",
            "Application Error Disclosure",
            *(1, 2, 550, 13),
            "The page shows an error, which may tell of the application's inside.",
            "Show pages of your own for errors.",
        ),
        Rule(
            "40012",
            "Cross Site Scripting (Reflected)",
            *(3, 2, 79, 8),
            "What a request holds stands in the page as it was sent.",
            "Encode what comes from outside.",
            f"{_OWASP}/attacks/xss/",
        ),
    )
}

PASSIVE = {
    "10003": "Vulnerable JS Library (Powered by Retire.js)",
    "10009": "In Page Banner Information Leak",
    "10010": "Cookie No HttpOnly Flag",
    "10011": "Cookie Without Secure Flag",
    "10015": "Re-examine Cache-control Directives",
    "10017": "Cross-Domain JavaScript Source File Inclusion",
    "10019": "Content-Type Header Missing",
    "10020": "Anti-clickjacking Header",
    "10021": "X-Content-Type-Options Header Missing",
    "10023": "Information Disclosure - Debug Error Messages",
    "10024": "Information Disclosure - Sensitive Information in URL",
    "10025": "Information Disclosure - Sensitive Information in HTTP Referrer Header",
    "10027": "Information Disclosure - Suspicious Comments",
    "10028": "Off-site Redirect",
    "10029": "Cookie Poisoning",
    "10030": "User Controllable Charset",
    "10031": "User Controllable HTML Element Attribute (Potential XSS)",
    "10032": "Viewstate",
    "10033": "Directory Browsing",
    "10034": "Heartbleed OpenSSL Vulnerability (Indicative)",
    "10035": "Strict-Transport-Security Header",
    "10036": "HTTP Server Response Header",
    "10037": 'Server Leaks Information via "X-Powered-By" HTTP Response Header Field(s)',
    "10038": "Content Security Policy (CSP) Header Not Set",
    "10039": "X-Backend-Server Header Information Leak",
    "10040": "Secure Pages Include Mixed Content",
    "10041": "HTTP to HTTPS Insecure Transition in Form Post",
    "10042": "HTTPS to HTTP Insecure Transition in Form Post",
    "10043": "User Controllable JavaScript Event (XSS)",
    "10044": "Big Redirect Detected (Potential Sensitive Information Leak)",
    "10050": "Retrieved from Cache",
    "10052": "X-ChromeLogger-Data (XCOLD) Header Information Leak",
    "10054": "Cookie without SameSite Attribute",
    "10055": "CSP",
    "10056": "X-Debug-Token Information Leak",
    "10057": "Username Hash Found",
    "10061": "X-AspNet-Version Response Header",
    "10062": "PII Disclosure",
    "10096": "Timestamp Disclosure",
    "10097": "Hash Disclosure",
    "10098": "Cross-Domain Misconfiguration",
    "10105": "Weak Authentication Method",
    "10108": "Reverse Tabnabbing",
    "10109": "Modern Web Application",
    "10115": "Script Served From Malicious Domain (polyfill)",
    "10116": "ZAP is Out of Date",
    "10202": "Absence of Anti-CSRF Tokens",
    "2": "Private IP Disclosure",
    "3": "Session ID in URL Rewrite",
    "50003": "Stats Passive Scan Rule",
    "90001": "Insecure JSF ViewState",
    "90002": "Java Serialization Object",
    "90003": "Sub Resource Integrity Attribute Missing",
    "90011": "Charset Mismatch",
    "90022": "Application Error Disclosure",
    "90033": "Loosely Scoped Cookie",
}
"""The passive rules, as the summary calls those that raised nothing."""

SYSTEMIC = frozenset(
    (
        *("3", "10009", "10010", "10011", "10015", "10017", "10019", "10020"),
        *("10021", "10024", "10025", "10029", "10030", "10032", "10033", "10035"),
        *("10036", "10037", "10038", "10039", "10040", "10050", "10052", "10054"),
        *("10055", "10056", "10061", "10096", "10098", "10109", "10202", "90003"),
        *("90011", "90033"),
    )
)
"""Rules of which no more than a few instances are kept."""
