#include "master/pool/pool_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "master/pool/pool.h"

int pool_table_reserve(struct pool_table *table, size_t more)
{
        if (table->count + more <= table->capacity)
                return 0;
        struct pool **items = realloc(table->items, (table->count + more) * sizeof(struct pool *));
        if (!items)
                return -ENOMEM;
        table->items = items;
        table->capacity = table->count + more;
        return 0;
}

void pool_table_add(struct pool_table *table, struct pool *pool)
{
        assert(table->count < table->capacity);
        table->items[table->count++] = pool;
}

struct pool *pool_table_find(const struct pool_table *table, const char *name)
{
        for (size_t i = 0; i < table->count; i++)
                if (table->items[i]->mode == POOL_OPEN && text_equal(table->items[i]->name, name))
                        return table->items[i];
        return NULL;
}

void pool_table_remove(struct pool_table *table, const struct pool *pool)
{
        size_t index = 0;

        while (index < table->count && table->items[index] != pool)
                index++;
        assert(index < table->count);
        memmove(&table->items[index], &table->items[index + 1], (--table->count - index) * sizeof(struct pool *));
}

void pool_table_clear(struct pool_table *table)
{
        free(table->items);
        *table = (struct pool_table){0};
}
