#include "ctl/import_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/import/xinetd_file.h"

#define FILE_BYTES_MAX (16U << 20)
/* Files may include each other. */
#define FILES_MAX 10000

static int read_bytes(const char *path, struct text *bytes)
{
        _cleanup_(file_closep) FILE *file = fopen(path, "re");
        char buffer[4096];
        size_t length;

        if (!file)
                return -errno;
        while ((length = fread(buffer, 1, sizeof(buffer), file)) > 0) {
                if (bytes->length + length > FILE_BYTES_MAX)
                        return -EFBIG;
                if (text_append_bytes(bytes, buffer, length) < 0)
                        return -ENOMEM;
        }
        return ferror(file) ? -errno : 0;
}

static int add(struct import_files *files, const char *path, struct text *bytes)
{
        struct import_source *list = reallocarray(files->list, files->count + 1, sizeof(*list));
        struct text *texts = reallocarray(files->texts, files->count + 1, sizeof(*texts));

        if (list)
                files->list = list;
        if (texts)
                files->texts = texts;
        if (!list || !texts || words_add(&files->names, path) < 0)
                return -ENOMEM;
        texts[files->count] = *bytes;
        *bytes = (struct text){0};
        list[files->count] = (struct import_source){.name = files->names.list[files->count],
                                                    .bytes = text_string(&texts[files->count]),
                                                    .length = texts[files->count].length};
        files->count++;
        return 0;
}

static int read_file(struct import_files *files, const char *path, bool must_be_there)
{
        _cleanup_(text_clear) struct text bytes = {0};
        int r = files->count < FILES_MAX ? read_bytes(path, &bytes) : -EMFILE;

        if (r == 0)
                return add(files, path, &bytes);
        if (r == -ENOMEM || (r == -ENOENT && !must_be_there))
                return r == -ENOMEM ? r : 0;
        problem_add(&files->problems, path, 0, "cannot be read: %s", strerror(-r));
        return 0;
}

int import_files_read(struct import_files *files, const char *path)
{
        return read_file(files, path, true);
}

int import_files_read_if_there(struct import_files *files, const char *path)
{
        return read_file(files, path, false);
}

static int is_entry(const struct dirent *entry)
{
        return xinetd_file_is_read(entry->d_name);
}

static int read_directory(struct import_files *files, const char *path)
{
        struct dirent **entries = NULL;
        int count = scandir(path, &entries, is_entry, alphasort), r = 0;

        if (count < 0)
                problem_add(&files->problems, path, 0, "cannot be read: %s", strerror(errno));
        for (int i = 0; i < count; i++) {
                _cleanup_(freep) char *file = NULL;
                if (r == 0 && asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
                        r = -ENOMEM;
                if (r == 0)
                        r = import_files_read(files, file);
                free(entries[i]);
        }
        free(entries);
        return r;
}

static bool is_directory(const char *path)
{
        struct stat status;

        return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int import_files_read_xinetd(struct import_files *files, const char *path)
{
        size_t next = files->count;
        int r = is_directory(path) ? read_directory(files, path) : import_files_read(files, path);

        for (; next < files->count && r == 0; next++) {
                _cleanup_(words_clear) struct words included = {0}, directories = {0};
                r = xinetd_file_includes(&files->list[next], &included, &directories);
                for (size_t i = 0; i < included.count && r == 0; i++)
                        r = import_files_read(files, included.list[i]);
                for (size_t i = 0; i < directories.count && r == 0; i++)
                        r = read_directory(files, directories.list[i]);
        }
        return r;
}

void import_files_clear(struct import_files *files)
{
        for (size_t i = 0; i < files->count; i++)
                text_clear(&files->texts[i]);
        free(files->texts);
        free(files->list);
        words_clear(&files->names);
        problem_list_clear(&files->problems);
        *files = (struct import_files){0};
}
