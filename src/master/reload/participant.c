#include "master/reload/participant.h"

static void check(const struct reload_participants *list, size_t index, const struct reload_context *context)
{
        if (list->items[index].participant->check)
                list->items[index].participant->check(list->items[index].owner, context);
}

void reload_participants_check(const struct reload_participants *list, const struct reload_context *context)
{
        for (size_t i = 0; i < list->count; i++)
                check(list, i, context);
}

static void undo(const struct reload_participants *list, size_t prepared, const struct reload_context *context)
{
        while (prepared-- > 0)
                if (list->items[prepared].participant->undo)
                        list->items[prepared].participant->undo(list->items[prepared].owner, context);
}

int reload_participants_prepare(const struct reload_participants *list, const struct reload_context *context)
{
        size_t prepared = 0;
        int r = 0;

        for (; prepared < list->count && r == 0; prepared += r == 0)
                if (list->items[prepared].participant->prepare)
                        r = list->items[prepared].participant->prepare(list->items[prepared].owner, context);
        if (r == 0)
                return 0;
        for (size_t i = prepared + 1; i < list->count; i++)
                check(list, i, context);
        undo(list, prepared, context);
        return r;
}

void reload_participants_commit(const struct reload_participants *list, const struct reload_context *context)
{
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i].participant->commit)
                        list->items[i].participant->commit(list->items[i].owner, context);
}
