#include "master/config/program_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/config.h"
#include "os/process/executable.h"

#define DEPTH_MAX 4 /* interpreters of interpreters, as execve(2) has them */

struct notes {
        struct pool_config *pool;
        const struct executable_place *place;
        const char *search_path;
};

static uint64_t nanoseconds(struct timespec time)
{
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* 1: noted; 0: it is no regular file, or cannot be looked at or named in a line; -ENOMEM. */
static int note_file(const struct notes *notes, const char *path)
{
        const char *root = notes->pool->root_directory;
        _cleanup_(text_clear) struct text name = {0};
        struct stat status;

        if (executable_stat(notes->place, path, &status) < 0 || !S_ISREG(status.st_mode))
                return 0;
        const struct file_id id = {.device = status.st_dev,
                                   .inode = status.st_ino,
                                   .size = (uint64_t)status.st_size,
                                   .modified_ns = nanoseconds(status.st_mtim),
                                   .changed_ns = nanoseconds(status.st_ctim)};
        int r = text_appendf(&name, "%s%s", root ? root : "", path);
        if (r < 0 || text_printable_length(text_string(&name), name.length) < name.length)
                return r;
        r = handler_files_add(&notes->pool->handler_files, text_string(&name), &id);
        return r < 0 ? r : 1;
}

static int note(const struct notes *notes, const char *path, unsigned depth);

/* `#!/usr/bin/env python3`: what executes the script is that python3. */
static int note_for_env(const struct notes *notes, char *argument, unsigned depth)
{
        _cleanup_(text_clear) struct text why = {0};
        _cleanup_(freep) char *path = NULL;

        if (text_starts_with(argument, "-S"))
                argument += 2 + strspn(argument + 2, " \t");
        argument[strcspn(argument, " \t\r")] = '\0';
        if (argument[0] == '\0' || argument[0] == '-' || strchr(argument, '='))
                return 0;
        int r = executable_find(notes->place, argument, notes->search_path, &path, &why);
        if (r == -ENOMEM || !path)
                return r == -ENOMEM ? r : 0;
        return note(notes, path, depth);
}

/* Note the file and, if it is a script, what executes it. */
static int note(const struct notes *notes, const char *path, unsigned depth)
{
        _cleanup_(freep) char *whole = NULL, *interpreter = NULL, *argument = NULL;

        if (path[0] != '/' && asprintf(&whole, "%s/%s", notes->place->directory, path) < 0)
                return -ENOMEM;
        path = whole ? whole : path;
        int r = note_file(notes, path);
        if (r <= 0 || depth == DEPTH_MAX)
                return r;
        r = executable_interpreter(notes->place, path, &interpreter, &argument);
        if (r < 0 || !interpreter)
                return r;
        r = note(notes, interpreter, depth + 1);
        const char *slash = strrchr(interpreter, '/');
        return r >= 0 && slash && text_equal(slash, "/env") ? note_for_env(notes, argument, depth + 1) : r;
}

int program_files_note(struct pool_config *pool, const struct executable_place *place, const char *path,
                       const char *search_path)
{
        const struct notes notes = {.pool = pool, .place = place, .search_path = search_path};

        if (!pool_config_keeps_handler(pool))
                return 0;
        int r = note(&notes, path, 0);
        for (size_t i = 1; i < pool->handler.count && r >= 0; i++)
                if (pool->handler.list[i][0] == '/')
                        r = note(&notes, pool->handler.list[i], 0);
        return MIN_OF(r, 0);
}
