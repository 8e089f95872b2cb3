/* The page for people: one document that needs nothing else. */
#pragma once

#include <jansson.h>

struct status;
struct text;

/* Append the page; `why` is the document of that name. 0 or -ENOMEM. */
int page_render(const struct status *status, const json_t *why, struct text *text);
