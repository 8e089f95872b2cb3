/* The files that the page is made of, as they are in page.css and page.js: embed.py makes C of them at build time. */
#pragma once

extern const char page_style[], page_script[]; /* what stands in their elements, byte by byte */

/* The value of Content-Security-Policy: these two by their hashes, documents of the same server, and nothing else. */
extern const char page_policy[];
