#include "ctl/import_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/import/php_fpm.h"
#include "logic/import/systemd.h"
#include "logic/import/xinetd_file.h"

#define FILE_BYTES_MAX (16U << 20)
/* Files may include each other. */
#define FILES_MAX 10000

static int read_bytes(const char *path, struct text *bytes)
{
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        char buffer[4096];
        ssize_t length;

        if (fd < 0)
                return -errno;
        while ((length = read(fd, buffer, sizeof(buffer))) > 0) {
                if (bytes->length + (size_t)length > FILE_BYTES_MAX)
                        return -EFBIG;
                if (text_append_bytes(bytes, buffer, (size_t)length) < 0)
                        return -ENOMEM;
        }
        return length < 0 ? -errno : 0;
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

static int is_of_xinetd(const struct dirent *entry)
{
        return xinetd_file_is_read(entry->d_name);
}

static int is_conf(const struct dirent *entry)
{
        size_t length = strlen(entry->d_name);

        return entry->d_name[0] != '.' && length > strlen(".conf") &&
               text_equal(entry->d_name + length - strlen(".conf"), ".conf");
}

/* Read the files of a directory in the order of their names. */
static int read_directory(struct import_files *files, const char *path, int (*filter)(const struct dirent *entry),
                          bool must_be_there)
{
        struct dirent **entries = NULL;
        int count = scandir(path, &entries, filter, alphasort), r = 0;

        if (count < 0 && must_be_there)
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
        int r = is_directory(path) ? read_directory(files, path, is_of_xinetd, true) : import_files_read(files, path);

        for (; next < files->count && r == 0; next++) {
                _cleanup_(words_clear) struct words included = {0}, directories = {0};
                r = xinetd_file_includes(&files->list[next], &included, &directories);
                for (size_t i = 0; i < included.count && r == 0; i++)
                        r = import_files_read(files, included.list[i]);
                for (size_t i = 0; i < directories.count && r == 0; i++)
                        r = read_directory(files, directories.list[i], is_of_xinetd, true);
        }
        return r;
}

static int read_pattern(struct import_files *files, const char *pattern)
{
        glob_t found = {0};
        int r = glob(pattern, 0, NULL, &found) == GLOB_NOSPACE ? -ENOMEM : 0;

        for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
                r = import_files_read(files, found.gl_pathv[i]);
        globfree(&found);
        return r;
}

int import_files_read_php_fpm(struct import_files *files, const char *path)
{
        size_t next = files->count;
        int r = is_directory(path) ? read_directory(files, path, is_conf, true) : import_files_read(files, path);

        for (; next < files->count && r == 0; next++) {
                _cleanup_(words_clear) struct words patterns = {0};
                r = php_fpm_includes(&files->list[next], &patterns);
                for (size_t i = 0; i < patterns.count && r == 0; i++)
                        r = read_pattern(files, patterns.list[i]);
        }
        return r;
}

static const char *const unit_directories[] = {"/etc/systemd/system", "/run/systemd/system",
                                               "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                               "/lib/systemd/system"};

/* The path of a unit: in `directory`, if there is one, or where systemd looks. 0 (also if there is none: then it is "")
 * or -ENOMEM. */
static int find_unit(const char *directory, const char *name, struct text *path)
{
        if (directory)
                return text_appendf(path, "%s/%s", directory, name);
        for (size_t i = 0; i < ELEMENTS(unit_directories); i++) {
                text_truncate(path);
                if (text_appendf(path, "%s/%s", unit_directories[i], name) < 0)
                        return -ENOMEM;
                if (access(text_string(path), F_OK) == 0)
                        return 0;
        }
        text_truncate(path);
        return 0;
}

/* Read a unit and its drop-ins: those beside it, or all that systemd knows. 0 or -ENOMEM. */
static int read_unit(struct import_files *files, const char *directory, const char *name)
{
        _cleanup_(text_clear) struct text path = {0};
        int r = find_unit(directory, name, &path);

        if (r == 0 && path.length == 0)
                problem_add(&files->problems, name, 0, "no such unit");
        else if (r == 0)
                r = import_files_read(files, text_string(&path));
        for (size_t i = 0; i < (directory ? 1 : ELEMENTS(unit_directories)) && r == 0; i++) {
                text_truncate(&path);
                r = text_appendf(&path, "%s/%s.d", directory ? directory : unit_directories[i], name);
                if (r == 0)
                        r = read_directory(files, text_string(&path), is_conf, false);
        }
        return r;
}

int import_files_read_systemd(struct import_files *files, const char *name)
{
        const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
        _cleanup_(freep) char *directory = slash ? strndup(name, slash == name ? 1 : (size_t)(slash - name)) : NULL;
        _cleanup_(text_clear) struct text service = {0};
        size_t first = files->count;
        int r = slash && !directory ? -ENOMEM : read_unit(files, directory, base);

        if (r == 0 && files->count > first)
                r = systemd_service_name(base, files->list + first, files->count - first, &service);
        return r == 0 && service.length > 0 ? read_unit(files, directory, text_string(&service)) : r;
}

int import_files_take(struct import_files *files, const char *name, const struct words *words)
{
        _cleanup_(text_clear) struct text text = {0};
        /* One word is a line as a whole. */
        int r = words->count == 1 ? text_append(&text, words->list[0]) : words_join(&text, words);

        return r == 0 ? add(files, name, &text) : r;
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
