#include "master/config/config_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/config/parse.h"
#include "master/config/config_file.h"

#define SUFFIX ".conf"

static int read_file(struct config *config, const char *file, bool may_be_pipe, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};

        int r = config_file_read(file, may_be_pipe ? CONFIG_FILE_MAIN : CONFIG_FILE_PART, &text, problems);
        if (r != 0)
                return r < 0 ? r : 0;
        return config_parse(config, file, text_string(&text), text.length, problems);
}

static bool is_included(const char *name)
{
        size_t length = strlen(name), suffix = strlen(SUFFIX);

        return name[0] != '.' && length > suffix && text_equal(name + length - suffix, SUFFIX);
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in the directory that are to be read, in their order. 0 or -errno. */
static int list_names(DIR *directory, struct words *names)
{
        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(directory);
                if (!entry && errno != 0)
                        return -errno;
                if (!entry)
                        break;
                int r = is_included(entry->d_name) ? words_add(names, entry->d_name) : 0;
                if (r < 0)
                        return r;
        }
        if (names->count > 0)
                qsort(names->list, names->count, sizeof(*names->list), compare);
        return 0;
}

static void closedirp(DIR **directory)
{
        if (*directory)
                closedir(*directory);
}

/* 0, also if there is none; -errno. */
static int list_directory(const char *path, struct words *names, struct problem_list *problems)
{
        _cleanup_(closedirp) DIR *directory = opendir(path);
        struct stat status;

        if (!directory) {
                int r = -errno;
                /* A symbolic link that leads nowhere is there, too. */
                return r == -ENOENT && lstat(path, &status) < 0 && errno == ENOENT ? 0 : r;
        }
        if (fstat(dirfd(directory), &status) < 0)
                return -errno;
        config_file_check_writers(path, &status, problems);
        return list_names(directory, names);
}

static int read_directory(struct config *config, const char *path, struct problem_list *problems)
{
        _cleanup_(words_clear) struct words names = {0};

        int r = list_directory(path, &names, problems);
        if (r < 0 && r != -ENOMEM) {
                problem_add(problems, path, 0, "cannot read the directory: %s", strerror(-r));
                return 0;
        }
        for (size_t i = 0; i < names.count && r == 0; i++) {
                _cleanup_(freep) char *file = NULL;
                r = asprintf(&file, "%s/%s", path, names.list[i]) < 0 ? -ENOMEM
                                                                      : read_file(config, file, false, problems);
        }
        return r;
}

int config_files_read(struct config *config, const char *main_file, struct problem_list *problems)
{
        const char *slash = strrchr(main_file, '/');
        _cleanup_(freep) char *home = NULL, *directory = NULL;
        struct stat status;

        home = slash ? strndup(main_file, (size_t)(slash - main_file) + 1) : strdup("");
        if (!home || asprintf(&directory, "%spools.d", home) < 0)
                return -ENOMEM;
        if (stat(slash ? home : ".", &status) == 0)
                config_file_check_writers(slash ? home : ".", &status, problems);
        int r = read_file(config, main_file, true, problems);
        return r == 0 ? read_directory(config, directory, problems) : r;
}
