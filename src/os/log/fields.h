/* The fields of a log record, one after the other, for those who write each under its name: the journal and JSON.
 *
 * Owns nothing. What the two call by names of their own (the message, its identifier, the level) is not among them. */
#pragma once

#include <stdbool.h>

struct log_fields;

struct log_field {
        const char *name;         /* in JSON */
        const char *journal_name; /* in the journal */
        const char *value;        /* of this call alone */
        bool is_number;
};

/* Call `write` for each field that the record has. 0; -ENOMEM; or what `write` has returned, if that is not 0. */
int log_fields_each(const struct log_fields *fields, int (*write)(void *context, const struct log_field *field),
                    void *context);
