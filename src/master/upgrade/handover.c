#include "master/upgrade/handover.h"

#include <string.h>

#include "base/text.h"

int handover_write(const struct state_parts *parts, struct state_file *file)
{
        int r = state_file_new(file);

        for (size_t i = 0; i < parts->count && r == 0; i++) {
                const struct state_part *part = parts->items[i].part;
                r = state_file_set(file->root, part->name, part->write(parts->items[i].owner, file));
        }
        return r;
}

static int read_parts(const struct state_parts *parts, struct state_file *file)
{
        int r = 0;

        for (size_t i = 0; i < parts->count && r == 0; i++) {
                const struct state_part *part = parts->items[i].part;
                r = part->read(parts->items[i].owner, file, json_object_get(file->root, part->name));
        }
        return r;
}

int handover_read(const struct state_parts *parts, int fd, struct problem_list *problems)
{
        struct state_file file;

        int r = state_file_load(fd, &file);
        file.problems = problems;
        if (r == 0)
                r = read_parts(parts, &file);
        if (r < 0 && file.error.length > 0)
                problem_add(problems, NULL, 0, "%s", text_string(&file.error));
        else if (r < 0 && !problem_list_refuses(problems))
                problem_add(problems, NULL, 0, "%s", strerror(-r));
        if (r < 0) {
                state_file_restore(&file); /* they are in service, and may be handed over again */
                state_file_forget(&file);
        } else
                state_file_clear(&file);
        return r;
}

void handover_begin(const struct state_parts *parts)
{
        for (size_t i = 0; i < parts->count; i++)
                if (parts->items[i].part->begin)
                        parts->items[i].part->begin(parts->items[i].owner);
}
