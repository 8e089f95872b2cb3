#include "document/history_document.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "logic/status/history.h"

/* More than anybody keeps, and more than there can be of anything, so that sums and spans are numbers, too. */
#define ROWS_MAX 100000
#define NUMBER_MAX 1e15

static double number_of(const json_t *list, size_t index)
{
        double number = json_number_value(json_array_get(list, index));

        return MIN_OF(MAX_OF(number, 0.), NUMBER_MAX);
}

/* How many intervals have an end and a length: the others are nowhere. */
static size_t count_of(const json_t *history)
{
        size_t ages = json_array_size(json_object_get(history, history_column_names[HISTORY_AGE_MS]));
        size_t lengths = json_array_size(json_object_get(history, history_column_names[HISTORY_FOR_MS]));

        return MIN_OF(MIN_OF(ages, lengths), (size_t)ROWS_MAX);
}

int history_document_read(const json_t *pool, struct history_row **ret, size_t *ret_count)
{
        const json_t *history = json_object_get(pool, "history");
        size_t count = count_of(history);
        struct history_row *rows = calloc(count + 1, sizeof(*rows));

        if (!rows)
                return -ENOMEM;
        for (int column = 0; column < HISTORY_COLUMN_COUNT; column++) {
                const json_t *list = json_object_get(history, history_column_names[column]);
                for (size_t i = 0; i < count; i++)
                        rows[i].column[column] = number_of(list, i);
        }
        *ret = rows;
        *ret_count = count;
        return 0;
}
