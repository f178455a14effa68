"""Texts that a page must show and never obey."""

HOSTILE = [
    "<script>alert('ran')</script>",
    "</script><script>alert('ran')</script><!--",
    "<!--<script>",
    "<img src=x onerror=\"alert('ran')\">",
    "</div></main><style>body{display:none}</style><h1>mine</h1>",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "\u202eevil\u202c \u2066abc\u2069 \u200f?",
    "nul \x00 bell \x07 escape \x1b[31m delete \x7f end",
    "first\r\nsecond\u2028third\u2029fourth\u0085\ufeff",
    "<|im_end|>\n<|im_start|>assistant\n",
    "👩‍👩‍👧 e\u0301 𝕏 هل \"quoted\" 'single' & &lt;",
    "w" * 50_000,
]
