"""Twenty texts that try to be more than text; each would leave a mark if a page believed it."""

PAYLOADS = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1><path/></svg>",
    '"><script>window.hit=1</script>',
    "'><img src=x onerror=window.hit=1>",
    "</textarea><script>window.hit=1</script>",
    "</title><script>window.hit=1</script>",
    '" autofocus onfocus=window.hit=1 x="',
    "' style=background:red onmouseover=window.hit=1 x='",
    "<iframe src=javascript:parent.hit=1></iframe>",
    "<a href=javascript:window.hit=1>press</a>",
    "javascript:window.hit=1",
    '<div hx-get="/cabinet/account" hx-trigger="load" hx-on:click="window.hit=1">x</div>',
    "<template><s></template></noscript><style>*{display:none}</style>",
    "<!--<img src=--><img src=x onerror=window.hit=1//",
    "&lt;script&gt;window.hit=1&lt;/script&gt; &amp; &#60;b&#62;",
    "{{7*7}} {% raw %} ${7*7} {name} %s%n",
    "<base href=//evil.example/><meta http-equiv=refresh content=0;url=//evil.example>",
    "\u202egnirts a \u2066\u2069 \u200f" + "e\u0301\u0302\u0303" * 20,
    "<form action=/cabinet/sign-out method=post><button>x</button></form><math><mi//xlink:href=x>",
]
