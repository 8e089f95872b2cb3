#include "logic/policy/orders.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define FIRST_CAPACITY 32

void orders_begin(struct orders *orders)
{
        orders->count = 0;
        text_truncate(&orders->texts);
}

int orders_reserve(struct orders *orders, size_t more)
{
        size_t needed = orders->count + more;
        size_t capacity = MAX_OF(needed, MAX_OF((size_t)FIRST_CAPACITY, 2 * orders->capacity));

        if (needed <= orders->capacity)
                return 0;
        struct order *items = reallocarray(orders->items, capacity, sizeof(*items));
        if (!items)
                return -ENOMEM;
        orders->items = items;
        orders->capacity = capacity;
        return 0;
}

int orders_add(struct orders *orders, const struct order *order, const char *text)
{
        size_t at = orders->texts.length;
        int r = orders_reserve(orders, 1);

        if (r == 0 && text)
                r = text_append_bytes(&orders->texts, text, strlen(text) + 1);
        if (r < 0)
                return r;
        orders->items[orders->count] = *order;
        orders->items[orders->count++].text = text ? at : ORDER_NO_TEXT;
        return 0;
}

const char *orders_text(const struct orders *orders, const struct order *order)
{
        return order->text == ORDER_NO_TEXT ? "" : text_string(&orders->texts) + order->text;
}

void orders_clear(struct orders *orders)
{
        free(orders->items);
        text_clear(&orders->texts);
        *orders = (struct orders){0};
}
