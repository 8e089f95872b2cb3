/* Members of an object of the control protocol, by their names. What is missing, or of another type, is 0 or "". Pure.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

uint64_t member_number(const json_t *object, const char *name); /* 0 for negative ones, too */
const char *member_text(const json_t *object, const char *name);
